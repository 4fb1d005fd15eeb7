//! Lines to wait for, as plain data.

use std::fmt;
use std::time::Duration;

use crate::line::LogStream;
use crate::matcher::{LogMatcher, PatternError};
use crate::wait::Wait;

/// Lines that are expected in a container's logs.
///
/// ```
/// use std::time::Duration;
/// use plimsoll_harness::{LogPattern, LogWait};
///
/// let one = LogWait::stderr(r"listening on .*:\d+").within(Duration::from_secs(5));
/// let workers = LogWait::unordered([
///     LogPattern::stderr("Booting worker").times(4),
///     LogPattern::stderr("Listening at"),
/// ]);
/// let restart = LogWait::ordered(["Worker exiting", "Booting worker"]);
/// # let _ = (one, workers, restart);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogWait {
    /// The patterns. A line serves one of them, once.
    pub patterns: Vec<LogPattern>,
    /// In which order the lines come.
    pub order: LogOrder,
    /// Whether patterns see escape sequences and carriage returns.
    pub text: LogText,
}

/// A regular expression that is matched against one line at a time, anywhere in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPattern {
    /// Where to look.
    pub stream: LogStream,
    /// A regular expression over bytes, as the `regex` crate has them.
    pub regex: String,
    /// How many lines it shall match.
    pub times: usize,
}

/// In which order lines are expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogOrder {
    /// That of the patterns, with any other lines between.
    Ordered,
    /// Any. Of all ways to give lines to patterns, one is found in which every pattern has its
    /// own, if there is one.
    Unordered,
}

/// What of a line patterns see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogText {
    /// The text: without escape sequences and without the carriage returns at its end.
    #[default]
    Plain,
    /// Every byte that was written, but for the newline.
    Raw,
}

impl LogPattern {
    /// A pattern for standard output.
    pub fn stdout(regex: impl Into<String>) -> Self {
        Self { stream: LogStream::Stdout, regex: regex.into(), times: 1 }
    }

    /// A pattern for standard error.
    pub fn stderr(regex: impl Into<String>) -> Self {
        Self { stream: LogStream::Stderr, regex: regex.into(), times: 1 }
    }

    /// A pattern for both streams.
    pub fn either(regex: impl Into<String>) -> Self {
        Self { stream: LogStream::Either, regex: regex.into(), times: 1 }
    }

    /// How many lines it shall match.
    #[must_use]
    pub fn times(mut self, count: usize) -> Self {
        self.times = count;
        self
    }
}

impl From<&str> for LogPattern {
    fn from(regex: &str) -> Self {
        Self::either(regex)
    }
}

impl From<String> for LogPattern {
    fn from(regex: String) -> Self {
        Self::either(regex)
    }
}

impl fmt::Display for LogPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream, regex, times } = self;
        write!(f, "/{regex}/")?;
        if *times != 1 {
            write!(f, " {times} times")?;
        }
        if *stream != LogStream::Either {
            write!(f, " on {stream}")?;
        }
        Ok(())
    }
}

impl LogWait {
    /// One line on standard output.
    pub fn stdout(regex: impl Into<String>) -> Self {
        Self::ordered([LogPattern::stdout(regex)])
    }

    /// One line on standard error.
    pub fn stderr(regex: impl Into<String>) -> Self {
        Self::ordered([LogPattern::stderr(regex)])
    }

    /// One line on whichever stream it comes.
    pub fn either(regex: impl Into<String>) -> Self {
        Self::ordered([LogPattern::either(regex)])
    }

    /// Lines that come in the order of their patterns.
    pub fn ordered<P: Into<LogPattern>>(patterns: impl IntoIterator<Item = P>) -> Self {
        Self::expecting(LogOrder::Ordered, patterns)
    }

    /// Lines that come in any order.
    pub fn unordered<P: Into<LogPattern>>(patterns: impl IntoIterator<Item = P>) -> Self {
        Self::expecting(LogOrder::Unordered, patterns)
    }

    /// How many lines each of the patterns shall match.
    #[must_use]
    pub fn times(mut self, count: usize) -> Self {
        self.patterns.iter_mut().for_each(|pattern| pattern.times = count);
        self
    }

    /// Lets patterns see escape sequences and carriage returns.
    #[must_use]
    pub fn raw(mut self) -> Self {
        self.text = LogText::Raw;
        self
    }

    /// Sets the deadline.
    #[must_use]
    pub fn within(self, deadline: Duration) -> Wait {
        Wait::from(self).within(deadline)
    }

    /// Something to feed lines to: what waits do, for lines from elsewhere.
    ///
    /// # Errors
    ///
    /// A pattern is not a regular expression.
    pub fn matcher(&self) -> Result<LogMatcher, PatternError> {
        LogMatcher::new(self)
    }

    fn expecting<P: Into<LogPattern>>(
        order: LogOrder,
        patterns: impl IntoIterator<Item = P>,
    ) -> Self {
        let patterns = patterns.into_iter().map(Into::into).collect();
        Self { patterns, order, text: LogText::default() }
    }
}

impl fmt::Display for LogWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.patterns[..], self.order) {
            ([pattern], _) => write!(f, "log {pattern}"),
            (patterns, LogOrder::Ordered) => write!(f, "log {} patterns in order", patterns.len()),
            (patterns, LogOrder::Unordered) => {
                write!(f, "log {} patterns in any order", patterns.len())
            }
        }
    }
}
