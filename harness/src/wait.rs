//! What to wait for.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::handle::ContainerHandle;
use crate::log_wait::LogWait;
use crate::matcher::{LogMatcher, PatternError};

mod command;
mod error;
mod health;
mod http;
mod logs;
mod probe;
mod race;
mod state;
mod tcp;

pub use command::ExecWait;
pub use error::{PortAddresses, WaitError};
pub use http::{HttpWait, StatusRange};
pub(crate) use race::run;
pub use state::ConditionState;
pub(crate) use tcp::connect;

/// How long a wait lasts unless it says otherwise.
pub(crate) const DEFAULT_DEADLINE: Duration = Duration::from_secs(60);

/// Something to wait for, and how long. Plain data: it can be kept in a definition, cloned and
/// used any number of times.
///
/// Whatever is waited for, the exit of the container ends the wait at once.
///
/// ```
/// use std::time::Duration;
/// use plimsoll_harness::{Condition, HttpWait, LogWait, Wait};
///
/// let ready = Condition::all([
///     LogWait::stderr("Listening at").into(),
///     HttpWait::get("/health").port(8000).into(),
/// ])
/// .within(Duration::from_secs(20));
/// let simply: Wait = LogWait::stdout("ready").into();
/// assert_eq!(simply.within, Duration::from_secs(60));
/// # let _ = ready;
/// ```
#[derive(Clone, Debug)]
pub struct Wait {
    /// What has to be so.
    pub condition: Condition,
    /// How long to wait for all of it; 60 seconds unless said otherwise.
    pub within: Duration,
}

impl Wait {
    /// Sets the deadline.
    #[must_use]
    pub fn within(mut self, deadline: Duration) -> Self {
        self.within = deadline;
        self
    }
}

impl Wait {
    /// What is wrong with its patterns, before there is a container.
    pub(crate) fn check(&self, node: &str) -> Result<(), WaitError> {
        let checked = self.condition.check();
        checked.map_err(|source| WaitError::Pattern { node: node.to_owned(), source })
    }
}

impl<C: Into<Condition>> From<C> for Wait {
    fn from(condition: C) -> Self {
        Self { condition: condition.into(), within: DEFAULT_DEADLINE }
    }
}

impl From<&Self> for Wait {
    fn from(wait: &Self) -> Self {
        wait.clone()
    }
}

/// What has to be so for a wait to be over.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Condition {
    /// Lines have been written.
    Log(LogWait),
    /// A request is answered as it should.
    Http(HttpWait),
    /// Something accepts connections at this TCP port of the container, published or not.
    ///
    /// Where the engine's bridge is on this machine, the container itself is asked. Elsewhere
    /// the port has to be published; then a connection counts that is not closed at once,
    /// because the engine's proxy accepts before the container does. Either way the service
    /// sees a connection that says nothing and is closed.
    Port(u16),
    /// The image's or the container's health check succeeds. While it fails it may still come
    /// to succeed, so that does not end the wait.
    Healthcheck,
    /// A command in the container succeeds. It is run again until it does.
    Exec(ExecWait),
    /// The container exits with this code: a wait for one that does its work and ends.
    Exit(i64),
    /// A function says so.
    Until(Until),
    /// All of these are so.
    All(Vec<Self>),
    /// One of these is so.
    Any(Vec<Self>),
}

impl Condition {
    fn check(&self) -> Result<(), PatternError> {
        match self {
            Self::Log(wait) => LogMatcher::new(wait).map(drop),
            Self::Http(wait) => wait.clone().compile().map(drop),
            Self::All(parts) | Self::Any(parts) => parts.iter().try_for_each(Self::check),
            Self::Port(_) | Self::Healthcheck | Self::Exec(_) | Self::Exit(_) | Self::Until(_) => {
                Ok(())
            }
        }
    }

    /// All of these, with one deadline.
    pub fn all(conditions: impl IntoIterator<Item = Self>) -> Self {
        Self::All(conditions.into_iter().collect())
    }

    /// One of these, with one deadline.
    pub fn any(conditions: impl IntoIterator<Item = Self>) -> Self {
        Self::Any(conditions.into_iter().collect())
    }

    /// A function that is called again, with pauses that grow from 5 to 250 milliseconds, until
    /// it returns `Ok`. The last error is shown if the wait fails.
    ///
    /// It runs on the thread that talks to the engine, so it must not block.
    ///
    /// ```
    /// use plimsoll_harness::{Condition, ContainerHandle};
    ///
    /// let migrated = Condition::until("the database is migrated", |web: ContainerHandle| async move {
    ///     web.exec(["manage", "migrate", "--check"]).await?.success()?;
    ///     Ok(())
    /// });
    /// # let _ = migrated;
    /// ```
    pub fn until<F, Fut>(what: impl Into<String>, check: F) -> Self
    where
        F: Fn(ContainerHandle) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        let check = move |handle| -> Checking { Box::pin(check(handle)) };
        Self::Until(Until { what: what.into(), check: Arc::new(check) })
    }

    /// Sets the deadline.
    #[must_use]
    pub fn within(self, deadline: Duration) -> Wait {
        Wait::from(self).within(deadline)
    }
}

impl From<LogWait> for Condition {
    fn from(wait: LogWait) -> Self {
        Self::Log(wait)
    }
}

impl From<HttpWait> for Condition {
    fn from(wait: HttpWait) -> Self {
        Self::Http(wait)
    }
}

impl From<ExecWait> for Condition {
    fn from(wait: ExecWait) -> Self {
        Self::Exec(wait)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(wait) => wait.fmt(f),
            Self::Http(wait) => wait.fmt(f),
            Self::Port(port) => write!(f, "port {port} accepts connections"),
            Self::Healthcheck => f.write_str("health check succeeds"),
            Self::Exec(wait) => wait.fmt(f),
            Self::Exit(code) => write!(f, "exit with code {code}"),
            Self::Until(until) => f.write_str(&until.what),
            Self::All(_) => f.write_str("all of"),
            Self::Any(_) => f.write_str("one of"),
        }
    }
}

/// An error of a [`Condition::until`] that asking again cannot heal: it ends the wait.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Hopeless(pub(crate) String);

type Checking =
    Pin<Box<dyn Future<Output = Result<(), Box<dyn std::error::Error + Send + Sync>>> + Send>>;

/// A function that says whether the wait is over; see [`Condition::until`].
#[derive(Clone)]
pub struct Until {
    what: String,
    check: Arc<dyn Fn(ContainerHandle) -> Checking + Send + Sync>,
}

impl fmt::Debug for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Until").field("what", &self.what).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
