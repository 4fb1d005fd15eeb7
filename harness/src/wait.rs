//! Waiting for a line.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use regex::bytes::Regex;
use testcontainers::bollard;
use tokio::time::Instant;

use crate::logs::{Ending, LogBuffer, LogLine, LogMark, LogSource, LogTail, Search};

const DEFAULT_DEADLINE: Duration = Duration::from_secs(60);

/// The streams a wait looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// Whichever of the two.
    Either,
}

impl LogStream {
    pub(crate) fn includes(self, source: LogSource) -> bool {
        match self {
            Self::Either => true,
            Self::Stdout => source == LogSource::Stdout,
            Self::Stderr => source == LogSource::Stderr,
        }
    }
}

impl fmt::Display for LogStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Either => "stdout or stderr",
        })
    }
}

/// A line to wait for: a regular expression over the bytes of one line, and a deadline.
///
/// ```
/// use std::time::Duration;
/// use plimsoll_harness::LogWait;
///
/// let wait = LogWait::stderr(r"listening on .*:\d+").within(Duration::from_secs(5));
/// assert_eq!(wait.within, Duration::from_secs(5));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogWait {
    /// Where to look.
    pub stream: LogStream,
    /// A regular expression, matched against one line at a time.
    pub pattern: String,
    /// How long to wait for it; 60 seconds unless said otherwise.
    pub within: Duration,
}

impl LogWait {
    /// Waits for a line on standard output.
    pub fn stdout(pattern: impl Into<String>) -> Self {
        Self::on(LogStream::Stdout, pattern)
    }

    /// Waits for a line on standard error.
    pub fn stderr(pattern: impl Into<String>) -> Self {
        Self::on(LogStream::Stderr, pattern)
    }

    /// Waits for a line on whichever stream it comes.
    pub fn either(pattern: impl Into<String>) -> Self {
        Self::on(LogStream::Either, pattern)
    }

    /// Sets the deadline.
    #[must_use]
    pub fn within(mut self, deadline: Duration) -> Self {
        self.within = deadline;
        self
    }

    fn on(stream: LogStream, pattern: impl Into<String>) -> Self {
        Self { stream, pattern: pattern.into(), within: DEFAULT_DEADLINE }
    }

    pub(crate) fn compile(&self, node: &str) -> Result<Regex, WaitError> {
        Regex::new(&self.pattern).map_err(|source| WaitError::Pattern {
            node: node.to_owned(),
            pattern: self.pattern.clone(),
            source,
        })
    }
}

/// A wait that did not find its line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The pattern is not a regular expression.
    #[error("wait for `{node}`: `{pattern}` is not a regular expression")]
    Pattern {
        /// The container's name in its definition.
        node: String,
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        source: regex::Error,
    },
    /// The container exited first.
    #[error(
        "wait for `{node}` to write /{pattern}/ on {stream}: \
         it exited with code {code} after {:.1} s{tail}",
        .elapsed.as_secs_f64()
    )]
    Exited {
        /// The container's name in its definition.
        node: String,
        /// The pattern.
        pattern: String,
        /// Where it was looked for.
        stream: LogStream,
        /// The exit code.
        code: i64,
        /// How long the wait had lasted.
        elapsed: Duration,
        /// The last lines of both streams.
        tail: LogTail,
    },
    /// The deadline passed first; the container was still running.
    #[error(
        "wait for `{node}` to write /{pattern}/ on {stream}: \
         nothing matched within {:.1} s, and it is still running{tail}",
        .elapsed.as_secs_f64()
    )]
    TimedOut {
        /// The container's name in its definition.
        node: String,
        /// The pattern.
        pattern: String,
        /// Where it was looked for.
        stream: LogStream,
        /// How long the wait lasted.
        elapsed: Duration,
        /// The last lines of both streams.
        tail: LogTail,
    },
    /// The container did not exit within the deadline.
    #[error(
        "wait for `{node}` to exit: still running after {:.1} s{tail}",
        .elapsed.as_secs_f64()
    )]
    StillRunning {
        /// The container's name in its definition.
        node: String,
        /// How long the wait lasted.
        elapsed: Duration,
        /// The last lines of both streams.
        tail: LogTail,
    },
    /// The engine stopped answering while waiting.
    #[error("wait for `{node}`: lost sight of it{tail}")]
    Lost {
        /// The container's name in its definition.
        node: String,
        /// The last lines of both streams.
        tail: LogTail,
        /// What the engine said.
        source: Arc<bollard::errors::Error>,
    },
}

/// Looks at the logs whenever they change, until the line is there, the container is not, or
/// the deadline has passed.
pub(crate) async fn wait_for_line(
    node: &str,
    logs: &LogBuffer,
    mut from: LogMark,
    wait: &LogWait,
    regex: &Regex,
) -> Result<LogLine, WaitError> {
    let (node, pattern, stream) = (node.to_owned(), wait.pattern.clone(), wait.stream);
    let begun = Instant::now();
    let deadline = begun + wait.within;
    let mut changes = logs.changes();
    loop {
        changes.borrow_and_update();
        match logs.search(from, stream, regex) {
            Search::Found(line) => return Ok(line),
            Search::Nothing(mark) => from = mark,
            Search::Ended(Ending::Lost(source)) => {
                return Err(WaitError::Lost { node, tail: logs.tail(), source });
            }
            Search::Ended(Ending::Exited(code)) => {
                let (elapsed, tail) = (begun.elapsed(), logs.tail());
                return Err(WaitError::Exited { node, pattern, stream, code, elapsed, tail });
            }
        }
        if tokio::time::timeout_at(deadline, changes.changed()).await.is_err() {
            let (elapsed, tail) = (begun.elapsed(), logs.tail());
            return Err(WaitError::TimedOut { node, pattern, stream, elapsed, tail });
        }
    }
}

/// Waits for the container's end, with all its output captured, and gives its exit code.
pub(crate) async fn wait_for_exit(
    node: &str,
    logs: &LogBuffer,
    within: Duration,
) -> Result<i64, WaitError> {
    let begun = Instant::now();
    let mut changes = logs.changes();
    loop {
        changes.borrow_and_update();
        match logs.ending() {
            Some(Ending::Exited(code)) => return Ok(code),
            Some(Ending::Lost(source)) => {
                return Err(WaitError::Lost { node: node.to_owned(), tail: logs.tail(), source });
            }
            None => {}
        }
        if tokio::time::timeout_at(begun + within, changes.changed()).await.is_err() {
            let (elapsed, tail) = (begun.elapsed(), logs.tail());
            return Err(WaitError::StillRunning { node: node.to_owned(), elapsed, tail });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
            .block_on(future)
    }

    async fn wait(logs: &LogBuffer, wait: LogWait) -> Result<LogLine, WaitError> {
        let regex = wait.compile("web")?;
        wait_for_line("web", logs, LogBuffer::start(), &wait, &regex).await
    }

    #[test]
    fn a_line_that_comes_in_two_frames_ends_the_wait() {
        let logs = LogBuffer::new();
        let line = block_on(async {
            let writer = async {
                logs.append(LogSource::Stdout, b"listen");
                tokio::task::yield_now().await;
                logs.append(LogSource::Stdout, b"ing on 80");
            };
            tokio::join!(wait(&logs, LogWait::stdout(r"listening on \d+")), writer).0
        });
        assert_eq!(line.unwrap().text(), "listening on 80");
    }

    #[test]
    fn the_deadline_names_node_pattern_and_last_lines() {
        let logs = LogBuffer::new();
        logs.append(LogSource::Stderr, b"still booting\n");
        let error = block_on(wait(&logs, LogWait::stderr("ready").within(Duration::ZERO)));
        let message = error.unwrap_err().to_string();
        assert!(message.starts_with("wait for `web` to write /ready/ on stderr: "), "{message}");
        assert!(message.ends_with("stdout: nothing\nstderr, last lines:\n    still booting"));
    }

    #[test]
    fn an_exit_ends_the_wait_before_its_deadline() {
        let logs = LogBuffer::new();
        logs.close(Ending::Exited(7));
        let error = block_on(wait(&logs, LogWait::either("ready"))).unwrap_err();
        assert!(matches!(error, WaitError::Exited { code: 7, .. }), "{error}");
    }

    #[test]
    fn a_bad_pattern_is_named() {
        let error = LogWait::stdout("(").compile("web").unwrap_err();
        assert_eq!(error.to_string(), "wait for `web`: `(` is not a regular expression");
    }
}
