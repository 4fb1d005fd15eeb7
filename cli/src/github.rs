//! GitHub Actions: a step's outputs, and its summary for people.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use plimsoll_registry::{Digest, Outcome, Report, TagOutcome};

use crate::exit_code::ExitCode;
use crate::failure::{Failure, one_line};
use crate::results::Results;
use crate::text;

/// The largest summary that a step may have, in bytes, is 1 MiB; what is larger is not shown at
/// all.
const SUMMARY_LIMIT: usize = 1 << 20;

/// Writes outputs and summary where the runner asks for them. A release that was made does not
/// fail for want of them: what cannot be written is a warning.
pub(crate) fn tell(all: &[Results]) -> Vec<String> {
    let files = [("GITHUB_OUTPUT", outputs(all)), ("GITHUB_STEP_SUMMARY", summary(all))];
    let mut warnings = Vec::new();
    for (variable, content) in files {
        let Some(path) = std::env::var_os(variable).filter(|path| !path.is_empty()) else {
            continue;
        };
        if let Err(error) = append(Path::new(&path), &content) {
            let path = Path::new(&path).display();
            warnings.push(format!("failed to write to {path}, which {variable} names: {error}"));
        }
    }
    warnings
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    file.write_all(text.as_bytes())
}

/// `digest`, `version` and `tags`, each a list with one line for each.
fn outputs(all: &[Results]) -> String {
    let mut outputs = Outputs::default();
    for results in all {
        let plans = results.plans.iter().map(|plan| (&plan.source.digest, &plan.versions));
        let reports = results.reports.iter().map(|own| (&own.source.digest, &own.versions));
        for (digest, versions) in plans.chain(reports) {
            outputs.digests.insert(digest);
            outputs.versions.extend(versions.iter().map(ToString::to_string));
        }
        outputs.digests.extend(results.copy.iter().map(|copy| &copy.root.digest));
        outputs.digests.extend(results.copy_plan.iter().map(|plan| &plan.tree.root.digest));
        for report in &results.reports {
            let written = |outcome: &Outcome| matches!(outcome, Outcome::Created | Outcome::Moved);
            let tags = report.tags.iter().filter(|tag| written(&tag.outcome));
            outputs.tags.extend(tags.map(|tag| format!("{}:{}", report.repository, tag.tag)));
        }
        for destination in results.copy.iter().flat_map(|copy| &copy.destinations) {
            let tags = destination.tags.iter().filter(|tag| tag.outcome == TagOutcome::Written);
            outputs.tags.extend(tags.map(|tag| format!("{}:{}", destination.name, tag.tag)));
        }
    }
    outputs.text()
}

#[derive(Default)]
struct Outputs<'r> {
    /// The images that were tagged or copied.
    digests: BTreeSet<&'r Digest>,
    versions: BTreeSet<String>,
    /// What was written, in the order of the reports.
    tags: Vec<String>,
}

impl Outputs<'_> {
    fn text(&self) -> String {
        let digests: Vec<_> = self.digests.iter().map(ToString::to_string).collect();
        let versions: Vec<_> = self.versions.iter().cloned().collect();
        let outputs = [("digest", digests), ("version", versions), ("tags", self.tags.clone())];
        let list = |(name, lines): (&str, Vec<String>)| heredoc(name, &lines);
        outputs.into_iter().map(list).collect()
    }
}

/// `name<<DELIMITER`, as the runner wants values of several lines. No line of the value is the
/// delimiter: it would end there, and the rest would be outputs of its own.
fn heredoc(name: &str, lines: &[String]) -> String {
    let lines: Vec<_> = lines.iter().map(|line| one_line(line)).collect();
    let mut delimiter = "PLIMSOLL".to_owned();
    while lines.contains(&delimiter) {
        delimiter.push('_');
    }
    let mut text = format!("{name}<<{delimiter}\n");
    for line in &lines {
        text += line;
        text.push('\n');
    }
    text + &delimiter + "\n"
}

/// A table with a row for each tag, and what went wrong below it.
fn summary(all: &[Results]) -> String {
    let mut rows = String::new();
    for results in all {
        for report in &results.reports {
            rows += &tag_rows(report, text::Tense::Done);
        }
        if results.errors.is_empty() {
            for plan in &results.plans {
                rows += &tag_rows(&Report::of(plan), text::Tense::Would);
            }
        }
        for destination in results.copy.iter().flat_map(|copy| &copy.destinations) {
            for tag in &destination.tags {
                let after = match &tag.outcome {
                    TagOutcome::Written => tag.target.as_ref(),
                    _ => tag.before.digest(),
                };
                let before = tag.before.digest();
                let why = text::copy_fate(tag);
                rows += &row(&destination.name, tag.tag.as_str(), [before, after], &why);
            }
        }
    }
    let mut text = String::new();
    if !rows.is_empty() {
        text = format!("| repository | tag | before | after | |\n|---|---|---|---|---|\n{rows}\n");
    }
    for failure in all.iter().flat_map(|results| &results.errors) {
        text += &of_failure(failure);
    }
    if text.len() > SUMMARY_LIMIT {
        let lines = rows.lines().count();
        text = format!("{lines} tags: too many for a table here. The log of this step has them.\n");
    }
    text
}

fn tag_rows(report: &Report, tense: text::Tense) -> String {
    let rows = report.tags.iter().map(|tag| {
        let after = match (tense, &tag.target) {
            (text::Tense::Would, Some(target)) => Some(target),
            _ => tag.now.digest(),
        };
        let why = text::verdict(tag, tense);
        row(&report.repository, tag.tag.as_str(), [tag.before.digest(), after], &why)
    });
    rows.collect()
}

fn row(repository: &str, tag: &str, [before, after]: [Option<&Digest>; 2], why: &str) -> String {
    let short = |digest: Option<&Digest>| digest.map(Digest::short).unwrap_or_default();
    let cells = [repository, tag, &short(before), &short(after), why];
    let cells: Vec<_> = cells.iter().map(|cell| markdown(cell)).collect();
    format!("| {} |\n", cells.join(" | "))
}

fn of_failure(failure: &Failure) -> String {
    let Failure { message, remedy, exit_code } = failure;
    let sign = if *exit_code == ExitCode::Partial { "Not finished" } else { "Failed" };
    let mut text = format!("**{sign}**: {}\n", markdown(message));
    if let Some(remedy) = remedy {
        // Infallible: writing to a String.
        let _ = writeln!(text, "\nTry: {}", markdown(remedy));
    }
    text + "\n"
}

/// `text` as one line of Markdown that shows it as it is: no link, no mention, no tag of HTML,
/// no further cell.
fn markdown(text: &str) -> String {
    let mut escaped = String::new();
    for c in one_line(text).chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '@' => escaped += "&#64;",
            c if c.is_ascii_punctuation() && !matches!(c, '.' | ',' | ';' | '/' | '-' | '=') => {
                escaped.push('\\');
                escaped.push(c);
            }
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_does_not_end_before_its_end() {
        let lines = ["PLIMSOLL", "a\nPLIMSOLL_\nx=y"].map(str::to_owned);
        let text = heredoc("tags", &lines);
        assert_eq!(text, "tags<<PLIMSOLL_\nPLIMSOLL\na PLIMSOLL_ x=y\nPLIMSOLL_\n");
        assert_eq!(heredoc("tags", &[]), "tags<<PLIMSOLL\nPLIMSOLL\n");
    }

    #[test]
    fn markdown_shows_what_it_is_given() {
        assert_eq!(markdown("a|b`c`<img>"), "a\\|b\\`c\\`&lt;img\\>");
        assert_eq!(markdown("[x](y) *z* @me\nq"), "\\[x\\]\\(y\\) \\*z\\* &#64;me q");
        assert_eq!(markdown("ghcr.io/acme/cake"), "ghcr.io/acme/cake");
    }
}
