//! What a container has written, and how it ended.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use regex::bytes::Regex;
use testcontainers::bollard;
use tokio::sync::watch;

use crate::lines::LineAssembler;
use crate::wait::LogStream;

/// How many lines of each stream an error shows.
const TAIL_LINES: usize = 50;

/// One of the two streams of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogSource {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One line, without its line end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// The stream it was written to.
    pub source: LogSource,
    /// The line as it was written: not always UTF-8.
    pub bytes: Vec<u8>,
}

impl LogLine {
    /// The line as text, with what is not UTF-8 replaced.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }
}

/// A point in a container's logs: waits that start from it do not see what came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogMark(usize);

/// Everything captured up to one moment, in order of arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logs {
    /// The lines, an unterminated last one of each stream included.
    pub lines: Vec<LogLine>,
}

impl Logs {
    /// The lines of one stream.
    pub fn of(&self, source: LogSource) -> impl Iterator<Item = &LogLine> {
        self.lines.iter().filter(move |line| line.source == source)
    }

    /// What was written to standard output, as text.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.text(LogSource::Stdout)
    }

    /// What was written to standard error, as text.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.text(LogSource::Stderr)
    }

    fn text(&self, source: LogSource) -> String {
        self.of(source).fold(String::new(), |text, line| text + &line.text() + "\n")
    }
}

/// How a container ended.
#[derive(Clone, Debug)]
pub enum Ending {
    /// Its main process exited with this code.
    Exited(i64),
    /// The engine stopped answering, or the container was removed by someone else.
    Lost(Arc<bollard::errors::Error>),
}

/// The last lines of both streams, as errors show them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogTail {
    /// The last lines of standard output.
    pub stdout: Vec<String>,
    /// The last lines of standard error.
    pub stderr: Vec<String>,
}

impl fmt::Display for LogTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stdout, stderr } = self;
        for (name, lines) in [("stdout", stdout), ("stderr", stderr)] {
            if lines.is_empty() {
                write!(f, "\n{name}: nothing")?;
            } else {
                write!(f, "\n{name}, last lines:")?;
            }
            for line in lines {
                write!(f, "\n    {line}")?;
            }
        }
        Ok(())
    }
}

/// The one place a container's output goes, and where waits look for it.
#[derive(Debug)]
pub(crate) struct LogBuffer {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<LogLine>,
    stdout: LineAssembler,
    stderr: LineAssembler,
    ending: Option<Ending>,
}

/// What a look at the logs found.
pub(crate) enum Search {
    Found(LogLine),
    /// Not there and never will be.
    Ended(Ending),
    /// Not there yet; whole lines have been looked at up to this mark.
    Nothing(LogMark),
}

impl LogBuffer {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::default(), changed: watch::Sender::new(()) }
    }

    pub(crate) fn append(&self, source: LogSource, bytes: &[u8]) {
        let mut state = self.state();
        let complete = state.assembler(source).push(bytes);
        state.lines.extend(complete.into_iter().map(|bytes| LogLine { source, bytes }));
        drop(state);
        self.changed.send_replace(());
    }

    /// No more output will come.
    pub(crate) fn close(&self, ending: Ending) {
        let mut state = self.state();
        for source in [LogSource::Stdout, LogSource::Stderr] {
            let rest = state.assembler(source).finish();
            state.lines.extend(rest.map(|bytes| LogLine { source, bytes }));
        }
        state.ending.get_or_insert(ending);
        drop(state);
        self.changed.send_replace(());
    }

    /// Signals that something was appended or that the container ended.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(crate) fn snapshot(&self) -> Logs {
        let state = self.state();
        let tails = state.tails().map(|(source, bytes)| LogLine { source, bytes: bytes.to_vec() });
        Logs { lines: state.lines.iter().cloned().chain(tails).collect() }
    }

    pub(crate) fn mark(&self) -> LogMark {
        LogMark(self.state().lines.len())
    }

    pub(crate) fn start() -> LogMark {
        LogMark(0)
    }

    pub(crate) fn ending(&self) -> Option<Ending> {
        self.state().ending.clone()
    }

    pub(crate) fn search(&self, from: LogMark, stream: LogStream, pattern: &Regex) -> Search {
        let state = self.state();
        let whole = state.lines.iter().skip(from.0).map(|line| (line.source, &line.bytes[..]));
        let found = whole
            .chain(state.tails())
            .find(|(source, bytes)| stream.includes(*source) && pattern.is_match(bytes));
        match (found, &state.ending) {
            (Some((source, bytes)), _) => Search::Found(LogLine { source, bytes: bytes.to_vec() }),
            (None, Some(ending)) => Search::Ended(ending.clone()),
            (None, None) => Search::Nothing(LogMark(state.lines.len().max(from.0))),
        }
    }

    pub(crate) fn tail(&self) -> LogTail {
        let logs = self.snapshot();
        let last = |source| {
            let lines: Vec<_> = logs.of(source).map(|line| line.text().into_owned()).collect();
            lines[lines.len().saturating_sub(TAIL_LINES)..].to_vec()
        };
        LogTail { stdout: last(LogSource::Stdout), stderr: last(LogSource::Stderr) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn assembler(&mut self, source: LogSource) -> &mut LineAssembler {
        match source {
            LogSource::Stdout => &mut self.stdout,
            LogSource::Stderr => &mut self.stderr,
        }
    }

    fn tails(&self) -> impl Iterator<Item = (LogSource, &[u8])> {
        [(LogSource::Stdout, self.stdout.partial()), (LogSource::Stderr, self.stderr.partial())]
            .into_iter()
            .filter(|(_, bytes)| !bytes.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(buffer: &LogBuffer, from: LogMark, stream: LogStream, pattern: &str) -> Search {
        buffer.search(from, stream, &Regex::new(pattern).unwrap())
    }

    #[test]
    fn streams_are_kept_apart_when_frames_interleave() {
        let buffer = LogBuffer::new();
        buffer.append(LogSource::Stdout, b"rea");
        buffer.append(LogSource::Stderr, b"warn");
        buffer.append(LogSource::Stdout, b"dy\n");
        let logs = buffer.snapshot();
        assert_eq!((logs.stdout().as_str(), logs.stderr().as_str()), ("ready\n", "warn\n"));
        let found = search(&buffer, LogBuffer::start(), LogStream::Stdout, "^ready$");
        assert!(matches!(found, Search::Found(line) if line.bytes == b"ready"));
        let other = search(&buffer, LogBuffer::start(), LogStream::Stderr, "ready");
        assert!(matches!(other, Search::Nothing(_)));
    }

    #[test]
    fn a_prompt_without_newline_matches() {
        let buffer = LogBuffer::new();
        buffer.append(LogSource::Stderr, b"\xff password: ");
        let found = search(&buffer, LogBuffer::start(), LogStream::Either, "password: $");
        assert!(matches!(found, Search::Found(_)));
    }

    #[test]
    fn a_mark_hides_what_came_before() {
        let buffer = LogBuffer::new();
        buffer.append(LogSource::Stdout, b"GET /\n");
        let mark = buffer.mark();
        assert!(matches!(search(&buffer, mark, LogStream::Either, "GET"), Search::Nothing(_)));
        buffer.append(LogSource::Stdout, b"GET /\n");
        assert!(matches!(search(&buffer, mark, LogStream::Either, "GET"), Search::Found(_)));
    }

    #[test]
    fn the_end_is_reported_after_the_last_words() {
        let buffer = LogBuffer::new();
        buffer.append(LogSource::Stdout, b"bye");
        buffer.close(Ending::Exited(3));
        let ended = search(&buffer, LogBuffer::start(), LogStream::Either, "hello");
        assert!(matches!(ended, Search::Ended(Ending::Exited(3))));
        let found = search(&buffer, LogBuffer::start(), LogStream::Either, "bye");
        assert!(matches!(found, Search::Found(_)));
    }

    #[test]
    fn an_error_shows_the_last_fifty_lines() {
        let buffer = LogBuffer::new();
        for number in 0..60 {
            buffer.append(LogSource::Stdout, format!("line {number}\n").as_bytes());
        }
        let tail = buffer.tail();
        assert_eq!((tail.stdout.len(), tail.stdout[0].as_str()), (50, "line 10"));
        assert!(tail.to_string().ends_with("\n    line 59\nstderr: nothing"));
    }
}
