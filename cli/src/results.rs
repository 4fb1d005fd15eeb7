//! Results: what a command that writes came to, of all its images.

use plimsoll_registry::{CopyPlan, CopyReport, Outcome, Plan, Report, SCHEMA};
use serde::Serialize;

use crate::args::{Format, OutputArgs};
use crate::event::Event;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::github;
use crate::output::{Output, json};
use crate::text;

/// As `--output json` prints it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Results {
    schema: u32,
    /// When nothing was to be copied, or nothing might be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) copy_plan: Option<CopyPlan>,
    /// When nothing was to be tagged, or nothing might be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) plans: Vec<Plan>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) copy: Option<CopyReport>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) reports: Vec<Report>,
    pub(crate) errors: Vec<Failure>,
}

impl Default for Results {
    fn default() -> Self {
        Self {
            schema: SCHEMA,
            copy_plan: None,
            plans: Vec::new(),
            copy: None,
            reports: Vec::new(),
            errors: Vec::new(),
        }
    }
}

impl Results {
    /// What was planned, and what forbids it.
    pub(crate) fn planned(plans: Vec<Plan>, errors: Vec<Failure>) -> Self {
        Self { plans, errors, ..Self::default() }
    }

    /// What ended the command before anything was planned.
    pub(crate) fn failed(errors: Vec<Failure>) -> Self {
        Self { errors, ..Self::default() }
    }

    /// What is printed of it, and told to GitHub Actions.
    pub(crate) fn printed(self, options: &OutputArgs) -> Output {
        printed(&[self], options)
    }

    fn text(&self) -> String {
        let Self { schema: _, copy_plan, plans, copy, reports, errors } = self;
        if copy.is_none() && reports.is_empty() && !errors.is_empty() {
            // What would have been done is beside the point of a conflict.
            return String::new();
        }
        let mut text = copy_plan.as_ref().map(text::copy_plan).unwrap_or_default();
        match copy {
            None => text.extend(reports.iter().map(text::report)),
            Some(copy) => {
                for destination in &copy.destinations {
                    text += &text::destination(destination);
                    let released = reports.iter().find(|own| own.repository == destination.name);
                    let released = released.map(text::report).unwrap_or_default();
                    // Its first line names the destination once more.
                    text.extend(released.lines().skip(1).map(|line| format!("{line}\n")));
                }
            }
        }
        text.extend(plans.iter().map(text::plan));
        text
    }

    /// Whether a tag was written, or may have been. Blobs without one are no change.
    fn has_changes(&self) -> bool {
        let copied = self.copy.iter().flat_map(|copy| &copy.destinations);
        let mut copied = copied.flat_map(|destination| &destination.tags);
        let mut released = self.reports.iter().flat_map(|report| &report.tags);
        copied.any(|tag| tag.target.is_some() && tag.now.digest() == tag.target.as_ref())
            || released.any(|tag| match &tag.outcome {
                Outcome::Created | Outcome::Moved | Outcome::Stranded { .. } => true,
                Outcome::Failed { .. } => tag.now != tag.before,
                _ => false,
            })
    }
}

/// What is printed of the results of one run.
pub(crate) fn printed(all: &[Results], options: &OutputArgs) -> Output {
    let stdout = match options.output {
        Format::Json => all.iter().map(json).collect(),
        Format::Text if options.quiet => String::new(),
        Format::Text => all.iter().map(Results::text).collect(),
    };
    let errors = all.iter().flat_map(|results| &results.errors);
    let code = match errors.clone().next() {
        None => ExitCode::Success,
        Some(_) if all.iter().any(Results::has_changes) => ExitCode::Partial,
        Some(error) => error.exit_code,
    };
    let warnings = github::tell(all).into_iter().map(|message| Event::Warning { message });
    let events = warnings.chain(errors.cloned().map(Event::Error)).collect();
    Output { stdout, events, code }
}
