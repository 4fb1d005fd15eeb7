//! Asking the engine about a container.

use std::future::Future;

use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error;

use crate::container::Container;
use crate::ending::Exit;
use crate::engine::{Engine, EngineError};
use crate::failure::debug_by_message;
use crate::line::LogTail;
use crate::request::RequestError;
use crate::wait::WaitError;

/// Something that could not be looked at.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ObserveError {
    /// There is no engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The engine refuses a request about a container.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// Its end could not be waited for.
    #[error(transparent)]
    Wait(#[from] WaitError),
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
    /// The container has ended, and there is nothing to look at.
    #[error("look at {what}: it is not running, it exited with {exit}{tail}")]
    NotRunning {
        /// What was asked for.
        what: String,
        /// How it ended.
        exit: Exit,
        /// The last lines of both streams.
        tail: Box<LogTail>,
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

debug_by_message!(ObserveError);

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

/// The number of the container's main process on the engine's machine, if it runs.
pub(crate) async fn main_pid(container: &Container, what: &str) -> Result<u32, ObserveError> {
    let state = container.inspect().await?.state.unwrap_or_default();
    let pid = state.pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid != 0);
    pid.ok_or_else(|| ObserveError::NotRunning {
        what: what.to_owned(),
        exit: Exit {
            code: state.exit_code.unwrap_or_default(),
            oom_killed: state.oom_killed.unwrap_or_default(),
        },
        tail: Box::new(container.tail()),
    })
}

/// What a refusal means.
pub(crate) fn refused(what: &str, source: Error) -> ObserveError {
    let what = what.to_owned();
    match source {
        Error::DockerResponseServerError { status_code: 404, .. } => ObserveError::Absent { what },
        source => ObserveError::Refused { what, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status_code: u16, message: &str) -> Error {
        Error::DockerResponseServerError { status_code, message: message.to_owned() }
    }

    #[test]
    fn a_refusal_names_what_was_asked_for() {
        let absent = refused("image `web:1`", said(404, "No such image: web:1"));
        insta::assert_snapshot!(absent, @"look at image `web:1`: there is none");
        let refusal = refused("the end of `web` by SIGTRM", said(400, "Invalid signal: SIGTRM"));
        insta::assert_snapshot!(refusal, @"look at the end of `web` by SIGTRM");
        let cause = std::error::Error::source(&refusal).map(ToString::to_string);
        insta::assert_snapshot!(
            cause.unwrap_or_default(),
            @"Docker responded with status code 400: Invalid signal: SIGTRM"
        );
    }

    #[test]
    fn what_has_ended_says_how() {
        let tail = LogTail { stderr: vec!["no SECRET_KEY".to_owned()], ..LogTail::default() };
        let error = ObserveError::NotRunning {
            what: "the processes of `web`".to_owned(),
            exit: Exit { code: 137, oom_killed: true },
            tail: Box::new(tail),
        };
        insta::assert_snapshot!(error, @r"
        look at the processes of `web`: it is not running, it exited with code 137 (SIGKILL; out of memory)
        stdout: nothing
        stderr, last lines:
            no SECRET_KEY
        ");
    }
}
