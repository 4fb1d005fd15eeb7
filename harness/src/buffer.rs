//! The one place a container's output goes, and where waits look for it.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::ending::Ending;
use crate::line::{LogLine, LogSource, LogTail};
use crate::lines::LineAssembler;

/// How much of one container's output is kept. Past it the oldest lines go: a test that drowns
/// in its container's output should fail by its own assertion, not take the machine along.
const KEPT: usize = 64 << 20;

/// How many lines of each stream an error shows.
const TAIL_LINES: usize = 50;

/// A line without its newline counts once nothing has been added to it for this long. Prompts
/// have no newline, and neither has the first half of a line that arrives in two frames: time
/// is all that tells them apart.
const PROMPT_PAUSE: Duration = Duration::from_millis(50);

/// A point in a container's logs: what starts from it does not see what came before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogMark(usize);

#[derive(Debug)]
pub(crate) struct LogBuffer {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

#[derive(Debug)]
struct State {
    /// Each with the time it was complete.
    lines: VecDeque<(Instant, LogLine)>,
    /// How many lines have gone from the front: the number of the first that is left.
    dropped: usize,
    /// What `lines` take of the memory.
    size: usize,
    limit: usize,
    stdout: Partial,
    stderr: Partial,
    terminal: bool,
    /// Where the present run of the container begins.
    begun: usize,
    ending: Option<Ending>,
}

#[derive(Debug)]
struct Partial {
    lines: LineAssembler,
    touched: Instant,
}

/// A look at what there is.
#[derive(Debug)]
pub(crate) struct Glance {
    /// Whole lines have been looked at up to here.
    pub(crate) next: LogMark,
    /// The lines that have no newline yet.
    pub(crate) partial: Vec<LogLine>,
    /// When they are to be taken for prompts.
    pub(crate) settles: Instant,
}

impl LogBuffer {
    pub(crate) fn new() -> Self {
        Self::keeping(KEPT)
    }

    fn keeping(limit: usize) -> Self {
        let partial = || Partial { lines: LineAssembler::default(), touched: Instant::now() };
        let state = State {
            lines: VecDeque::new(),
            dropped: 0,
            size: 0,
            limit,
            stdout: partial(),
            stderr: partial(),
            terminal: false,
            begun: 0,
            ending: None,
        };
        Self { state: Mutex::new(state), changed: watch::Sender::new(()) }
    }

    pub(crate) fn append(&self, source: LogSource, bytes: &[u8]) {
        let mut state = self.state();
        let mut complete = Vec::new();
        let partial = state.partial(source);
        partial.lines.push(bytes, |line| complete.push(LogLine::new(source, line)));
        partial.touched = Instant::now();
        complete.into_iter().for_each(|line| state.keep(line));
        drop(state);
        self.changed.send_replace(());
    }

    /// Notes that both streams come as one.
    pub(crate) fn merged(&self) {
        self.state().terminal = true;
    }

    /// No more output will come, of this run of the container.
    pub(crate) fn close(&self, ending: Ending) {
        let mut state = self.state();
        for source in [LogSource::Stdout, LogSource::Stderr] {
            if let Some(rest) = state.partial(source).lines.finish() {
                state.keep(LogLine::new(source, rest));
            }
        }
        state.ending.get_or_insert(ending);
        drop(state);
        self.changed.send_replace(());
    }

    /// The container starts again; what waits from now on looks at the new run only.
    pub(crate) fn reopen(&self) -> LogMark {
        let mut state = self.state();
        state.ending = None;
        state.begun = state.end();
        LogMark(state.begun)
    }

    /// Signals that something was appended or that the container ended.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(crate) fn mark(&self) -> LogMark {
        LogMark(self.state().end())
    }

    /// Where the present run of the container begins.
    pub(crate) fn begun(&self) -> LogMark {
        LogMark(self.state().begun)
    }

    pub(crate) fn dropped(&self) -> usize {
        self.state().dropped
    }

    /// The end of the present run, when all its output is in.
    pub(crate) async fn ended(&self) -> Ending {
        let mut changes = self.changes();
        loop {
            changes.borrow_and_update();
            if let Some(ending) = self.ending() {
                return ending;
            }
            changed(&mut changes).await;
        }
    }

    pub(crate) fn ending(&self) -> Option<Ending> {
        self.state().ending.clone()
    }

    /// Everything from the mark on, unterminated last lines included.
    pub(crate) fn lines(&self, from: LogMark) -> Vec<LogLine> {
        let mut lines = Vec::new();
        let glance = self.look(from, |_, line| {
            lines.push(line.clone());
            ControlFlow::Continue(())
        });
        lines.extend(glance.partial);
        lines
    }

    /// Everything that is left, each line with the time it was complete.
    pub(crate) fn timed(&self) -> Vec<(Instant, LogLine)> {
        let state = self.state();
        let partial = |line: LogLine| {
            let partial = match line.source {
                LogSource::Stdout => &state.stdout,
                LogSource::Stderr => &state.stderr,
            };
            (partial.touched, line)
        };
        state.lines.iter().cloned().chain(state.partial_lines().map(partial)).collect()
    }

    /// Shows the whole lines from the mark on, numbered, until told to stop.
    pub(crate) fn look(
        &self,
        from: LogMark,
        mut each: impl FnMut(usize, &LogLine) -> ControlFlow<()>,
    ) -> Glance {
        let state = self.state();
        let skipped = from.0.saturating_sub(state.dropped).min(state.lines.len());
        for (at, (_, line)) in state.lines.range(skipped..).enumerate() {
            if each(state.dropped + skipped + at, line).is_break() {
                break;
            }
        }
        let partial = state.partial_lines().collect();
        let touched = state.stdout.touched.max(state.stderr.touched);
        let settles = match (state.stdout.is_empty(), state.stderr.is_empty()) {
            (false, true) => state.stdout.touched,
            (true, false) => state.stderr.touched,
            _ => touched,
        } + PROMPT_PAUSE;
        let next = LogMark(state.end().max(from.0));
        Glance { next, partial, settles }
    }

    /// The last lines with their numbers, unterminated ones included.
    pub(crate) fn recent(&self, count: usize) -> Vec<(usize, LogLine)> {
        let state = self.state();
        let first = state.lines.len().saturating_sub(count);
        let whole = state.lines.range(first..).map(|(_, line)| line.clone());
        let whole = whole.chain(state.partial_lines());
        whole.enumerate().map(|(at, line)| (state.dropped + first + at, line)).collect()
    }

    pub(crate) fn tail(&self) -> LogTail {
        let state = self.state();
        let last = |source| {
            let whole = state.lines.iter().rev().map(|(_, line)| line);
            let whole = whole.filter(|line| line.source == source);
            let partial = state.partial_lines().find(|line| line.source == source);
            let mut lines: Vec<_> = partial
                .iter()
                .chain(whole)
                .take(TAIL_LINES)
                .map(|line| line.text().into_owned())
                .collect();
            lines.reverse();
            lines
        };
        LogTail {
            stdout: last(LogSource::Stdout),
            stderr: last(LogSource::Stderr),
            terminal: state.terminal,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The next change. The buffer outlives whoever looks at it, so there is always one to hope for.
pub(crate) async fn changed(changes: &mut watch::Receiver<()>) {
    if changes.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

impl LogMark {
    /// The number of the first line after it.
    pub(crate) fn number(self) -> usize {
        self.0
    }
}

impl Partial {
    fn is_empty(&self) -> bool {
        self.lines.partial().is_empty()
    }
}

impl State {
    fn end(&self) -> usize {
        self.dropped + self.lines.len()
    }

    fn keep(&mut self, line: LogLine) {
        self.size += line.size();
        self.lines.push_back((Instant::now(), line));
        while self.size > self.limit
            && let Some((_, oldest)) = self.lines.pop_front()
        {
            self.size -= oldest.size();
            self.dropped += 1;
        }
    }

    fn partial(&mut self, source: LogSource) -> &mut Partial {
        match source {
            LogSource::Stdout => &mut self.stdout,
            LogSource::Stderr => &mut self.stderr,
        }
    }

    fn partial_lines(&self) -> impl Iterator<Item = LogLine> {
        [(LogSource::Stdout, &self.stdout), (LogSource::Stderr, &self.stderr)]
            .into_iter()
            .filter(|(_, partial)| !partial.is_empty())
            .map(|(source, partial)| LogLine::new(source, partial.lines.partial()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ending::Exit;

    fn texts(buffer: &LogBuffer, from: LogMark) -> Vec<String> {
        buffer.lines(from).iter().map(|line| line.text().into_owned()).collect()
    }

    #[test]
    fn streams_are_kept_apart_when_frames_interleave() {
        let buffer = LogBuffer::new();
        buffer.append(LogSource::Stdout, b"rea");
        buffer.append(LogSource::Stderr, b"warn");
        buffer.append(LogSource::Stdout, b"dy\n");
        assert_eq!(texts(&buffer, LogMark(0)), ["ready", "warn"]);
    }

    #[test]
    fn a_mark_hides_what_came_before() {
        let buffer = LogBuffer::new();
        buffer.append(LogSource::Stdout, b"GET /a\n");
        let mark = buffer.mark();
        assert!(texts(&buffer, mark).is_empty());
        buffer.append(LogSource::Stdout, b"GET /b\n");
        assert_eq!(texts(&buffer, mark), ["GET /b"]);
    }

    #[test]
    fn edge_chunks_a_chatty_container_loses_its_oldest_lines_and_marks_stay_right() {
        let line = LogLine::new(LogSource::Stdout, "line 0");
        let buffer = LogBuffer::keeping(10 * line.size());
        for number in 0..5 {
            buffer.append(LogSource::Stdout, format!("line {number}\n").as_bytes());
        }
        let mark = buffer.mark();
        for number in 5..9 {
            buffer.append(LogSource::Stdout, format!("line {number}\n").as_bytes());
        }
        assert_eq!((buffer.dropped(), texts(&buffer, mark)[0].as_str()), (0, "line 5"));
        buffer.append(LogSource::Stdout, b"line 9\nline a\nline b\n");
        assert_eq!((buffer.dropped(), texts(&buffer, mark)[0].as_str()), (2, "line 5"));
        assert_eq!(texts(&buffer, LogMark(0))[0], "line 2");
        buffer.append(LogSource::Stdout, "12345\n".repeat(20).as_bytes());
        assert_eq!((buffer.dropped(), texts(&buffer, mark).len()), (22, 10));
    }

    #[test]
    fn edge_restarted_container_has_a_new_run() {
        let buffer = LogBuffer::new();
        buffer.append(LogSource::Stdout, b"ready\nbye");
        buffer.close(Ending::Exited(Exit { code: 0, oom_killed: false }));
        let mark = buffer.reopen();
        assert!(buffer.ending().is_none());
        assert_eq!((mark, texts(&buffer, buffer.begun()).len()), (buffer.begun(), 0));
        buffer.append(LogSource::Stdout, b"ready again\n");
        assert_eq!(texts(&buffer, mark), ["ready again"]);
        assert_eq!(texts(&buffer, LogMark(0)), ["ready", "bye", "ready again"]);
    }

    #[test]
    fn an_error_shows_the_last_fifty_lines() {
        let buffer = LogBuffer::new();
        for number in 0..60 {
            buffer.append(LogSource::Stdout, format!("line {number}\n").as_bytes());
        }
        buffer.append(LogSource::Stdout, b"half");
        let tail = buffer.tail();
        assert_eq!((tail.stdout.len(), tail.stdout[0].as_str()), (50, "line 11"));
        assert!(tail.to_string().ends_with("\n    line 59\n    half\nstderr: nothing"));
    }

    #[test]
    fn edge_tty_says_that_its_streams_are_merged() {
        let buffer = LogBuffer::new();
        buffer.merged();
        buffer.append(LogSource::Stdout, b"login: ");
        let expected = "\nstdout and stderr (merged by the terminal), last lines:\n    login: ";
        assert_eq!(buffer.tail().to_string(), expected);
    }
}
