//! Output: made whole first, written in one place.

use std::io::{self, Write as _};

use plimsoll_registry::{Plan, Report, SCHEMA};
use serde::Serialize;

use crate::args::{Format, OutputArgs};
use crate::batch::Planned;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::text;

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

/// What a release came to, of all its images.
#[derive(Default)]
pub(crate) struct Results {
    /// When nothing was to be written, or nothing might be.
    pub(crate) plans: Option<Vec<Plan>>,
    /// When something was tried.
    pub(crate) reports: Option<Vec<Report>>,
    pub(crate) errors: Vec<Failure>,
}

/// [`Results`] as `--output json` prints them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Json<'j> {
    schema: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    plans: Option<&'j [Plan]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reports: Option<&'j [Report]>,
    errors: &'j [Failure],
}

impl Results {
    pub(crate) fn plans(planned: Vec<Planned>) -> Self {
        let plans = planned.into_iter().map(|planned| planned.plan).collect();
        Self { plans: Some(plans), ..Self::default() }
    }

    pub(crate) fn printed(&self, options: &OutputArgs) -> Output {
        let Self { plans, reports, errors } = self;
        let (plans, reports) = (plans.as_deref(), reports.as_deref());
        let stdout = match options.output {
            Format::Json => json(&Json { schema: SCHEMA, plans, reports, errors }),
            Format::Text if options.quiet => String::new(),
            // What would have been done is beside the point of a conflict.
            Format::Text if plans.is_some() && !errors.is_empty() => String::new(),
            Format::Text => {
                let plans = plans.unwrap_or_default().iter().map(text::plan);
                plans.chain(reports.unwrap_or_default().iter().map(text::report)).collect()
            }
        };
        let stderr = errors.iter().map(Failure::text).collect();
        let code = errors.first().map_or(ExitCode::Success, |error| error.exit_code);
        Output { stdout, stderr, code }
    }
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
