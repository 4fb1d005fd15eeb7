//! Failures: what a person reads when the command cannot do its job.

use std::error::Error;

use serde::Serialize;

use crate::exit_code::ExitCode;
use plimsoll_registry::{ApplyError, Conflict, ObserveError, StoreError};

/// One line of error, one of remedy, and the exit code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// What failed, with its causes.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// How the command ends.
    #[serde(serialize_with = "as_number")]
    pub exit_code: ExitCode,
}

fn as_number<S: serde::Serializer>(code: &ExitCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u8(*code as u8)
}

impl Failure {
    /// A wrong command line.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), remedy: None, exit_code: ExitCode::Usage }
    }

    /// Something of this machine.
    pub fn local(message: impl Into<String>) -> Self {
        Self { message: message.into(), remedy: None, exit_code: ExitCode::Local }
    }

    /// An error with its causes, as one line that says what failed.
    pub fn of(error: &(dyn Error + 'static), exit_code: ExitCode) -> Self {
        Self { message: chain(error), remedy: None, exit_code }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// What is printed on stderr.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { message, remedy, exit_code: _ } = self;
        let mut text = format!("error: {}\n", one_line(message));
        if let Some(remedy) = remedy {
            text += &format!("  try: {}\n", one_line(remedy));
        }
        text
    }
}

/// What a server sends may hold anything; on a terminal and in a CI log it is one plain line.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
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

fn of_store(error: &(dyn Error + 'static), store: &StoreError) -> Failure {
    let failure = Failure::of(error, store.blame().into());
    match store.remedy() {
        Some(remedy) => failure.with_remedy(remedy),
        None => failure,
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        of_store(&error, &error)
    }
}

impl From<&ObserveError> for Failure {
    fn from(error: &ObserveError) -> Self {
        match error {
            ObserveError::Store(store) => of_store(error, store),
            _ => Self::of(error, ExitCode::NotFound).with_remedy(
                "push the image first, or name what to tag: IMAGE:TAG or IMAGE@DIGEST",
            ),
        }
    }
}

impl From<&ApplyError> for Failure {
    /// With the exit code for a run that changed nothing; a run that did ends with
    /// [`ExitCode::Partial`].
    fn from(error: &ApplyError) -> Self {
        match error {
            ApplyError::Refused { conflict, .. } => of_conflict(error, conflict),
            ApplyError::Unreadable { source: Some(store), .. } | ApplyError::Step(store) => {
                of_store(error, store)
            }
            ApplyError::Unreadable { source: None, .. } => Self::of(error, ExitCode::NotFound),
            _ => Self::of(error, ExitCode::Partial),
        }
    }
}

fn of_conflict(error: &(dyn Error + 'static), conflict: &Conflict) -> Failure {
    Failure::of(error, ExitCode::Conflict).with_remedy(conflict.remedy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_stays_on_one_line() {
        let failure = Failure::local("a\n::set-output name=x::\u{1b}[31m").with_remedy("b\r\nc");
        assert_eq!(failure.text(), "error: a ::set-output name=x:: [31m\n  try: b  c\n");
    }
}
