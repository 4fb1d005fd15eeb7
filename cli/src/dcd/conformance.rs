//! docker-ci-deploy 0.3.0, observed: command lines, what it did with them, and where `ocitag dcd`
//! decides otherwise.
//!
//! `BLESS=1 cargo test -p ocitag` writes the decisions into `docs/dcd.md`.

use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;

use super::{Dcd, DcdCommand};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    verdict: Verdict,
    args: Vec<String>,
    dcd: Outcome,
    /// Deprecated options that are warned about.
    #[serde(default)]
    deprecated: Vec<String>,
    /// What is done here, where it is something else.
    ours: Option<Outcome>,
    /// Why.
    decision: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// Right as it was.
    Keep,
    /// Odd: decided on purpose.
    Quirk,
    /// Wrong.
    Bug,
    /// Does what it says, to someone's harm.
    Danger,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
struct Outcome {
    /// Without one it hangs.
    exit: Option<u8>,
    /// The references pushed, in order.
    tags: Vec<String>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("cases.json")).expect("cases.json is a list of cases")
}

impl Outcome {
    fn of(args: &[String]) -> Self {
        match Dcd::parse(args) {
            Ok(DcdCommand::Run(dcd)) => Self { exit: Some(0), tags: dcd.lines().collect() },
            Ok(DcdCommand::Help) => Self { exit: Some(0), tags: Vec::new() },
            Err(_) => Self { exit: Some(2), tags: Vec::new() },
        }
    }

    fn markdown(&self) -> String {
        let code = match self.exit {
            None => "hangs".to_owned(),
            Some(0) if self.tags.is_empty() => "nothing".to_owned(),
            Some(0) => String::new(),
            Some(code) => format!("code {code}"),
        };
        let tags: Vec<_> = self.tags.iter().map(|tag| code_span(tag)).collect();
        code + &tags.join("<br>")
    }
}

#[test]
fn every_case_ends_as_docker_ci_deploy_did_or_as_decided() {
    for case in cases() {
        let wanted = case.ours.as_ref().unwrap_or(&case.dcd);
        assert_eq!(&Outcome::of(&case.args), wanted, "{}: {:?}", case.id, case.args);
    }
}

#[test]
fn what_is_done_otherwise_is_decided() {
    for Case { id, verdict, dcd, ours, decision, .. } in cases() {
        assert!(verdict == Verdict::Keep || decision.is_some(), "{id} is not decided");
        assert!(ours.is_none() || decision.is_some(), "{id} does not say why");
        assert_ne!(ours.as_ref(), Some(&dcd), "{id} is as docker-ci-deploy did");
        assert!(verdict != Verdict::Bug || ours.is_some(), "{id} is still wrong");
        // What was right stays right: at most the code changes, or what ran a command.
        let kept = ours.is_none_or(|ours| ours.tags == dcd.tags || dcd.exit == Some(1));
        assert!(verdict != Verdict::Keep || kept, "{id} was right");
    }
}

#[test]
fn deprecated_names_are_warned_about() {
    for case in cases() {
        let Ok(DcdCommand::Run(dcd)) = Dcd::parse(&case.args) else { continue };
        let deprecations: Vec<_> =
            dcd.warnings.iter().filter(|warning| warning.contains("deprecated")).collect();
        assert_eq!(deprecations.len(), case.deprecated.len(), "{}", case.id);
        for (warning, option) in deprecations.iter().zip(&case.deprecated) {
            assert!(warning.starts_with(option.as_str()), "{}: {warning}", case.id);
        }
    }
}

#[test]
fn the_decisions_are_in_the_documentation() {
    const BEGIN: &str =
        "<!-- generated from cli/src/dcd/cases.json; BLESS=1 cargo test -p ocitag -->\n";
    const END: &str = "<!-- end of what is generated -->";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/dcd.md");
    let text = std::fs::read_to_string(&path).expect("docs/dcd.md is there");
    let (before, rest) = text.split_once(BEGIN).expect("docs/dcd.md has the marks");
    let (_, after) = rest.split_once(END).expect("docs/dcd.md has the marks");
    let wanted = format!("{before}{BEGIN}{}{END}{after}", decisions());
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &wanted).expect("docs/dcd.md can be written");
    } else {
        assert_eq!(text, wanted, "docs/dcd.md is out of date: BLESS=1 cargo test -p ocitag");
    }
}

fn decisions() -> String {
    let cases = cases();
    let count = |verdict| cases.iter().filter(|case| case.verdict == verdict).count();
    let remapped =
        cases.iter().filter(|case| case.verdict == Verdict::Keep && case.ours.is_some()).count();
    let mut text = format!(
        "\n{} command lines were run with docker-ci-deploy 0.3.0, nearly all with `--dry-run`. {} of \
         them do the same here, but for {remapped} exit codes; the other {} are decided below.\n",
        cases.len(),
        count(Verdict::Keep),
        cases.len() - count(Verdict::Keep),
    );
    for (verdict, title) in [
        (Verdict::Danger, "Dangers, averted"),
        (Verdict::Bug, "Defects, not repeated"),
        (Verdict::Quirk, "Oddities, decided"),
        (Verdict::Keep, "Exit codes"),
    ] {
        let _ = write!(text, "\n### {title}\n\n");
        text += "| `dcd …` | DCD 0.3.0 | `ocitag dcd` | Why |\n|---|---|---|---|\n";
        let decided = |case: &&Case| case.verdict == verdict && case.decision.is_some();
        for (lines, rest) in rows(cases.iter().filter(decided)) {
            let _ = writeln!(text, "| {} | {rest} |", lines.join("<br>"));
        }
    }
    text + "\n"
}

/// Command lines with what is said of them; neighbours of which the same is said share a row.
fn rows<'c>(cases: impl Iterator<Item = &'c Case>) -> Vec<(Vec<String>, String)> {
    let mut rows: Vec<(Vec<String>, String)> = Vec::new();
    for case in cases {
        let ours = case.ours.as_ref().unwrap_or(&case.dcd);
        let ours = if *ours == case.dcd { "the same".to_owned() } else { ours.markdown() };
        let why = case.decision.as_deref().unwrap_or_default();
        let (line, rest) =
            (command_line(&case.args), format!("{} | {ours} | {why}", case.dcd.markdown()));
        match rows.last_mut() {
            Some((lines, same)) if *same == rest => lines.push(line),
            _ => rows.push((vec![line], rest)),
        }
    }
    rows
}

/// The arguments as in a shell, without the `--dry-run` that nearly all of them have.
fn command_line(args: &[String]) -> String {
    let plain = |arg: &&String| {
        !arg.is_empty() && arg.chars().all(|c| c.is_alphanumeric() || "-_.:/+=,".contains(c))
    };
    let quoted = args.iter().filter(|arg| *arg != "--dry-run").map(|arg| match plain(&arg) {
        true => arg.clone(),
        false => format!("'{arg}'"),
    });
    let line = code_span(&quoted.collect::<Vec<_>>().join(" "));
    let dry_run = args.iter().any(|arg| arg == "--dry-run");
    if dry_run { line } else { format!("{line} (no dry run)") }
}

/// Text in backticks, a long run of one character as its beginning and its length.
fn code_span(text: &str) -> String {
    let mut short = String::new();
    let mut left = text;
    while let Some(first) = left.chars().next() {
        let rest = left.trim_start_matches(first);
        let run = &left[..left.len() - rest.len()];
        match run.chars().count() {
            count @ 20.. => {
                let _ = write!(short, "{first}{first}…({count}×{first})");
            }
            _ => short += run,
        }
        left = rest;
    }
    format!("`{short}`")
}
