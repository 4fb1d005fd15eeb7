//! Text: plans and reports for people, one tag a line.

use std::fmt::Write as _;

use plimsoll_registry::{
    BlobHow, CopyPlan, CopyTagReport, DestinationReport, Digest, Guard, Joined, ManifestHow,
    Outcome, Plan, Previous, Report, SkipReason, Tag, TagKept, TagOutcome, TagReport, Total,
};

use crate::failure::one_line;

/// Whether the writing has been done or would be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tense {
    Done,
    Would,
}

/// A plan, as `--dry-run` prints it.
pub(crate) fn plan(plan: &Plan) -> String {
    let mut text = block(&Report::of(plan), Tense::Would);
    for conflict in &plan.conflicts {
        // Infallible: writing to a String.
        let _ = writeln!(text, "  conflict: {conflict}");
    }
    text
}

/// A report.
pub(crate) fn report(report: &Report) -> String {
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

/// What a tag was and is, and how that came.
fn fate(tag: &TagReport, tense: Tense) -> String {
    let before = || match &tag.before {
        Previous::At(digest) => format!("{} -> ", digest.short()),
        _ => String::new(),
    };
    let target = || tag.target.as_ref().map(Digest::short).unwrap_or_default();
    let digests = match (&tag.outcome, tense) {
        (Outcome::Created | Outcome::Moved | Outcome::Stranded { .. }, _)
        | (Outcome::NotTried, Tense::Would) => before() + &target(),
        (Outcome::RolledBack, _) => tag.now.digest().map(Digest::short).unwrap_or_default(),
        (Outcome::Kept { reason: SkipReason::AlreadyThere { digest } }, _) => digest.short(),
        _ => String::new(),
    };
    let gap = if digests.is_empty() { "" } else { "  " };
    format!("{digests}{gap}{}", verdict(tag, tense))
}

/// How a tag came to be what it is.
pub(crate) fn verdict(tag: &TagReport, tense: Tense) -> String {
    let done = |verb: &str| format!("{verb}{}", to_newer(tag));
    match (&tag.outcome, tense) {
        (Outcome::Created, _) => done("created"),
        (Outcome::Moved, _) => done("moved"),
        (Outcome::NotTried, Tense::Would) => match &tag.before {
            Previous::Absent => done("would be created"),
            Previous::At(_) => done("would be moved"),
            Previous::NotRead => done("would be written"),
        },
        (Outcome::NotTried, Tense::Done) => "not tried".to_owned(),
        (Outcome::RolledBack, _) => match &tag.now {
            Previous::At(_) => "put back".to_owned(),
            _ => "removed again".to_owned(),
        },
        (Outcome::Failed { error }, _) => format!("FAILED: {}", one_line(error)),
        (Outcome::Stranded { error }, _) => {
            format!("{}; it could not be put back: {}", done("STAYS MOVED"), one_line(error))
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
        SkipReason::AlreadyThere { .. } => "already there".to_owned(),
        SkipReason::Newer { versions, .. } => {
            let (newer, is) = (Joined(versions), if versions.len() > 1 { "are" } else { "is" });
            format!("kept at {newer}: {newer} {is} newer than {released}")
        }
        SkipReason::Yanked { versions, instead, .. } => format!(
            "kept at {}, which is yanked: --allow-downgrade moves it down to {instead}",
            Joined(versions)
        ),
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

/// The plan of a copy, as `--dry-run` prints it.
pub(crate) fn copy_plan(plan: &CopyPlan) -> String {
    let mut text = String::new();
    // Infallible, all of it: writing to a String.
    for destination in &plan.destinations {
        let blobs = destination.blobs.iter();
        let there = blobs.filter(|blob| matches!(blob.how, BlobHow::Skip { .. })).count();
        let manifests = destination.manifests.iter();
        let new = manifests.filter(|it| !matches!(it.how, ManifestHow::Skip { .. })).count();
        let _ = writeln!(text, "{}", destination.name);
        let (copy, mount) = (amount(destination.to_copy), amount(destination.to_mount));
        let _ = writeln!(
            text,
            "  would copy {copy}, mount {mount}, find {there} there, write {new} manifests"
        );
        for step in &destination.tags {
            let _ = writeln!(text, "  {}  would be written", step.tag);
        }
    }
    text
}

/// What a copy did to one destination.
pub(crate) fn destination(destination: &DestinationReport) -> String {
    let mut text = format!("{}\n", destination.name);
    let (copied, mounted) = (destination.copied(), destination.mounted());
    let there = destination.blobs.len() as u64 - copied.count - mounted.count;
    let there = if destination.complete { format!(", {there} there") } else { String::new() };
    let _ = writeln!(text, "  copied {}, mounted {}{there}", amount(copied), amount(mounted));
    for tag in &destination.tags {
        let digest = tag.target.as_ref().or(tag.before.digest());
        let digest = digest.map(|digest| format!("{}  ", digest.short())).unwrap_or_default();
        let _ = writeln!(text, "  {}  {digest}{}", tag.tag, copy_fate(tag));
    }
    text
}

/// What became of a tag that was copied.
pub(crate) fn copy_fate(tag: &CopyTagReport) -> String {
    match &tag.outcome {
        TagOutcome::Written => "written".to_owned(),
        TagOutcome::Kept { reason: TagKept::AlreadyThere { .. } } => "already there".to_owned(),
        TagOutcome::Kept { .. } => "kept: the destination has another one".to_owned(),
        TagOutcome::Failed { error } => format!("FAILED: {}", one_line(error)),
        _ => "not tried".to_owned(),
    }
}

/// `2 blobs (1234 bytes)`.
fn amount(total: Total) -> String {
    match total.count {
        0 => "0 blobs".to_owned(),
        1 => format!("1 blob ({} bytes)", total.bytes),
        count => format!("{count} blobs ({} bytes)", total.bytes),
    }
}
