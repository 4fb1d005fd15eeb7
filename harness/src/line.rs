//! One line of a container's output.

use std::borrow::Cow;
use std::fmt;

use crate::lines;

/// One of the two streams of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogSource {
    /// Standard output. A container with a terminal has no other.
    Stdout,
    /// Standard error.
    Stderr,
}

/// The streams a pattern looks at.
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
    /// Whether it looks at this source.
    #[must_use]
    pub fn includes(self, source: LogSource) -> bool {
        match self {
            Self::Either => true,
            Self::Stdout => source == LogSource::Stdout,
            Self::Stderr => source == LogSource::Stderr,
        }
    }
}

impl fmt::Display for LogSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        })
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

/// One line, without its line end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// The stream it was written to.
    pub source: LogSource,
    /// The line without escape sequences and without the carriage returns at its end; not
    /// always UTF-8.
    pub bytes: Vec<u8>,
    /// The line as it was written, where that is something else.
    raw: Option<Box<[u8]>>,
}

impl LogLine {
    /// A line as it was written, without its newline.
    ///
    /// ```
    /// use plimsoll_harness::{LogLine, LogSource};
    ///
    /// let line = LogLine::new(LogSource::Stdout, b"\x1b[32mready\x1b[0m\r");
    /// assert_eq!(line.text(), "ready");
    /// assert_eq!(line.raw(), b"\x1b[32mready\x1b[0m\r");
    /// ```
    pub fn new(source: LogSource, raw: impl Into<Vec<u8>>) -> Self {
        let raw = raw.into();
        match lines::plain(&raw) {
            Some(bytes) => Self { source, bytes, raw: Some(raw.into_boxed_slice()) },
            None => Self { source, bytes: raw, raw: None },
        }
    }

    /// The line as text, with what is not UTF-8 replaced.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }

    /// The line as it was written: escape sequences, carriage returns and all.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        self.raw.as_deref().unwrap_or(&self.bytes)
    }

    /// What it takes of the memory, roughly.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>() + self.bytes.len() + self.raw.as_ref().map_or(0, |raw| raw.len())
    }
}

/// The last lines of both streams, as errors show them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogTail {
    /// The last lines of standard output.
    pub stdout: Vec<String>,
    /// The last lines of standard error.
    pub stderr: Vec<String>,
    /// Whether the container has a terminal, so that both streams came as one.
    pub terminal: bool,
}

impl fmt::Display for LogTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stdout, stderr, terminal } = self;
        let streams: &[_] = if *terminal {
            &[("stdout and stderr (merged by the terminal)", stdout)]
        } else {
            &[("stdout", stdout), ("stderr", stderr)]
        };
        for (name, lines) in streams {
            if lines.is_empty() {
                write!(f, "\n{name}: nothing")?;
            } else {
                write!(f, "\n{name}, last lines:")?;
            }
            for line in *lines {
                write!(f, "\n    {line}")?;
            }
        }
        Ok(())
    }
}
