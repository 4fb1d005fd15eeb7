//! Waiting for a command to succeed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Wait;
use super::state::Note;
use crate::backoff::Backoff;
use crate::exec::ExecOutput;
use crate::handle::ContainerHandle;

/// A command that is run in the container until it succeeds, without a shell.
///
/// ```
/// use plimsoll_harness::ExecWait;
///
/// let accepts = ExecWait::new(["pg_isready", "-q"]).user("postgres");
/// let primary = ExecWait::new(["psql", "-qtAc", "select pg_is_in_recovery()"])
///     .until("it is the primary", |output| output.stdout_text().trim() == "f");
/// # let _ = (accepts, primary);
/// ```
#[derive(Clone)]
pub struct ExecWait {
    cmd: Vec<String>,
    user: Option<String>,
    expected: Option<Expected>,
}

#[derive(Clone)]
struct Expected {
    what: String,
    holds: Arc<dyn Fn(&ExecOutput) -> bool + Send + Sync>,
}

impl ExecWait {
    /// Waits until the command exits with code 0.
    pub fn new<S: Into<String>>(cmd: impl IntoIterator<Item = S>) -> Self {
        Self { cmd: cmd.into_iter().map(Into::into).collect(), user: None, expected: None }
    }

    /// Runs it as this user, `name`, `uid` or either with `:group`.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Waits until this holds for what it wrote and how it exited, whatever the exit code.
    #[must_use]
    pub fn until(
        mut self,
        what: impl Into<String>,
        holds: impl Fn(&ExecOutput) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.expected = Some(Expected { what: what.into(), holds: Arc::new(holds) });
        self
    }

    /// Sets the deadline.
    #[must_use]
    pub fn within(self, deadline: Duration) -> Wait {
        Wait::from(self).within(deadline)
    }

    fn is_met_by(&self, output: &ExecOutput) -> bool {
        self.expected.as_ref().map_or(output.code == 0, |expected| (expected.holds)(output))
    }
}

impl fmt::Debug for ExecWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cmd, user, expected } = self;
        let expected = expected.as_ref().map(|expected| &expected.what);
        f.debug_struct("ExecWait")
            .field("cmd", cmd)
            .field("user", user)
            .field("expected", &expected)
            .finish()
    }
}

impl fmt::Display for ExecWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expected = self.expected.as_ref().map_or("exits with code 0", |until| &until.what);
        write!(f, "command `{}`: {expected}", self.cmd.join(" "))
    }
}

pub(crate) async fn watch(handle: &ContainerHandle, wait: &ExecWait, note: &Note) {
    let mut backoff = Backoff::new();
    loop {
        let mut exec = handle.exec(wait.cmd.iter().cloned());
        if let Some(user) = &wait.user {
            exec = exec.user(user);
        }
        match exec.await {
            Ok(output) if wait.is_met_by(&output) => return,
            Ok(output) => note.saw(output.summary()),
            Err(error) => match std::error::Error::source(&error) {
                Some(cause) => note.saw(format_args!("failed to {error}: {cause}")),
                None => note.saw(format_args!("failed to {error}")),
            },
        }
        backoff.pause().await;
    }
}
