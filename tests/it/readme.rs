//! Every command in the README and the docs runs, and prints what it says it prints.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use plimsoll_registry::fake::{FakeOptions, FakeRegistry};

use crate::ocitag::{Ocitag, PROGRAM, is_progress};
use crate::{Error, TestResult};

/// A piece of a document: a line of text, or a command of a `console` block with its output.
enum Piece {
    Text(String),
    Command { command: String, output: String },
}

/// The document that has more than commands in it.
pub(crate) const DOCUMENT: &str = "README.md";

/// Documents are written by one test at a time.
static WRITING: Mutex<()> = Mutex::new(());

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn pieces(markdown: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut in_console = false;
    for line in markdown.lines() {
        let command = line.strip_prefix("$ ").filter(|_| in_console);
        match (command, pieces.last_mut()) {
            (Some(command), _) => {
                let command = command.to_owned();
                pieces.push(Piece::Command { command, output: String::new() });
            }
            (None, Some(Piece::Command { output, .. })) if in_console && line != "```" => {
                output.push_str(line);
                output.push('\n');
            }
            _ => pieces.push(Piece::Text(format!("{line}\n"))),
        }
        in_console = if in_console { line != "```" } else { line == "```console" };
    }
    pieces
}

/// The example image in a registry, as the README has it.
fn registry() -> FakeRegistry {
    let fake = FakeRegistry::start(FakeOptions::default());
    let image = format!("{}/acme/cake", fake.host());
    for tag in ["1.2.3", "1.2.4", "1.3.0"] {
        let layout = root().join("examples/cake-service/layout");
        Ocitag::new().run(["promote", &format!("oci:{}:{tag}", layout.display()), &image]).ok();
    }
    let [old, new] = ["1.2.3", "1.3.0"].map(|tag| fake.tags("acme/cake")[tag].clone());
    fake.tag("acme/cake", "1.2", &old);
    for alias in ["1.3", "1", "latest"] {
        fake.tag("acme/cake", alias, &new);
    }
    fake
}

/// Runs the commands of one document, in order, in one directory, against one registry; the
/// document as it should be.
fn retold(markdown: &str) -> Result<String, Error> {
    let fake = registry();
    let home = tempfile::tempdir()?;
    // `ocitag` is the program under test, and so is what cargo would build and run.
    std::os::unix::fs::symlink(PROGRAM, home.path().join("ocitag"))?;
    let path = std::env::join_paths(
        [home.path().to_owned()].into_iter().chain(std::env::split_paths(&std::env::var("PATH")?)),
    )?;
    let mut retold = String::new();
    for piece in pieces(markdown) {
        let (command, output) = match piece {
            Piece::Text(line) => {
                retold += &line;
                continue;
            }
            Piece::Command { command, output } => (command, output),
        };
        retold += &format!("$ {command}\n");
        // This very test is what that command runs.
        if command == "cargo test --workspace" {
            retold += &output;
            continue;
        }
        let host = fake.host();
        let runnable =
            command.replace("localhost:5000", &host).replace("cargo run -q --", "ocitag");
        let mut shell = Command::new("sh");
        // Some commands log in: not into the files of whoever runs the tests.
        for name in ["REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "DOCKER_AUTH_CONFIG"] {
            shell.env_remove(name);
        }
        let result = shell
            .args(["-c", &format!("{runnable} 2>&1")])
            .current_dir(root())
            .env("PATH", &path)
            .env("HOME", home.path())
            .env("TMPDIR", home.path())
            .output()?;
        let printed = String::from_utf8(result.stdout)?;
        // Readers sit before a terminal, where nothing is left of the progress of a copy.
        let lines = printed.split_inclusive('\n').filter(|line| !is_progress(line));
        retold += &lines
            .collect::<String>()
            .replace(&host, "localhost:5000")
            .replace(&home.path().display().to_string(), "/tmp");
    }
    Ok(retold)
}

/// `PLIMSOLL_BLESS=1` writes what the commands print into the document.
fn tells_the_truth(document: &str) -> TestResult {
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let path = root().join(document);
    let markdown = std::fs::read_to_string(&path)?;
    assert!(markdown.contains("\n$ "), "there are commands in {document}");
    let truth = retold(&markdown)?;
    if std::env::var_os("PLIMSOLL_BLESS").is_some() {
        std::fs::write(&path, &truth)?;
        return Ok(());
    }
    for (line, (told, truth)) in markdown.lines().zip(truth.lines()).enumerate() {
        assert_eq!(told, truth, "{document}:{}", line + 1);
    }
    assert_eq!(markdown.lines().count(), truth.lines().count(), "{document}");
    Ok(())
}

/// Holds the `text` block of the README that begins like this to what really is printed;
/// `PLIMSOLL_BLESS=1` writes it there.
pub(crate) fn blessed(beginning: &str, truth: &str) -> TestResult {
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let path = root().join(DOCUMENT);
    let markdown = std::fs::read_to_string(&path)?;
    let start = format!("```text\n{beginning}");
    let (before, rest) = markdown.split_once(&start).ok_or_else(|| format!("no {start}"))?;
    let (told, after) = rest.split_once("```\n").ok_or("a block without an end")?;
    if std::env::var_os("PLIMSOLL_BLESS").is_some() {
        std::fs::write(&path, format!("{before}```text\n{truth}```\n{after}"))?;
        return Ok(());
    }
    assert_eq!(format!("{beginning}{told}"), truth, "{DOCUMENT}");
    Ok(())
}

#[test]
fn the_readme_tells_the_truth() -> TestResult {
    tells_the_truth(DOCUMENT)
}

#[test]
fn the_page_on_docker_ci_deploy_tells_the_truth() -> TestResult {
    tells_the_truth("docs/dcd.md")
}

#[test]
fn the_page_on_events_tells_the_truth() -> TestResult {
    tells_the_truth("docs/events.md")
}
