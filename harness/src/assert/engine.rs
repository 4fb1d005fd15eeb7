//! Asking the engine about a container.

use std::future::Future;

use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error;

use crate::container::Container;
use crate::engine::{Engine, EngineError};
use crate::request::RequestError;

/// Something that could not be looked at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObserveError {
    /// There is no engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The engine refuses a request about a container.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The engine refuses.
    #[error("look at {what}")]
    Refused {
        /// What was asked for.
        what: String,
        /// What the engine said.
        source: Error,
    },
    /// It is not there.
    #[error("look at {what}: there is none")]
    Absent {
        /// What was asked for.
        what: String,
    },
    /// The engine answered, and the answer is not what it should be.
    #[error("look at {what}: {reason}")]
    Unusable {
        /// What was asked for.
        what: String,
        /// What is wrong, and what to do about it.
        reason: String,
    },
}

impl ObserveError {
    pub(crate) fn unusable(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Unusable { what: what.into(), reason: reason.into() }
    }
}

/// Makes a request about a container, given the engine's client and the container's id.
pub(crate) async fn ask<F, Fut, T>(
    container: &Container,
    what: &str,
    request: F,
) -> Result<T, ObserveError>
where
    F: FnOnce(Docker, String) -> Fut,
    Fut: Future<Output = Result<T, Error>> + Send + 'static,
    T: Send + 'static,
{
    let id = container.id().to_owned();
    let engine = Engine::connect()?;
    engine.call(|docker| request(docker, id)).await.map_err(|source| refused(what, source))
}

/// What a refusal means.
pub(crate) fn refused(what: &str, source: Error) -> ObserveError {
    let what = what.to_owned();
    match source {
        Error::DockerResponseServerError { status_code: 404, .. } => ObserveError::Absent { what },
        source => ObserveError::Refused { what, source },
    }
}
