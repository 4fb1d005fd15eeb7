//! How the engine finds out whether a container is healthy.

use std::time::Duration;

use testcontainers::bollard::models::HealthConfig;

/// A health check that replaces the image's own.
///
/// ```
/// use std::time::Duration;
/// use plimsoll_harness::Healthcheck;
///
/// let check = Healthcheck::command(["pg_isready", "-q"]).every(Duration::from_millis(200));
/// assert_eq!(check.test, ["CMD", "pg_isready", "-q"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Healthcheck {
    /// The test in the words of the engine: `CMD` and a command, `CMD-SHELL` and a line, or
    /// `NONE`.
    pub test: Vec<String>,
    /// Time between two checks; 30 seconds if the engine is left to decide, and never less than
    /// one millisecond.
    pub interval: Option<Duration>,
    /// How long one check may take; 30 seconds if the engine is left to decide.
    pub timeout: Option<Duration>,
    /// Time after the start in which failures do not count.
    pub start_period: Option<Duration>,
    /// How many failures in a row make it unhealthy; 3 if the engine is left to decide.
    pub retries: Option<u32>,
}

impl Healthcheck {
    /// A command, run without a shell; exit code 0 is healthy.
    pub fn command<S: Into<String>>(words: impl IntoIterator<Item = S>) -> Self {
        Self::of(["CMD".to_owned()].into_iter().chain(words.into_iter().map(Into::into)))
    }

    /// A line for the container's shell; exit code 0 is healthy.
    pub fn shell(line: impl Into<String>) -> Self {
        Self::of(["CMD-SHELL".to_owned(), line.into()])
    }

    /// No check, even if the image has one.
    #[must_use]
    pub fn none() -> Self {
        Self::of(["NONE".to_owned()])
    }

    /// Sets the time between two checks.
    #[must_use]
    pub fn every(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    fn of(test: impl IntoIterator<Item = String>) -> Self {
        let test = test.into_iter().collect();
        Self { test, interval: None, timeout: None, start_period: None, retries: None }
    }

    pub(crate) fn api(&self) -> HealthConfig {
        let nanoseconds = |time: Option<Duration>| {
            time.map(|time| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX))
        };
        HealthConfig {
            test: Some(self.test.clone()),
            interval: nanoseconds(self.interval),
            timeout: nanoseconds(self.timeout),
            start_period: nanoseconds(self.start_period),
            retries: self.retries.map(i64::from),
            start_interval: None,
        }
    }
}
