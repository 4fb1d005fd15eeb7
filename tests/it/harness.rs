//! The harness against a real engine.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use plimsoll_harness::testcontainers::bollard::query_parameters::{
    ListContainersOptions, ListNetworksOptions,
};
use plimsoll_harness::{
    Condition, ContainerDefinition, Engine, LogWait, Network, PortError, PullPolicy, StartError,
    WaitError, require_docker,
};
use plimsoll_tests::image::SCRATCH;

use crate::TestResult;

/// Longer than any of these tests takes; a wait that ends by it has failed.
pub(crate) const NEVER: Duration = Duration::from_secs(120);

pub(crate) async fn shell(
    engine: &Engine,
    name: &str,
    script: &str,
) -> Result<ContainerDefinition, Box<dyn std::error::Error + Send + Sync>> {
    let image = SCRATCH.ensure(engine).await?;
    Ok(ContainerDefinition::new(name, image).cmd(["sh", "-c", script]))
}

/// Whether the engine still has a container.
pub(crate) async fn is_there(engine: &Engine, id: &str) -> bool {
    let id = id.to_owned();
    engine.call(|docker| async move { docker.inspect_container(&id, None).await }).await.is_ok()
}

/// The containers of this process that carry the name, which is no other test's; running or not.
pub(crate) async fn left_behind(engine: &Engine, name: &str) -> usize {
    let pid = format!("dev.plimsoll.pid={}", std::process::id());
    let labels = vec![format!("dev.plimsoll.node={name}"), pid];
    let filters = Some(HashMap::from([("label".to_owned(), labels)]));
    let options = ListContainersOptions { all: true, filters, ..Default::default() };
    let listing = engine.call(|docker| async move { docker.list_containers(Some(options)).await });
    listing.await.unwrap().len()
}

#[tokio::test]
async fn ready_is_the_line_and_the_logs_have_it_all() -> TestResult {
    let engine = require_docker!();
    let script = "echo first; echo aside >&2; printf 'ready\\r\\n'; sleep 600";
    let wait = LogWait::stdout("^ready$").within(NEVER);
    let container = shell(&engine, "logs", script).await?.ready(wait).start().await?;
    assert_eq!(container.logs().stdout(), "first\nready\n");
    container.wait(&LogWait::stderr("aside").within(NEVER)).await?;
    assert_eq!(container.logs().stderr(), "aside\n");
    assert!(container.name().starts_with("plimsoll-"), "{}", container.name());
    Ok(())
}

#[tokio::test]
async fn defect_1_a_line_longer_than_a_frame_matches() -> TestResult {
    let engine = require_docker!();
    let script = "head -c 40000 /dev/zero | tr '\\0' x; echo needle; sleep 600";
    let wait = LogWait::stdout("^x{40000}needle$").within(NEVER);
    shell(&engine, "long-line", script).await?.ready(wait).start().await?;
    Ok(())
}

#[tokio::test]
async fn edge_exit_before_ready_ends_the_wait_with_code_and_last_lines() -> TestResult {
    let engine = require_docker!();
    let script = "seq 1 60; echo 'no database' >&2; exit 3";
    let definition = shell(&engine, "dies", script).await?;
    let begun = Instant::now();
    let error = definition.ready(LogWait::stdout("ready").within(NEVER)).start().await.unwrap_err();
    assert!(begun.elapsed() < NEVER / 2, "waited for the deadline");
    let message = error.to_string();
    let StartError::NotReady(WaitError::Exited { exit, tail, .. }) = error else {
        panic!("{message}");
    };
    assert_eq!((exit.code, tail.stderr), (3, vec!["no database".to_owned()]));
    assert_eq!((tail.stdout.len(), tail.stdout[0].as_str()), (50, "11"));
    assert!(message.starts_with("wait for `dies`: it exited with code 3 after"), "{message}");
    assert!(message.contains("not met log /ready/ on stdout"), "{message}");
    assert_eq!(left_behind(&engine, "dies").await, 0);
    Ok(())
}

#[tokio::test]
async fn defect_3_a_deadline_names_what_did_not_happen() -> TestResult {
    let engine = require_docker!();
    let definition = shell(&engine, "slow", "echo booting; sleep 600").await?;
    let booting = definition.clone().ready(LogWait::stdout("booting").within(NEVER));
    let container = booting.start().await?;
    let ready = LogWait::either("ready").within(Duration::from_millis(100));
    let message = container.wait(&ready).await.unwrap_err().to_string();
    for part in ["`slow`", "/ready/", " s, and it is still running", "booting"] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
    drop(container);
    let error = definition.ready(ready).start().await.unwrap_err();
    let StartError::NotReady(WaitError::TimedOut { elapsed, .. }) = error else {
        panic!("{error}");
    };
    assert!(elapsed >= Duration::from_millis(100), "{elapsed:?}");
    assert_eq!(left_behind(&engine, "slow").await, 0);
    Ok(())
}

#[tokio::test]
async fn defect_5_a_start_the_engine_refuses_leaves_no_husk() -> TestResult {
    let engine = require_docker!();
    let definition = shell(&engine, "husk", "").await?.entrypoint(["/no/such/program"]);
    let error = definition.start().await.unwrap_err();
    assert_eq!(error.to_string(), "start container `husk`");
    assert_eq!(left_behind(&engine, "husk").await, 0);
    Ok(())
}

#[tokio::test]
async fn edge_image_missing_is_not_pulled_unless_asked_for() {
    let _engine = require_docker!();
    let definition = ContainerDefinition::new("missing", "plimsoll-test/none:1");
    let image = definition.image.clone();
    assert_eq!(image.clone().pull(PullPolicy::Never), image);
    let message = definition.start().await.unwrap_err().to_string();
    let expected = "find image `plimsoll-test/none:1` for `missing`: ";
    assert!(message.starts_with(expected), "{message}");
}

#[tokio::test]
async fn a_dropped_container_is_gone_when_the_drop_returns() -> TestResult {
    let engine = require_docker!();
    let container = shell(&engine, "dropped", "sleep 600").await?.start().await?;
    assert_eq!(left_behind(&engine, "dropped").await, 1);
    drop(container);
    assert_eq!(left_behind(&engine, "dropped").await, 0);
    Ok(())
}

#[tokio::test]
async fn edge_panics_take_their_container_along() -> TestResult {
    let engine = require_docker!();
    let definition = shell(&engine, "panics", "sleep 600").await?;
    let test = tokio::spawn(async move {
        let _container = definition.start().await.unwrap();
        panic!("as tests do");
    });
    assert!(test.await.unwrap_err().is_panic());
    assert_eq!(left_behind(&engine, "panics").await, 0);
    Ok(())
}

#[test]
fn edge_async_drop_after_the_runtime_and_without_one() {
    let engine = require_docker!();
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let start = async {
        let definition = shell(&engine, "no-runtime", "sleep 600").await.unwrap();
        definition.start().await.unwrap()
    };
    let container = runtime().block_on(start);
    let exec = runtime().block_on(async { container.exec(["/busybox", "true"]).await }).unwrap();
    assert_eq!(exec.code, 0);
    drop(container);
    assert_eq!(runtime().block_on(left_behind(&engine, "no-runtime")), 0);
}

#[tokio::test]
async fn a_start_that_is_given_up_leaves_nothing() -> TestResult {
    let engine = require_docker!();
    let definition = shell(&engine, "given-up", "echo up; sleep 600").await?;
    let wait = LogWait::stdout("never").within(NEVER);
    let definition = definition.ready(wait);
    // While it is being created, while it starts, while it is waited for.
    for patience in [1, 50, 1500] {
        let patience = Duration::from_millis(patience);
        assert!(tokio::time::timeout(patience, definition.start()).await.is_err());
        assert_eq!(left_behind(&engine, "given-up").await, 0, "after {patience:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_wait_since_a_mark_sees_only_what_is_new() -> TestResult {
    let engine = require_docker!();
    let script = "while read line; do echo \"got $line\"; done </pipe & wait";
    let setup = format!("/busybox mkfifo /pipe; exec 3<>/pipe; echo ready; {script}");
    let ready = LogWait::stdout("ready").within(NEVER);
    let container = shell(&engine, "marks", &setup).await?.ready(ready).start().await?;
    let say = ["/busybox", "sh", "-c", "echo hello >/pipe"];
    let hello = LogWait::stdout("got hello").within(NEVER);
    container.exec(say).await?;
    container.wait(&hello).await?;
    let mark = container.mark();
    let brief = LogWait::stdout("got hello").within(Duration::from_millis(50));
    assert!(container.wait_since(mark, &brief).await.is_err());
    container.exec(say).await?;
    container.wait_since(mark, &hello).await?;
    Ok(())
}

#[tokio::test]
async fn exec_gives_code_and_both_streams() -> TestResult {
    let engine = require_docker!();
    let container = shell(&engine, "exec", "sleep 600").await?.start().await?;
    let output = container.exec(["/busybox", "sh", "-c", "echo out; echo err >&2; exit 4"]).await?;
    assert_eq!(
        (output.code, &output.stdout[..], &output.stderr[..]),
        (4, &b"out\n"[..], &b"err\n"[..])
    );
    Ok(())
}

#[tokio::test]
async fn files_environment_and_ports_are_as_defined() -> TestResult {
    let engine = require_docker!();
    let script = "/busybox stat -c %a /etc/deep/down/file; cat /etc/deep/down/file; \
                  echo $GREETING; exec /busybox nc -ll -p 7 -e /busybox cat";
    let container = shell(&engine, "defined", script)
        .await?
        .file("/etc/deep/down/file", "content\n", 0o640)
        .env("GREETING", "hello")
        .publish(7)
        .ready(Condition::Port(7).within(NEVER))
        .start()
        .await?;
    assert_eq!(container.logs().stdout(), "640\ncontent\nhello\n");
    let address = container.mapped_port(7).await?;
    assert!(address.ip().is_loopback());
    let error = container.mapped_port(8).await.unwrap_err();
    assert!(matches!(error, PortError::NotPublished { port: 8, .. }), "{error}");
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"ping")?;
    stream.shutdown(Shutdown::Write)?;
    let mut echo = String::new();
    stream.read_to_string(&mut echo)?;
    assert_eq!(echo, "ping");
    Ok(())
}

#[tokio::test]
async fn stop_lets_it_say_goodbye() -> TestResult {
    let engine = require_docker!();
    let script = "trap 'echo bye; exit 5' TERM; echo ready; while true; do sleep 0.05; done";
    let ready = LogWait::stdout("ready").within(NEVER);
    let container = shell(&engine, "stops", script).await?.ready(ready).start().await?;
    container.stop(NEVER).await?;
    assert_eq!(container.wait_exit(NEVER).await?, 5);
    assert_eq!(container.logs().stdout(), "ready\nbye\n");
    container.remove().await?;
    assert_eq!(left_behind(&engine, "stops").await, 0);
    Ok(())
}

#[tokio::test]
async fn containers_of_a_network_talk_by_alias() -> TestResult {
    let engine = require_docker!();
    let network = Network::create("talk").await?;
    let serve = "mkdir -p /www; echo pong >/www/index.html; exec /busybox httpd -f -p 80 -h /www";
    let server = shell(&engine, "server", serve).await?.network(&network, ["web"]);
    let _server = server.ready(Condition::Port(80).within(NEVER)).start().await?;
    let client = shell(&engine, "client", "sleep 600").await?;
    let client = client.network(&network, ["client"]).start().await?;
    for name in ["web", "server"] {
        let url = format!("http://{name}/");
        let answer = client.exec(["/busybox", "wget", "-q", "-O", "-", &url]).await?;
        assert_eq!(answer.stdout_text(), "pong\n", "{}", answer.stderr_text());
    }
    // The wrong order of drops: the network goes while containers are on it.
    let id = network.id().to_owned();
    drop(network);
    let filters = Some(HashMap::from([("id".to_owned(), vec![id])]));
    let options = ListNetworksOptions { filters };
    let networks =
        engine.call(|docker| async move { docker.list_networks(Some(options)).await }).await?;
    assert_eq!(networks.len(), 0);
    Ok(())
}
