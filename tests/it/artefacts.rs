//! What a failed test leaves for people: tests of this binary are made to fail, as processes.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use plimsoll_harness::{
    Condition, ContainerDefinition, Define, DefineError, Engine, Failure, Links, LogWait, Stack,
    VolumeDefinition, block_on, require_docker,
};
use plimsoll_reaper::Leftovers;
use plimsoll_tests::image::SCRATCH;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::assert_services::get;
use crate::harness::NEVER;
use crate::harness_lifetimes::{Process, gone};
use crate::{Error, TestResult};

/// Makes the tests below fail, in this way.
const FAIL: &str = "PLIMSOLL_TEST_FAIL";

fn is_to(fail: &str) -> bool {
    std::env::var(FAIL).is_ok_and(|way| way == fail)
}

#[derive(Clone, Debug)]
struct Db {
    image: String,
}

impl Define for Db {
    fn define(&self, links: &Links<'_>) -> Result<ContainerDefinition, DefineError> {
        let script = "echo '<b>opening</b> files'; echo up >&2; exec /busybox sleep 600";
        Ok(ContainerDefinition::new(links.name(), &self.image)
            .cmd(["sh", "-c", script])
            .env("DB_PASSWORD", "s3cr3t")
            .mount(links.volume(&Shop::FILES)?.at("/files"))
            .ready(LogWait::stderr("up").within(NEVER)))
    }
}

#[derive(Clone, Debug)]
struct Web {
    image: String,
    script: &'static str,
}

impl Define for Web {
    fn define(&self, links: &Links<'_>) -> Result<ContainerDefinition, DefineError> {
        let db = links.host(&Shop::DB)?;
        Ok(ContainerDefinition::new(links.name(), &self.image)
            .cmd(["sh", "-c", self.script])
            .env("DATABASE_URL", format!("db://shop:s3cr3t@{db}/shop"))
            .publish(80)
            .ready(Condition::Port(80).within(NEVER)))
    }
}

#[derive(Stack, Clone, Debug)]
struct Shop {
    files: VolumeDefinition,
    db: Db,
    web: Web,
    worker: ContainerDefinition,
}

impl Default for Shop {
    fn default() -> Self {
        let engine = Engine::connect().expect("the test needs Docker");
        let image = block_on(SCRATCH.ensure(&engine)).expect("an image");
        let script = if is_to("start") {
            "echo 'cannot bind'; exit 3"
        } else {
            "echo listening; exec /busybox httpd -f -p 80 -h /"
        };
        let worker = ContainerDefinition::new("worker", &image)
            .cmd(["sh", "-c", "echo working; exec /busybox sleep 600"])
            .ready(LogWait::stdout("working").within(NEVER));
        let files = VolumeDefinition::default();
        Self { files, db: Db { image: image.clone() }, web: Web { image, script }, worker }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("count the cakes")]
struct Miscounted(#[source] std::num::ParseIntError);

/// The tests that can be made to fail.
mod fails {
    use super::{Miscounted, ShopLive, TestResult, is_to};

    #[plimsoll_harness::test]
    async fn by_an_error(shop: &ShopLive) -> TestResult {
        shop.web.http().get("/").await?;
        if is_to("error") {
            "many".parse::<u8>().map_err(Miscounted)?;
        }
        Ok(())
    }

    #[plimsoll_harness::test(scope = "process")]
    async fn by_a_panic(shop: &ShopLive) {
        shop.web.http().get("/").await.expect("it answers");
        assert!(!is_to("panic"), "there are no cakes");
    }

    #[plimsoll_harness::test]
    async fn by_itself() -> Result<(), Box<dyn std::error::Error>> {
        let engine = plimsoll_harness::Engine::connect()?;
        let lone = crate::harness::shell(&engine, "lone", "echo alone; exec /busybox sleep 600");
        let lone = lone.await.map_err(|error| error.to_string())?.start().await?;
        lone.wait(plimsoll_harness::LogWait::stdout("alone").within(crate::harness::NEVER)).await?;
        if is_to("error") {
            "many".parse::<u8>().map_err(Miscounted)?;
        }
        Ok(())
    }
}

/// Without the attribute.
#[tokio::test]
async fn fails_plainly() -> Result<(), Failure> {
    let engine = require_docker!();
    let lone = crate::harness::shell(&engine, "lone", "echo alone; exec /busybox sleep 600");
    let lone = lone.await?.start().await?;
    lone.wait(LogWait::stdout("alone").within(NEVER)).await?;
    assert!(!is_to("panic"), "there are no cakes");
    if is_to("error") {
        "many".parse::<u8>().map_err(Miscounted)?;
    }
    Ok(())
}

/// A test of this binary in a process, with a directory for artefacts.
async fn start(test: &str, variables: &[(&str, &str)], root: &Path) -> Result<Child, Error> {
    SCRATCH.ensure(&Engine::connect()?).await?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--exact", &format!("artefacts::{test}"), "--test-threads", "2"]);
    command.env("PLIMSOLL_ARTEFACTS", root).envs(variables.iter().copied());
    command.env("RUST_BACKTRACE", "0");
    command.env_remove("NEXTEST_RUN_ID").env_remove("NEXTEST_ATTEMPT").stdin(Stdio::null());
    Ok(command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn()?)
}

/// What a test says that fails this way, and the directory of its artefacts.
pub(crate) async fn fail(test: &str, way: &str, root: &Path) -> Result<(String, PathBuf), Error> {
    let output = start(test, &[(FAIL, way)], root).await?.wait_with_output().await?;
    assert_eq!(output.status.code(), Some(101));
    let text = String::from_utf8(output.stdout)?;
    let page = text.lines().find_map(|line| line.strip_prefix("artefacts: "));
    let page = PathBuf::from(page.ok_or_else(|| format!("no artefacts: {text}"))?);
    assert!(page.starts_with(root) && page.is_file(), "{}", page.display());
    // What reports in JUnit's format are searched for.
    assert!(text.contains(&format!("[[ATTACHMENT|{}]]", page.display())), "{text}");
    Ok((text, page.parent().expect("a directory").to_owned()))
}

fn read(directory: &Path, name: &str) -> String {
    std::fs::read_to_string(directory.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[tokio::test]
async fn an_error_of_a_test_is_printed_to_be_read_and_has_artefacts() -> TestResult {
    require_docker!();
    let root = tempfile::tempdir()?;
    let (text, directory) = fail("fails::by_an_error", "error", root.path()).await?;
    let failure = "failed to count the cakes: invalid digit found in string";
    assert!(text.contains(&format!("\nError: {failure}\n")), "{text}");
    assert!(directory.ends_with("it.artefacts.fails.by_an_error"), "{}", directory.display());
    assert_eq!(read(&directory, "failure.txt"), format!("{failure}\n"));
    assert_eq!(read(&directory, "db.stdout.log"), "<b>opening</b> files\n");
    assert_eq!(read(&directory, "db.stderr.log"), "up\n");
    assert!(!directory.join("web.stderr.log").exists());
    let page = read(&directory, "index.html");
    assert!(page.contains("&lt;b&gt;opening&lt;/b&gt; files"), "markup is text");
    let state: serde_json::Value = serde_json::from_str(&read(&directory, "db.inspect.json"))?;
    assert_eq!(state["State"]["Running"], true);
    let timeline: serde_json::Value = serde_json::from_str(&read(&directory, "timeline.json"))?;
    let ready = timeline.as_array().expect("nodes").iter().filter(|node| {
        node["moments"]
            .as_array()
            .is_some_and(|moments| moments.last().is_some_and(|last| last["moment"] == "ready"))
    });
    assert_eq!(ready.count(), 4, "{timeline}");
    let events = read(&directory, "events.jsonl");
    for event in ["create", "start"] {
        assert!(events.contains(&format!("\"event\":\"{event}\"")), "{events}");
    }
    for file in std::fs::read_dir(&directory)? {
        let file = file?.path();
        assert!(!std::fs::read_to_string(&file)?.contains("s3cr3t"), "{}", file.display());
    }
    Ok(())
}

#[tokio::test]
async fn a_panic_of_a_test_has_artefacts_with_its_words() -> TestResult {
    require_docker!();
    let root = tempfile::tempdir()?;
    let (text, directory) = fail("fails::by_a_panic", "panic", root.path()).await?;
    assert!(text.contains("there are no cakes"), "{text}");
    assert_eq!(read(&directory, "failure.txt"), "panicked: there are no cakes\n");
    assert_eq!(read(&directory, "worker.stdout.log"), "working\n");
    Ok(())
}

#[tokio::test]
async fn a_start_that_fails_has_artefacts_with_what_had_started() -> TestResult {
    require_docker!();
    let root = tempfile::tempdir()?;
    let (text, directory) = fail("fails::by_an_error", "start", root.path()).await?;
    let failure = "failed to start the stack: `web` failed: wait for `web`: it exited with code 3";
    assert!(text.contains(&format!("Error: {failure}")), "{text}");
    assert!(read(&directory, "failure.txt").starts_with(failure));
    assert_eq!(read(&directory, "web.stdout.log"), "cannot bind\n");
    assert_eq!(read(&directory, "db.stderr.log"), "up\n");
    let state: serde_json::Value = serde_json::from_str(&read(&directory, "web.inspect.json"))?;
    assert_eq!(state["State"]["ExitCode"], 3);
    Ok(())
}

#[tokio::test]
async fn a_container_that_its_test_has_dropped_is_in_the_artefacts() -> TestResult {
    require_docker!();
    let root = tempfile::tempdir()?;
    let (text, directory) = fail("fails::by_itself", "error", root.path()).await?;
    assert!(text.contains("Error: failed to count the cakes: invalid digit"), "{text}");
    assert_eq!(read(&directory, "lone.stdout.log"), "alone\n");
    assert!(read(&directory, "lone.inspect.json").contains("\"Running\": true"));
    Ok(())
}

#[tokio::test]
async fn a_panic_without_the_attribute_has_artefacts_too() -> TestResult {
    require_docker!();
    let root = tempfile::tempdir()?;
    let (_, directory) = fail("fails_plainly", "panic", root.path()).await?;
    assert_eq!(read(&directory, "lone.stdout.log"), "alone\n");
    // An error that is returned nobody hears of: its text is there, and no artefacts.
    let variables = [(FAIL, "error")];
    let output = start("fails_plainly", &variables, root.path()).await?.wait_with_output().await?;
    let text = String::from_utf8(output.stdout)?;
    assert!(text.contains("Error: failed to count the cakes: invalid digit"), "{text}");
    assert!(!text.contains("\nartefacts: "), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_test_that_passes_leaves_nothing() -> TestResult {
    require_docker!();
    let root = tempfile::tempdir()?;
    for test in ["fails::by_an_error", "fails::by_a_panic", "fails::by_itself", "fails_plainly"] {
        let output = start(test, &[], root.path()).await?.wait_with_output().await?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    assert_eq!(std::fs::read_dir(root.path())?.count(), 0);
    Ok(())
}

#[tokio::test]
async fn what_failed_is_kept_if_that_is_asked_for() -> TestResult {
    let engine = require_docker!();
    let root = tempfile::tempdir()?;
    let (before, mut seen) = (plimsoll_reaper::kept(), Vec::new());
    for (test, way, containers) in [
        ("fails::by_an_error", "error", 3),
        ("fails::by_an_error", "start", 3),
        ("fails::by_itself", "error", 1),
    ] {
        let variables = [(FAIL, way), ("PLIMSOLL_KEEP", "failed")];
        let child = start(test, &variables, root.path()).await?;
        let pid = child.id().expect("it has not been waited for");
        let output = child.wait_with_output().await?;
        let text = String::from_utf8(output.stdout)?;
        let lines: Vec<_> = text.lines().collect();
        let kept = lines.iter().position(|line| *line == "kept, as PLIMSOLL_KEEP=failed says:");
        let kept = &lines[kept.ok_or_else(|| format!("nothing is kept: {text}"))? + 1..];
        assert_eq!(kept.iter().take_while(|line| line.starts_with("  ")).count(), containers);
        let removal = kept[containers].strip_prefix("to remove it: ").ok_or("no command")?;
        if way == "error" && containers == 3 {
            let web = kept.iter().find(|line| line.starts_with("  web: ")).ok_or("no web")?;
            let address = web.split("http://").nth(1).and_then(|rest| rest.split(' ').next());
            let answer = get(address.ok_or("no address")?.parse()?, "/")?;
            assert!(answer.starts_with("HTTP/1"), "it goes on: {answer}");
        }
        // Another test process starts something, which sweeps, and leaves it alone.
        let other = start("fails_plainly", &[], root.path()).await?.wait_with_output().await?;
        assert!(other.status.success());
        let name = kept[0].split(": ").nth(1).and_then(|rest| rest.split(',').next());
        let name = name.ok_or("no name")?.to_owned();
        engine.call(|docker| async move { docker.inspect_container(&name, None).await }).await?;
        let removed = Command::new("sh").args(["-c", removal]).output().await?;
        assert!(removed.status.success(), "{}", String::from_utf8_lossy(&removed.stderr));
        let label = format!("dev.plimsoll.pid={pid}");
        gone(&engine, &label).await?;
        seen.extend(plimsoll_reaper::kept().into_iter().filter(|id| !before.contains(id)));
    }
    // The marks go with the next sweep, which is on the side of what a process does first.
    let mut process = Process::start(&engine, &["hold", "1"]).await?;
    assert_eq!(process.line().await?, "ready");
    let begun = std::time::Instant::now();
    while seen.iter().any(|id| plimsoll_reaper::is_kept(id)) {
        assert!(begun.elapsed() < NEVER, "marks are left");
        // Files of another process have no event that is the same on every system.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    process.child.kill().await?;
    gone(&engine, &process.label()).await?;
    Ok(())
}

#[tokio::test]
async fn a_failed_test_pauses_if_that_is_asked_for() -> TestResult {
    let engine = require_docker!();
    let root = tempfile::tempdir()?;
    let variables = [(FAIL, "panic"), ("PLIMSOLL_PAUSE", "failed")];
    let mut child = start("fails::by_a_panic", &variables, root.path()).await?;
    let label = format!("dev.plimsoll.pid={}", child.id().expect("it has not been waited for"));
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let mut said = Vec::new();
    let file = loop {
        let line = tokio::time::timeout(NEVER, lines.next_line()).await??;
        let line = line.ok_or_else(|| format!("it did not pause: {said:?}"))?;
        if let Some(file) = line.strip_prefix("to go on: rm ") {
            break PathBuf::from(file);
        }
        said.push(line);
    };
    assert!(said.iter().any(|line| line.starts_with("  web: plimsoll-")), "{said:?}");
    let finding = |docker| {
        let labels = [label.clone()];
        async move { Leftovers::find(&docker, &labels).await }
    };
    assert!(!engine.call(finding).await?.is_empty());
    std::fs::remove_file(file)?;
    let mut rest = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut rest).await?;
    assert!(rest.contains("there are no cakes"), "{rest}");
    assert!(!child.wait().await?.success());
    gone(&engine, &label).await?;
    Ok(())
}
