//! Processes that are told to be one run share one container.

use std::process::Stdio;

use futures_util::StreamExt;
use plimsoll_harness::testcontainers::bollard::query_parameters::{
    ListContainersOptions, WaitContainerOptions,
};
use plimsoll_harness::{ContainerDefinition, Engine, LogWait, require_docker, scope};
use plimsoll_tests::image::SCRATCH;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::{NEVER, Process, find, gone};
use crate::{Error, TestResult};

/// The variables of a run; this process is its runner.
struct RunId(String);

impl RunId {
    fn new(name: &str) -> Self {
        Self(format!("{name}-{}-{:08x}", std::process::id(), fastrand::u32(..)))
    }

    async fn start(&self, engine: &Engine, what: &str) -> Result<Process, Error> {
        Process::start_in(engine, &[what], &[("NEXTEST_RUN_ID", &self.0)]).await
    }
}

/// The label of what a run shares: its lease is in the directory of the run.
async fn label(engine: &Engine, id: &str) -> Result<String, Error> {
    let id = id.to_owned();
    let inspecting = |docker: plimsoll_harness::testcontainers::bollard::Docker| async move {
        docker.inspect_container(&id, None).await
    };
    let labels = engine.call(inspecting).await?.config.and_then(|config| config.labels);
    let lease = labels.and_then(|mut labels| labels.remove("dev.plimsoll.lease"));
    Ok(format!("dev.plimsoll.lease={}", lease.ok_or("it has no lease")?))
}

async fn count(engine: &Engine, label: &str) -> Result<usize, Error> {
    Ok(names(engine, label).await?.len())
}

/// What the containers with a label are called on the engine.
async fn names(engine: &Engine, label: &str) -> Result<Vec<String>, Error> {
    let filters = Some([("label".to_owned(), vec![label.to_owned()])].into());
    let options = ListContainersOptions { all: true, filters, ..Default::default() };
    let listing = engine.call(|docker| async move { docker.list_containers(Some(options)).await });
    Ok(listing.await?.into_iter().map(|found| found.names.unwrap_or_default().concat()).collect())
}

#[tokio::test]
async fn defect_7_processes_of_a_run_share_one_container_across_gaps() -> TestResult {
    let engine = require_docker!();
    let run = RunId::new("gaps");
    let mut ids = Vec::new();
    let mut processes = Vec::new();
    for _ in 0..6 {
        processes.push(run.start(&engine, "share").await?);
    }
    for process in &mut processes {
        ids.push(process.line().await?);
    }
    let label = label(&engine, &ids[0]).await?;
    for mut process in processes {
        process.child.kill().await?;
    }
    // Nobody uses it now, but the run, which is this process, goes on.
    let mut late = run.start(&engine, "share").await?;
    ids.push(late.line().await?);
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(count(&engine, &label).await?, 1);
    late.child.kill().await?;
    remove(&engine, &label).await
}

#[tokio::test]
async fn defect_7_racing_processes_get_one_container_that_is_ready() -> TestResult {
    let engine = require_docker!();
    let run = RunId::new("late");
    let mut processes = Vec::new();
    for _ in 0..4 {
        processes.push(run.start(&engine, "late").await?);
    }
    let mut lines = Vec::new();
    for process in &mut processes {
        lines.push(process.line().await?);
    }
    let (id, ready) = lines[0].split_once(' ').ok_or("no id")?;
    assert_eq!(ready, "yes");
    assert!(lines.iter().all(|line| *line == lines[0]), "{lines:?}");
    let label = label(&engine, id).await?;
    assert_eq!(count(&engine, &label).await?, 1);
    for mut process in processes {
        process.child.kill().await?;
    }
    remove(&engine, &label).await
}

#[tokio::test]
async fn defect_7_a_definition_that_differs_is_not_given_the_container_of_another() -> TestResult {
    let engine = require_docker!();
    let run = RunId::new("differs");
    let mut first = run.start(&engine, "share").await?;
    let label = label(&engine, &first.line().await?).await?;
    let mut other = run.start(&engine, "other").await?;
    let message = other.line().await?;
    assert!(message.starts_with("share `lives`: another test shares something else"), "{message}");
    assert!(other.child.wait().await?.success());
    assert_eq!(count(&engine, &label).await?, 1);
    first.child.kill().await?;
    remove(&engine, &label).await
}

/// What nextest does when it retries: another process of the same run, maybe while what the
/// first attempt left is being removed.
#[tokio::test]
async fn edge_retries_have_names_of_their_own() -> TestResult {
    let engine = require_docker!();
    let run = RunId::new("retries");
    let mut attempts = Vec::new();
    for attempt in ["1", "2"] {
        let variables = [("NEXTEST_RUN_ID", run.0.as_str()), ("NEXTEST_ATTEMPT", attempt)];
        attempts.push(Process::start_in(&engine, &["hold", "1"], &variables).await?);
    }
    let mut seen = Vec::new();
    for attempt in &mut attempts {
        assert_eq!(attempt.line().await?, "ready");
        let names = names(&engine, &attempt.label()).await?;
        assert_eq!(names.len(), 1, "{names:?}");
        assert!(names[0].contains("-held") && !seen.contains(&names[0]), "{names:?} {seen:?}");
        seen.extend(names);
    }
    for mut attempt in attempts {
        attempt.child.kill().await?;
        gone(&engine, &attempt.label()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn defect_7_a_creator_that_is_killed_half_way_is_replaced() -> TestResult {
    let engine = require_docker!();
    let run = RunId::new("half");
    let mut creator = run.start(&engine, "half").await?;
    let node = "dev.plimsoll.share=lives".to_owned();
    // Its container is there, and it waits for a line that never comes.
    let lease = loop {
        let found = leases(&engine, &node).await?;
        match found.into_iter().find(|lease| lease.contains(&run.0)) {
            Some(lease) => break format!("dev.plimsoll.lease={lease}"),
            // The engine's events would have to be subscribed to before the process starts.
            None if creator.child.try_wait()?.is_some() => return Err("it has ended".into()),
            None => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
        }
    };
    creator.child.kill().await?;
    let mut next = run.start(&engine, "share").await?;
    let id = next.line().await?;
    assert_eq!(count(&engine, &lease).await?, 1, "the husk is gone");
    assert_eq!(label(&engine, &id).await?, lease);
    next.child.kill().await?;
    remove(&engine, &lease).await
}

async fn leases(engine: &Engine, label: &str) -> Result<Vec<String>, Error> {
    let filters = Some([("label".to_owned(), vec![label.to_owned()])].into());
    let options = ListContainersOptions { all: true, filters, ..Default::default() };
    let listing = engine.call(|docker| async move { docker.list_containers(Some(options)).await });
    let labels = listing.await?.into_iter().filter_map(|found| found.labels);
    Ok(labels.filter_map(|mut labels| labels.remove("dev.plimsoll.lease")).collect())
}

/// This process is the runner, so it would be there until the end of it.
async fn remove(engine: &Engine, label: &str) -> TestResult {
    find(engine, label.to_owned()).await?;
    let filter = label.to_owned();
    engine
        .call(|docker| async move {
            plimsoll_reaper::Leftovers::find(&docker, &[filter]).await?.remove(&docker).await;
            Ok::<_, Error>(())
        })
        .await?;
    gone(engine, label).await?;
    Ok(())
}

#[tokio::test]
async fn edge_shared_end_a_test_that_outlives_its_runner_keeps_what_it_shares() -> TestResult {
    let engine = require_docker!();
    let (run, image) = (RunId::new("orphan"), SCRATCH.ensure(&engine).await?);
    let script = "NEXTEST_RUN_ID=$3 \"$1\" share \"$2\"; true";
    let mut runner = Command::new("sh")
        .args(["-c", script, "sh", env!("CARGO_BIN_EXE_lives"), &image, &run.0])
        .env_remove("NEXTEST_RUN_ID")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let end_of_the_test = runner.stdin.take();
    let mut lines = BufReader::new(runner.stdout.take().expect("piped")).lines();
    let id = lines.next_line().await?.ok_or("it has ended without a word")?;
    let lease = label(&engine, &id).await?;
    runner.kill().await?;
    // A process that comes now sweeps what belongs to the dead: not this.
    let mut other = Process::start(&engine, &["hold", "1"]).await?;
    assert_eq!(other.line().await?, "ready");
    assert_eq!(count(&engine, &lease).await?, 1);
    drop(end_of_the_test);
    gone(&engine, &lease).await?;
    other.child.kill().await?;
    gone(&engine, &other.label()).await?;
    Ok(())
}

/// As in a CI job: the session was begun outside of its process namespace, and has no number there.
#[tokio::test]
async fn edge_shared_end_is_found_where_the_session_has_no_number() -> TestResult {
    let engine = require_docker!();
    let (run, image) = (RunId::new("outside"), SCRATCH.ensure(&engine).await?);
    let unshared = ["--user", "--map-root-user", "--pid", "--fork", "--mount-proc"];
    // Root needs no namespace of users, and may have none.
    let root = rustix::process::getuid().is_root();
    let script = "for test in 1 2; do NEXTEST_RUN_ID=$3 \"$1\" share \"$2\" & done; wait; true";
    let mut runner = Command::new("unshare")
        .args(&unshared[if root { 2 } else { 0 }..])
        // Process 1 of the namespace is not the runner; and when it ends, so does all else there.
        .args(["sh", "-c", "sh -c \"$0\" \"$@\" </dev/null; cat", script])
        .args(["sh", env!("CARGO_BIN_EXE_lives"), &image, &run.0])
        .env_remove("NEXTEST_RUN_ID")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(runner.stdout.take().expect("piped")).lines();
    let mut ids = Vec::new();
    for _ in 0..2 {
        ids.push(lines.next_line().await?.ok_or("it has ended without a word")?);
    }
    assert_eq!(ids[0], ids[1]);
    // Its reaper removes it, since the runner has ended.
    let id = ids.remove(0);
    let gone = |docker: plimsoll_harness::testcontainers::bollard::Docker| async move {
        let condition = "removed".to_owned();
        let waiting = docker.wait_container(&id, Some(WaitContainerOptions { condition }));
        waiting.collect::<Vec<_>>().await
    };
    tokio::time::timeout(NEVER, engine.call(gone)).await?;
    drop(runner.stdin.take());
    runner.wait().await?;
    Ok(())
}

#[tokio::test]
async fn defect_7_threads_share_one_container_and_no_other() -> TestResult {
    let engine = require_docker!();
    let image = SCRATCH.ensure(&engine).await?;
    let definition = ContainerDefinition::new("threads", image)
        .cmd(["sh", "-c", "echo up; sleep 600"])
        .ready(LogWait::stdout("up").within(NEVER));
    let (first, second) = tokio::join!(
        scope::process("threads", || definition.clone()),
        scope::process("threads", || definition.clone()),
    );
    assert_eq!(first?.id(), second?.id());
    let other = definition.env("OTHER", "1");
    let error = scope::process("threads", || other).await.unwrap_err().to_string();
    assert!(error.starts_with("share `threads`: another test shares"), "{error}");
    Ok(())
}
