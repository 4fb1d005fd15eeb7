//! Output: made whole first, written in one place.

use std::io::{self, Write as _};

use serde::Serialize;

use crate::exit_code::ExitCode;
use crate::failure::Failure;

/// What a command prints and how it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The result.
    pub stdout: String,
    /// Errors and notes.
    pub stderr: String,
    /// How the command ends.
    pub code: ExitCode,
}

impl Output {
    /// Prints it. A reader that went away early (`| head`) is no error.
    pub(crate) fn print(&self) -> ExitCode {
        let written = io::stdout().write_all(self.stdout.as_bytes());
        let _ = io::stderr().write_all(self.stderr.as_bytes());
        match written.and_then(|()| io::stdout().flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                let failure = Failure::local(format!("failed to write the result: {error}"));
                let _ = io::stderr().write_all(failure.text().as_bytes());
                // What was done was done; its own failure says more than this one.
                if self.code == ExitCode::Success { failure.exit_code } else { self.code }
            }
            _ => self.code,
        }
    }
}

impl From<Failure> for Output {
    fn from(failure: Failure) -> Self {
        Self { stdout: String::new(), stderr: failure.text(), code: failure.exit_code }
    }
}

/// Indented JSON with a line end.
pub(crate) fn json(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("our own types are JSON");
    text.push('\n');
    text
}
