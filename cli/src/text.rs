//! Text: plans and reports for people, one tag a line.

use std::fmt::Write as _;

use plimsoll_registry::{
    Digest, Guard, Joined, Outcome, Plan, Previous, Report, SkipReason, Tag, TagReport,
};

/// Whether the writing has been done or would be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tense {
    Done,
    Would,
}

/// A plan, as `--dry-run` prints it.
#[must_use]
pub fn plan(plan: &Plan) -> String {
    let mut text = block(&Report::of(plan), Tense::Would);
    for conflict in &plan.conflicts {
        // Infallible: writing to a String.
        let _ = writeln!(text, "  conflict: {conflict}");
    }
    text
}

/// A report.
#[must_use]
pub fn report(report: &Report) -> String {
    block(report, Tense::Done)
}

fn block(report: &Report, tense: Tense) -> String {
    let width = report.tags.iter().map(|tag| tag.tag.as_str().len()).max().unwrap_or(0);
    let mut text = format!("{}\n", report.repository);
    if report.guard == Guard::Off {
        text += "  guard off: whether newer versions exist was not looked at\n";
    }
    for tag in &report.tags {
        let _ = writeln!(text, "  {:width$}  {}", tag.tag, fate(tag, tense));
    }
    text
}

fn fate(tag: &TagReport, tense: Tense) -> String {
    let from_to = |verb: &str| {
        let from = match &tag.before {
            Previous::At(digest) => format!("{} -> ", digest.short()),
            _ => String::new(),
        };
        let to = tag.target.as_ref().map(Digest::short).unwrap_or_default();
        format!("{from}{to}  {verb}{}", to_newer(tag))
    };
    match (&tag.outcome, tense) {
        (Outcome::Created, _) => from_to("created"),
        (Outcome::Moved, _) => from_to("moved"),
        (Outcome::NotTried, Tense::Would) => match &tag.before {
            Previous::Absent => from_to("would be created"),
            Previous::At(_) => from_to("would be moved"),
            Previous::NotRead => from_to("would be written"),
        },
        (Outcome::NotTried, Tense::Done) => "not tried".to_owned(),
        (Outcome::RolledBack, _) => match &tag.now {
            Previous::At(digest) => format!("{}  put back", digest.short()),
            _ => "removed again".to_owned(),
        },
        (Outcome::Failed { error }, _) => format!("FAILED: {error}"),
        (Outcome::Stranded { error }, _) => {
            format!("{}; it could not be put back: {error}", from_to("STAYS MOVED"))
        }
        (Outcome::Kept { reason }, _) => kept(reason, &tag.released),
        _ => "unknown".to_owned(),
    }
}

/// An alias that was put on a version that is not the one released.
fn to_newer(tag: &TagReport) -> String {
    match &tag.version {
        Some(version) if *version != tag.released => {
            format!(" to {version}: {version} is newer than {}", tag.released)
        }
        _ => String::new(),
    }
}

fn kept(reason: &SkipReason, released: &Tag) -> String {
    match reason {
        SkipReason::AlreadyThere { digest } => format!("{}  already there", digest.short()),
        SkipReason::Newer { versions, .. } => {
            let (newer, is) = (Joined(versions), if versions.len() > 1 { "are" } else { "is" });
            format!("kept at {newer}: {newer} {is} newer than {released}")
        }
        SkipReason::Undecided { versions } => format!(
            "kept: {} are newer, and differ; which it should be cannot be told",
            Joined(versions)
        ),
        SkipReason::Prerelease => format!("kept: {released} is a prerelease"),
        SkipReason::ZeroMajor => {
            "left alone: 0.x versions promise no compatibility (--zero-major)".to_owned()
        }
        _ => "kept".to_owned(),
    }
}
