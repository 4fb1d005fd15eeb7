//! What a container has written.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::buffer::{LogBuffer, LogMark};
use crate::failure::debug_by_message;
use crate::handle::ContainerHandle;
use crate::line::{LogLine, LogSource, LogTail};
use crate::log_wait::{LogPattern, LogWait};
use crate::matcher::PatternError;
use crate::mismatch::LogMismatch;
use crate::wait::{DEFAULT_DEADLINE, Wait, WaitError, run};

/// How many of the last lines an error looks through for near misses.
pub(crate) const SEARCHED_FOR_MISSES: usize = 1000;

/// A container's logs from one point on: all of them, or those after a mark. They are read from
/// before the container starts, so nothing is missing; what is asked of them is answered with
/// what there is at that moment.
///
/// The oldest lines go when there are more than 64 MiB; [`Logs::dropped`] says how many have.
///
/// ```no_run
/// # async fn example(web: plimsoll_harness::Container) -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// let mark = web.logs().mark();
/// web.http().get("/").await?.assert_status(200)?;
/// web.logs().after(mark).ordered(["GET / ", " 200"]).within(Duration::from_secs(2)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Logs {
    handle: ContainerHandle,
    from: LogMark,
}

/// Expected lines that did not come, without waiting for them.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// A pattern is none.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The lines are not there.
    #[error("look at what `{node}` wrote: failed to {mismatch}{tail}")]
    Mismatch {
        /// The container's name in its definition.
        node: String,
        /// What was found and what was not.
        mismatch: LogMismatch,
        /// The last lines of both streams.
        tail: LogTail,
    },
}

debug_by_message!(LogError);

impl Logs {
    pub(crate) fn new(handle: ContainerHandle, from: LogMark) -> Self {
        Self { handle, from }
    }

    /// The present end.
    #[must_use]
    pub fn mark(&self) -> LogMark {
        self.buffer().mark()
    }

    /// The logs after a mark. A line belongs there if it is completed after it.
    #[must_use]
    pub fn after(&self, mark: LogMark) -> Self {
        Self { handle: self.handle.clone(), from: mark }
    }

    /// The lines, in order of arrival, an unterminated last one of each stream included.
    #[must_use]
    pub fn lines(&self) -> Vec<LogLine> {
        self.buffer().lines(self.from)
    }

    /// The lines of one stream.
    #[must_use]
    pub fn of(&self, source: LogSource) -> Vec<LogLine> {
        self.lines().into_iter().filter(|line| line.source == source).collect()
    }

    /// What was written to standard output, as text with a newline after each line.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.text(LogSource::Stdout)
    }

    /// What was written to standard error, as text with a newline after each line.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.text(LogSource::Stderr)
    }

    /// The last 50 lines of both streams of the whole logs, for an error of one's own.
    #[must_use]
    pub fn tail(&self) -> LogTail {
        self.buffer().tail()
    }

    /// How many of the oldest lines are gone because there were too many.
    #[must_use]
    pub fn dropped(&self) -> usize {
        self.buffer().dropped()
    }

    /// Expects one line.
    pub fn line(&self, pattern: impl Into<LogPattern>) -> LogAssertion {
        self.expect(LogWait::ordered([pattern.into()]))
    }

    /// Expects lines in the order of their patterns, with any others between.
    pub fn ordered<P: Into<LogPattern>>(
        &self,
        patterns: impl IntoIterator<Item = P>,
    ) -> LogAssertion {
        self.expect(LogWait::ordered(patterns))
    }

    /// Expects lines in any order, one for each pattern.
    pub fn unordered<P: Into<LogPattern>>(
        &self,
        patterns: impl IntoIterator<Item = P>,
    ) -> LogAssertion {
        self.expect(LogWait::unordered(patterns))
    }

    /// Expects lines.
    pub fn expect(&self, wait: LogWait) -> LogAssertion {
        LogAssertion { logs: self.clone(), wait, within: DEFAULT_DEADLINE }
    }

    pub(crate) fn node(&self) -> &str {
        self.handle.node()
    }

    fn buffer(&self) -> &Arc<LogBuffer> {
        self.handle.buffer()
    }

    fn text(&self, source: LogSource) -> String {
        self.of(source).iter().fold(String::new(), |text, line| text + &line.text() + "\n")
    }
}

impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logs").field("of", &self.handle.name()).field("from", &self.from).finish()
    }
}

/// Lines that are expected in the logs. Awaiting it waits for them, 60 seconds unless
/// [`LogAssertion::within`] says otherwise, and gives the lines that were found, in the order of
/// their patterns; [`LogAssertion::now`] does not wait.
#[derive(Clone, Debug)]
#[must_use = "nothing is looked at until it is awaited"]
pub struct LogAssertion {
    logs: Logs,
    wait: LogWait,
    within: Duration,
}

impl LogAssertion {
    /// Sets the deadline.
    pub fn within(mut self, deadline: Duration) -> Self {
        self.within = deadline;
        self
    }

    /// Looks at what is there now, and does not wait.
    ///
    /// # Errors
    ///
    /// The lines are not there, or a pattern is none.
    pub fn now(self) -> Result<Vec<LogLine>, LogError> {
        let mut matcher = self.wait.matcher()?;
        let (buffer, from) = (self.logs.buffer(), self.logs.from.number());
        let recent = buffer.recent(usize::MAX);
        for (number, line) in recent.iter().filter(|(number, _)| *number >= from) {
            matcher.feed_numbered(*number, line);
        }
        if let Some(lines) = matcher.lines() {
            return Ok(lines);
        }
        let last = recent.len().saturating_sub(SEARCHED_FOR_MISSES);
        let mismatch = matcher.mismatch(from, &recent[last..]);
        let node = self.logs.handle.node().to_owned();
        Err(LogError::Mismatch { node, mismatch, tail: buffer.tail() })
    }
}

impl IntoFuture for LogAssertion {
    type Output = Result<Vec<LogLine>, WaitError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { logs, wait, within } = self;
        let Logs { handle, from } = logs;
        Box::pin(async move { run(&handle, &Wait::from(wait).within(within), from).await })
    }
}
