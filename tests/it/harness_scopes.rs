//! The scopes of `#[plimsoll_harness::test]`: tests of this binary are run as processes of a run.

use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use plimsoll_harness::testcontainers::core::WaitFor;
use plimsoll_harness::testcontainers::{GenericImage, ImageExt};
use plimsoll_harness::{
    Container, ContainerDefinition, Define, DefineError, Engine, Links, LogWait, Stack,
    TestcontainersImage, VolumeDefinition, block_on, require_docker,
};
use plimsoll_tests::image::SCRATCH;
use tokio::process::Command;

use crate::harness::NEVER;
use crate::harness_lifetimes::gone;
use crate::{Error, TestResult};

/// Where the tests below write what they got.
const REPORT: &str = "PLIMSOLL_TEST_REPORT";

#[derive(Clone, Debug)]
struct Db {
    image: String,
}

impl Define for Db {
    fn define(&self, links: &Links<'_>) -> Result<ContainerDefinition, DefineError> {
        let script = "/busybox httpd -p 80 -h /files; echo ready; exec /busybox sleep 600";
        Ok(ContainerDefinition::new(links.name(), &self.image)
            .cmd(["sh", "-c", script])
            .mount(links.volume(&Notes::FILES)?.at("/files"))
            .ready(LogWait::stdout("ready").within(NEVER)))
    }

    async fn clean(&self, container: &Container) -> Result<(), Error> {
        let script = "rm -f /files/dirt; echo again >>/files/cleaned";
        container.exec(["/busybox", "sh", "-c", script]).await?.success()?;
        Ok(())
    }
}

#[derive(Stack, Clone, Debug)]
struct Notes {
    files: VolumeDefinition,
    writer: Db,
    reader: TestcontainersImage<GenericImage>,
}

impl Default for Notes {
    fn default() -> Self {
        let engine = Engine::connect().expect("the test needs Docker");
        let image = block_on(SCRATCH.ensure(&engine)).expect("an image");
        let (name, tag) = image.split_once(':').expect("it has a tag");
        let web = GenericImage::new(name, tag).with_wait_for(WaitFor::message_on_stdout("ready"));
        let web = TestcontainersImage::new(web)
            .with(|request| request.with_cmd(["sh", "-c", "echo ready; exec /busybox sleep 600"]));
        Self { files: VolumeDefinition::default(), writer: Db { image }, reader: web }
    }
}

/// Finds it clean, makes it dirty, and reports what it used.
async fn soil(notes: &NotesLive) -> TestResult {
    let script = "test ! -e /files/dirt && echo >/files/dirt";
    notes.writer.exec(["/busybox", "sh", "-c", script]).await?.success()?;
    let cleaned = ["/busybox", "wget", "-qO", "-", "http://writer/cleaned"];
    let cleaned = notes.reader.exec(cleaned).await?.success()?.stdout_text().lines().count();
    // Its logs are complete here, whoever started it.
    notes.reader.wait(LogWait::stdout("^ready$").within(NEVER)).await?;
    let Some(path) = std::env::var_os(REPORT) else { return Ok(()) };
    let mut report = std::fs::File::options().create(true).append(true).open(path)?;
    let (db, web, files) = (notes.writer.name(), notes.reader.name(), notes.files.name());
    report.write_all(format!("{db} {web} {files} {cleaned}\n").as_bytes())?;
    Ok(())
}

mod run {
    use super::{NotesLive, TestResult, soil};

    #[plimsoll_harness::test(scope = "run", clean = [writer])]
    async fn one(notes: &NotesLive) -> TestResult {
        soil(notes).await
    }

    #[plimsoll_harness::test(scope = "run", clean = [writer])]
    async fn another(notes: &NotesLive) -> TestResult {
        soil(notes).await
    }
}

#[plimsoll_harness::test(scope = "test", clean = [writer])]
async fn own(notes: &NotesLive) -> TestResult {
    soil(notes).await
}

#[plimsoll_harness::test(scope = "process")]
async fn without_clean_a_stack_is_used_together(notes: &NotesLive) -> TestResult {
    notes.writer.exec(["/busybox", "true"]).await?.success()?;
    Ok(())
}

/// A shell that runs this binary; gives what it said, and its pid.
async fn shell(script: &str, report: &Path) -> Result<(Output, u32), Error> {
    let run = format!("scopes-{}-{:08x}", std::process::id(), fastrand::u32(..));
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(std::env::current_exe()?).arg(run);
    command.env_remove("NEXTEST_RUN_ID").env(REPORT, report).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.kill_on_drop(true).spawn()?;
    let pid = child.id().expect("it has not been waited for");
    Ok((child.wait_with_output().await?, pid))
}

fn lines(report: &Path, output: &Output) -> Result<Vec<Vec<String>>, Error> {
    let text = std::fs::read_to_string(report)
        .map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&output.stdout)))?;
    Ok(text.lines().map(|line| line.split(' ').map(str::to_owned).collect()).collect())
}

#[tokio::test]
async fn processes_of_a_run_share_one_stack_and_each_finds_it_clean() -> TestResult {
    let engine = require_docker!();
    SCRATCH.ensure(&engine).await?;
    let directory = tempfile::tempdir()?;
    let report = directory.path().join("report");
    // The shell is the runner: only what it starts has the variable.
    let script = "for test in one another one another; do \
                  NEXTEST_RUN_ID=$2 \"$1\" --exact harness_scopes::run::$test & done; wait";
    let (output, runner) = shell(script, &report).await?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = lines(&report, &output)?;
    assert_eq!(lines.len(), 4, "{text}");
    let mut cleaned: Vec<_> = lines.iter_mut().filter_map(Vec::pop).collect();
    cleaned.sort();
    assert_eq!(cleaned, ["1", "2", "3", "4"], "one after the other: {text}");
    lines.dedup();
    assert_eq!(lines.len(), 1, "one creation: {lines:?}");
    gone(&engine, &format!("dev.plimsoll.pid={runner}")).await?;
    Ok(())
}

#[tokio::test]
async fn a_retry_of_a_test_has_a_fresh_stack() -> TestResult {
    let engine = require_docker!();
    SCRATCH.ensure(&engine).await?;
    let directory = tempfile::tempdir()?;
    let report = directory.path().join("report");
    let script = "for attempt in 1 2; do NEXTEST_ATTEMPT=$attempt NEXTEST_RUN_ID=$2 \
                  \"$1\" --exact harness_scopes::own; done";
    let (output, _) = shell(script, &report).await?;
    let lines = lines(&report, &output)?;
    let [first, second] = &lines[..] else {
        panic!("{lines:?}: {}", String::from_utf8_lossy(&output.stdout));
    };
    for (first, second) in first.iter().zip(second).take(3) {
        assert_ne!(first, second);
        let found = engine.call({
            let first = first.clone();
            |docker| async move { docker.inspect_container(&first, None).await }
        });
        assert!(found.await.is_err(), "{first} is still there");
    }
    assert_eq!((first[3].as_str(), second[3].as_str()), ("1", "1"), "each was cleaned once");
    Ok(())
}
