//! Failures: what a person reads when the command cannot do its job.

use std::error::Error;
use std::io;

use serde::Serialize;

use crate::exit_code::ExitCode;
use plimsoll_registry::{
    ApplyError, Blame, Conflict, CopyConflict, CopyError, CopyFailure, ObserveError, Plan,
    StoreError,
};

/// One line of error, one of remedy, and the exit code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Failure {
    /// What failed, with its causes.
    pub(crate) message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<String>,
    /// How the command ends.
    #[serde(serialize_with = "as_number")]
    pub(crate) exit_code: ExitCode,
}

fn as_number<S: serde::Serializer>(code: &ExitCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u8(*code as u8)
}

impl Failure {
    /// A wrong command line.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), remedy: None, exit_code: ExitCode::Usage }
    }

    /// Something of this machine.
    pub(crate) fn local(message: impl Into<String>) -> Self {
        Self { message: message.into(), remedy: None, exit_code: ExitCode::Local }
    }

    /// A file of this machine that could not be read or written, as `attempt` says.
    pub(crate) fn of_file(attempt: &str, error: &io::Error) -> Self {
        let failure = Self::local(format!("failed to {attempt}: {error}"));
        let remedy = match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                "check the path; a relative one starts at the working directory"
            }
            io::ErrorKind::IsADirectory => "name a file in it",
            io::ErrorKind::PermissionDenied => "give this user the right to, or name another file",
            io::ErrorKind::ReadOnlyFilesystem => "name a file in a writable directory",
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "free some space and run it again"
            }
            _ => return failure,
        };
        failure.with_remedy(remedy)
    }

    /// An error with its causes, as one line that says what failed.
    pub(crate) fn of(error: &(dyn Error + 'static), exit_code: ExitCode) -> Self {
        Self { message: chain(error), remedy: None, exit_code }
    }

    /// Adds what to do about it.
    #[must_use]
    pub(crate) fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// What is printed on stderr.
    #[must_use]
    pub(crate) fn text(&self) -> String {
        let Self { message, remedy, exit_code: _ } = self;
        let mut text = format!("error: {}\n", one_line(message));
        if let Some(remedy) = remedy {
            text += &format!("  try: {}\n", one_line(remedy));
        }
        text
    }
}

/// What a server sends may hold anything; on a terminal and in a CI log it is one plain line.
///
/// GitHub's runner obeys `##[` wherever it stands, and `::` only where a line begins, which no
/// line of ours does.
pub(crate) fn one_line(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.replace("##[", "## [")
}

fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = format!("failed to {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

/// An error whose layer says who has to act, and perhaps what to do.
fn of_blame(error: &(dyn Error + 'static), blame: Blame, remedy: Option<&str>) -> Failure {
    let failure = Failure::of(error, blame.into());
    match remedy {
        Some(remedy) => failure.with_remedy(remedy),
        None => failure,
    }
}

/// What forbids `plan`.
pub(crate) fn conflicts(plan: &Plan) -> impl Iterator<Item = Failure> {
    let failure = |conflict: &Conflict| Failure {
        message: format!("cannot tag {}: {conflict}", plan.repository),
        remedy: Some(conflict.remedy().to_owned()),
        exit_code: ExitCode::Conflict,
    };
    plan.conflicts.iter().map(failure)
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        of_blame(&error, error.blame(), error.remedy())
    }
}

impl From<&ObserveError> for Failure {
    fn from(error: &ObserveError) -> Self {
        match error {
            ObserveError::Store(store) => of_blame(error, store.blame(), store.remedy()),
            _ => Self::of(error, ExitCode::NotFound).with_remedy(
                "push the image first, or name what to tag: IMAGE:TAG or IMAGE@DIGEST",
            ),
        }
    }
}

impl From<&ApplyError> for Failure {
    fn from(error: &ApplyError) -> Self {
        match error {
            ApplyError::Refused { conflict, .. } => {
                Self::of(error, ExitCode::Conflict).with_remedy(conflict.remedy())
            }
            ApplyError::Unreadable { source: Some(store), .. } | ApplyError::Step(store) => {
                of_blame(error, store.blame(), store.remedy())
            }
            ApplyError::Unreadable { source: None, .. } => Self::of(error, ExitCode::NotFound),
            _ => Self::of(error, ExitCode::Partial),
        }
    }
}

impl From<&CopyError> for Failure {
    fn from(error: &CopyError) -> Self {
        of_blame(error, error.blame(), error.remedy())
    }
}

impl From<&CopyConflict> for Failure {
    fn from(conflict: &CopyConflict) -> Self {
        Self::of(conflict, ExitCode::Conflict).with_remedy(conflict.remedy())
    }
}

impl From<&CopyFailure> for Failure {
    fn from(failure: &CopyFailure) -> Self {
        of_blame(failure, failure.blame(), failure.remedy())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_stays_on_one_line() {
        let failure =
            Failure::local("a\n::set-output name=x::\u{1b}[31m").with_remedy("b\r\n##[x]");
        assert_eq!(failure.text(), "error: a ::set-output name=x:: [31m\n  try: b  ## [x]\n");
    }
}
