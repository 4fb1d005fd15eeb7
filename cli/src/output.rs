//! Output: made whole first, written in one place.

use std::io::{self, Write as _};

use serde::Serialize;

use crate::console::Console;
use crate::event::Event;
use crate::exit_code::ExitCode;
use crate::failure::Failure;

/// What a command prints in the end, and how it ends.
pub(crate) struct Output {
    /// The result.
    pub(crate) stdout: String,
    /// Notes, warnings and errors.
    pub(crate) events: Vec<Event>,
    /// How the command ends.
    pub(crate) code: ExitCode,
}

impl Output {
    /// A result that there is nothing to say about.
    pub(crate) fn success(stdout: String) -> Self {
        Self { stdout, events: Vec::new(), code: ExitCode::Success }
    }

    /// Prints it. A reader that went away early (`| head`) is no error.
    pub(crate) fn print(self, console: &Console) -> ExitCode {
        let Self { stdout, events, mut code } = self;
        console.clear();
        let written = io::stdout().write_all(stdout.as_bytes());
        console.tell_all(events);
        match written.and_then(|()| io::stdout().flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                let failure = Failure::local(format!("failed to write the result: {error}"));
                // What was done was done; its own failure says more than this one.
                if code == ExitCode::Success {
                    code = failure.exit_code;
                }
                console.tell(&Event::Error(failure));
            }
            _ => {}
        }
        console.tell(&Event::Finished { exit_code: code as u8 });
        code
    }
}

impl From<Failure> for Output {
    fn from(failure: Failure) -> Self {
        let code = failure.exit_code;
        Self { stdout: String::new(), events: vec![Event::Error(failure)], code }
    }
}

/// Indented JSON with a line end.
pub(crate) fn json(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("our own types are JSON");
    text.push('\n');
    text
}
