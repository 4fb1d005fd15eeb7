//! Tests of this binary, run by `cargo nextest`: each a process, all of them one run.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use plimsoll_harness::{ContainerDefinition, LogWait, require_docker, scope};
use plimsoll_tests::image::SCRATCH;
use serde_json::{Value, json};
use tokio::process::Command;

use super::{NEVER, gone};
use crate::{Error, TestResult};

/// Where the tests below write the ids of the containers they got.
const IDS: &str = "PLIMSOLL_TEST_IDS";

/// A run of `cargo nextest`.
pub(super) struct Run {
    pub(super) succeeded: bool,
    pub(super) text: String,
    /// Of the runner.
    pub(super) pid: u32,
}

/// Runs tests of this binary under `cargo nextest`, in a run of their own. The binary is the one
/// that runs already, so nothing is built.
pub(super) async fn run(
    directory: &Path,
    module: &str,
    variable: (&str, &Path),
) -> Result<Run, Error> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let file = |name| directory.join(name);
    // For this platform only: the dependencies of others may never have been downloaded.
    let platform = said(Command::new(cargo()).arg("-vV")).await?;
    let platform = platform.lines().find_map(|line| line.strip_prefix("host: "));
    let args = ["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform"];
    let mut asking = Command::new(cargo());
    asking.args(args).arg(platform.ok_or("no host")?).current_dir(root);
    let metadata = said(&mut asking).await?;
    std::fs::write(file("metadata"), &metadata)?;
    std::fs::write(file("binaries"), binaries(&serde_json::from_str(&metadata)?)?)?;
    let mut command = Command::new(cargo());
    command.args(["nextest", "run", "--no-fail-fast", "--color", "never", "-j", "8"]);
    command.arg("--cargo-metadata").arg(file("metadata"));
    command.arg("--binaries-metadata").arg(file("binaries"));
    command.args(["-E", &format!("test(/^harness_lifetimes::{module}::/)")]);
    command.current_dir(root).env(variable.0, variable.1).env_remove("NEXTEST_RUN_ID");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn()?;
    let pid = child.id().expect("it has not been waited for");
    let output = child.wait_with_output().await?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(Run { succeeded: output.status.success(), text, pid })
}

/// What a command says, if it succeeds.
async fn said(command: &mut Command) -> Result<String, Error> {
    let output = command.output().await?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// What `cargo nextest list --list-type binaries-only` would say of this binary.
fn binaries(metadata: &Value) -> Result<String, Error> {
    let packages = metadata["packages"].as_array().ok_or("no packages")?;
    let ours = packages.iter().find(|package| package["name"] == "plimsoll-tests");
    let binary = std::env::current_exe()?;
    let list = json!({
        "rust-build-meta": {
            "target-directory": binary.parent(),
            "base-output-directories": [],
            "non-test-binaries": {},
            "build-script-out-dirs": {},
            "linked-paths": [],
            "target-platforms": [],
            "target-platform": null,
        },
        "rust-binaries": { "plimsoll-tests::it": {
            "binary-id": "plimsoll-tests::it",
            "binary-name": "it",
            "package-id": ours.ok_or("no package")?["id"],
            "kind": "test",
            "binary-path": binary,
            "build-platform": "target",
        }},
    });
    Ok(list.to_string())
}

fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Twice at once, so that two runs must not meet.
#[tokio::test]
async fn edge_shared_end_is_that_of_the_run_under_nextest() -> TestResult {
    let engine = require_docker!();
    if !is_there().await? {
        return Ok(());
    }
    // Not the run, but the image: it would be built under the eyes of one of them.
    SCRATCH.ensure(&engine).await?;
    let directories = [tempfile::tempdir()?, tempfile::tempdir()?];
    let [ids, other_ids] = [0, 1].map(|at: usize| directories[at].path().join("ids"));
    let (first, second) = tokio::join!(
        run(directories[0].path(), "nextest::shares", (IDS, &ids)),
        run(directories[1].path(), "nextest::shares", (IDS, &other_ids)),
    );
    let mut seen = Vec::new();
    for (directory, run) in directories.iter().zip([first?, second?]) {
        let Run { succeeded, text, pid } = run;
        assert!(succeeded && text.contains("32 tests run: 32 passed"), "{text}");
        assert!(!text.to_lowercase().contains("leak"), "{text}");
        let text = std::fs::read_to_string(directory.path().join("ids"))?;
        let mut ids: Vec<_> = text.lines().map(str::to_owned).collect();
        assert_eq!(ids.len(), 32);
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 1, "one creation");
        gone(&engine, &format!("dev.plimsoll.pid={pid}")).await?;
        seen.extend(ids);
    }
    assert_ne!(seen[0], seen[1], "two runs");
    Ok(())
}

/// Whether there is nextest. Where Docker is required, so is this.
#[expect(clippy::print_stderr, reason = "a test that did not run has to say so")]
pub(super) async fn is_there() -> Result<bool, Error> {
    let version = Command::new(cargo()).args(["nextest", "--version"]).output().await?;
    if version.status.success() {
        return Ok(true);
    }
    let required = std::env::var("PLIMSOLL_REQUIRE_DOCKER").is_ok_and(|value| value == "1");
    if required {
        return Err("there is no cargo-nextest; `cargo install --locked cargo-nextest`".into());
    }
    eprintln!("skipped: there is no cargo-nextest");
    Ok(false)
}

/// One container for each run: of `cargo nextest` as of `cargo test`.
async fn share() -> TestResult {
    let engine = require_docker!();
    let image = SCRATCH.ensure(&engine).await?;
    let definition = ContainerDefinition::new("shares", image)
        .cmd(["sh", "-c", "echo up; sleep 600"])
        .ready(LogWait::stdout("up").within(NEVER));
    let shared = scope::run("shares", || definition).await?;
    // Its logs are complete here, whoever started it.
    shared.wait(&LogWait::stdout("^up$").within(NEVER)).await?;
    assert_eq!(shared.exec(["/busybox", "true"]).await?.code, 0);
    if let Some(path) = std::env::var_os(IDS) {
        let mut ids = std::fs::File::options().create(true).append(true).open(path)?;
        ids.write_all(format!("{}\n", shared.id()).as_bytes())?;
    }
    Ok(())
}

macro_rules! shares {
    ($($name:ident)*) => {
        mod shares {
            $(
                #[tokio::test]
                async fn $name() -> crate::TestResult {
                    super::share().await
                }
            )*
        }
    };
}

shares! {
    a1 a2 a3 a4 a5 a6 a7 a8 b1 b2 b3 b4 b5 b6 b7 b8
    c1 c2 c3 c4 c5 c6 c7 c8 d1 d2 d3 d4 d5 d6 d7 d8
}
