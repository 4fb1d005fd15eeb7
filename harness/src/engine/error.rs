//! Why there is no engine.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use plimsoll_reaper::{Address, ReaperError};
use testcontainers::bollard;

use super::candidates::{Origin, SettingError};

use crate::failure::debug_by_message;

/// The engine cannot be used.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// What `DOCKER_HOST`, a context or a configuration file says makes no sense.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// No engine answers where one may be.
    #[error("find a container engine; tried{}", Tried(.0))]
    NotFound(Vec<Attempt>),
    /// There is no thread to be had.
    #[error("start the thread that talks to the container engine")]
    Thread(#[source] Arc<io::Error>),
    /// What would clean up after a process that is killed is not there, so nothing is created.
    #[error(transparent)]
    Reaper(Arc<ReaperError>),
    /// testcontainers, which looks for an engine by itself, has found another.
    #[error(
        "use testcontainers on {engine}: it looks for an engine by DOCKER_HOST alone and has found \
         {other}; set DOCKER_HOST"
    )]
    Testcontainers {
        /// The engine that is used here.
        engine: String,
        /// What testcontainers has found.
        other: String,
    },
}

debug_by_message!(EngineError);

/// An engine that was tried.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// Where it should be.
    pub address: Address,
    /// Who says so.
    pub origin: Origin,
    /// Why it cannot be used.
    pub reason: String,
}

struct Tried<'a>(&'a [Attempt]);

impl fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Attempt { address, origin, reason } in self.0 {
            write!(f, "\n  {address} ({origin}): {reason}")?;
        }
        f.write_str("\nstart an engine, or set DOCKER_HOST to where it listens")
    }
}

const NO_SOCKET: &str = "there is no such socket";

/// An error of the engine's client in one line; its own chain repeats itself.
pub(super) fn reason(error: &(dyn Error + 'static)) -> String {
    let mut deepest = error;
    loop {
        if let Some(bollard::errors::Error::SocketNotFoundError(_)) = deepest.downcast_ref() {
            return NO_SOCKET.to_owned();
        }
        if let Some(error) = deepest.downcast_ref::<io::Error>() {
            match error.kind() {
                io::ErrorKind::PermissionDenied => {
                    return "permission denied; is this user in the group `docker`?".to_owned();
                }
                io::ErrorKind::ConnectionRefused => return "nobody listens there".to_owned(),
                io::ErrorKind::NotFound => return NO_SOCKET.to_owned(),
                _ => {}
            }
        }
        match deepest.source() {
            Some(source) => deepest = source,
            None => return deepest.to_string(),
        }
    }
}
