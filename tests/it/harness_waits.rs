//! Every kind of wait against a real engine: that it ends when it should, and what it says when
//! it fails.

use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use plimsoll_harness::testcontainers::bollard::models::{ContainerConfig, ContainerUpdateBody};
use plimsoll_harness::testcontainers::bollard::query_parameters::CommitContainerOptions;
use plimsoll_harness::{
    Condition, Engine, ExecWait, HttpWait, LogPattern, LogWait, StartError, Wait, WaitError,
    require_docker,
};

use crate::harness::{NEVER, left_behind, shell};
use crate::{Error, TestResult};

/// A requirement is 100 ms from a container's exit to the error; this is generous.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Serves `/www` after a while, with a page that is there and scripts.
const SERVE: &str = "mkdir -p /www/cgi-bin; echo '{\"up\": true}' >/www/health.html; \
                     exec /busybox httpd -f -p 80 -h /www";

#[tokio::test]
async fn defect_4_an_exit_ends_every_kind_of_wait_at_once() -> TestResult {
    let engine = require_docker!();
    let definition = shell(&engine, "killed", "echo going >&2; sleep 600").await?.publish(80);
    let container = definition.start().await?;
    container.wait(LogWait::stderr("going").within(NEVER)).await?;
    let waits: [Wait; 6] = [
        LogWait::stdout("never").within(NEVER),
        HttpWait::get("/").within(NEVER),
        Condition::Port(80).within(NEVER),
        ExecWait::new(["/busybox", "false"]).within(NEVER),
        Condition::Exit(0).within(NEVER),
        Condition::until("pigs fly", |_| async { Err("not yet".into()) }).within(NEVER),
    ];
    let waiting: Vec<_> = waits
        .into_iter()
        .map(|wait| {
            let container = container.handle();
            tokio::spawn(async move { (container.wait(wait).await, Instant::now()) })
        })
        .collect();
    // Each of them is under way when it has asked once.
    container.wait(ExecWait::new(["/busybox", "true"]).within(NEVER)).await?;
    let killed = Instant::now();
    container.kill("SIGKILL").await?;
    for waiting in waiting {
        let (ended, at) = waiting.await?;
        let error = ended.unwrap_err();
        let WaitError::Exited { exit, tail, .. } = &error else { panic!("{error}") };
        assert_eq!((exit.code, exit.signal(), exit.oom_killed), (137, Some("SIGKILL"), false));
        assert_eq!(tail.stderr, ["going"]);
        assert!(at.duration_since(killed) < AT_ONCE, "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn edge_out_of_memory_before_ready_is_named() -> TestResult {
    let engine = require_docker!();
    let script = "/busybox mkfifo /pipe; echo up; read go </pipe; exec /busybox tail /dev/zero";
    let definition = shell(&engine, "greedy", script).await?;
    let container = definition.ready(LogWait::stdout("up").within(NEVER)).start().await?;
    let id = container.id().to_owned();
    let limit = ContainerUpdateBody {
        memory: Some(16 << 20),
        memory_swap: Some(16 << 20),
        ..ContainerUpdateBody::default()
    };
    engine.call(|docker| async move { docker.update_container(&id, limit).await }).await?;
    container.exec(["/busybox", "sh", "-c", "echo go >/pipe"]).await?.success()?;
    let error = container.wait(LogWait::stdout("never").within(NEVER)).await.unwrap_err();
    let message = error.to_string();
    assert!(message.contains("exited with code 137 (SIGKILL; out of memory)"), "{message}");
    Ok(())
}

#[tokio::test]
async fn defect_3_a_timeout_says_how_far_every_condition_had_come() -> TestResult {
    let engine = require_docker!();
    let script = "echo Booting worker 1; echo 'Listening on: 80'; sleep 600";
    let container = shell(&engine, "slow-start", script).await?.publish(80).start().await?;
    container.wait(LogWait::stdout("Listening").within(NEVER)).await?;
    let ready = Condition::all([
        LogWait::unordered([
            LogPattern::stdout("Booting worker").times(2),
            LogPattern::stdout("Listening at: 80"),
        ])
        .into(),
        HttpWait::get("/health").status(200).into(),
        ExecWait::new(["/busybox", "ls", "/nothing"]).into(),
        ExecWait::new(["/busybox", "true"]).into(),
    ]);
    let error = container.wait(ready.within(Duration::from_secs(2))).await.unwrap_err();
    let WaitError::TimedOut { state, ports, elapsed, .. } = &error else { panic!("{error}") };
    assert!(*elapsed >= Duration::from_secs(2), "{elapsed:?}");
    let met: Vec<_> = state.parts.iter().map(|part| part.met).collect();
    assert_eq!(met, [false, false, false, true]);
    let logs = state.parts[0].logs.as_ref().expect("what became of the patterns");
    assert_eq!(logs.patterns[0].matched[0].text(), "Booting worker 1");
    assert_eq!(logs.unmatched().count(), 2);
    assert_eq!((ports[0].port.as_str(), ports[0].addresses.len()), ("80/tcp", 1));
    let message = error.to_string();
    for part in [
        "wait for `slow-start`: not within 2",
        "nearest Listening on: 80 (similar)",
        "not met GET /health is answered with 200",
        "/nothing: No such file",
        "met     command `/busybox true`",
        "80/tcp at 127.0.0.1:",
    ] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
    Ok(())
}

#[tokio::test]
async fn an_http_wait_looks_at_status_headers_and_body() -> TestResult {
    let engine = require_docker!();
    let serve = format!("sleep 0.2; {SERVE}");
    let healthy = HttpWait::get("/health.html?deep=1")
        .status(200..=299)
        .response_header("Content-Type", "^text/html")
        .body(r#""up":\s*true"#);
    let definition = shell(&engine, "health", &serve).await?.publish(80);
    let container = definition.ready(healthy.within(NEVER)).start().await?;
    container.wait(HttpWait::get("/nothing").port(80).status(404).within(NEVER)).await?;
    let brief = Duration::from_millis(300);
    let wrong = HttpWait::get("/nothing").status(200).status(204).within(brief);
    let message = container.wait(wrong).await.unwrap_err().to_string();
    assert!(message.contains("answered with 404"), "{message}");
    let begun = Instant::now();
    let closed = container.wait(HttpWait::get("/").port(81).within(NEVER)).await.unwrap_err();
    assert!(begun.elapsed() < NEVER / 2);
    assert!(matches!(closed, WaitError::Impossible { .. }), "{closed}");
    assert!(closed.to_string().contains("find port 81 of `health`"), "{closed}");
    Ok(())
}

#[tokio::test]
async fn edge_published_port_is_ready_when_the_service_listens() -> TestResult {
    let engine = require_docker!();
    let script = "/busybox mkfifo /pipe; echo up; read go </pipe; \
                  exec /busybox nc -ll -p 7 -e /busybox echo hello";
    let definition = shell(&engine, "proxied", script).await?.publish(7);
    let container = definition.ready(LogWait::stdout("up").within(NEVER)).start().await?;
    // The engine's proxy accepts, though nobody listens.
    let mut stream = TcpStream::connect(container.mapped_port(7).await?)?;
    let mut greeting = String::new();
    assert!(stream.read_to_string(&mut greeting).is_err() || greeting.is_empty());
    let port = || Condition::Port(7);
    let error = container.wait(port().within(Duration::from_millis(500))).await.unwrap_err();
    assert!(matches!(error, WaitError::TimedOut { .. }), "{error}");
    container.exec(["/busybox", "sh", "-c", "echo go >/pipe"]).await?.success()?;
    container.wait(port().within(NEVER)).await?;
    TcpStream::connect(container.mapped_port(7).await?)?.read_to_string(&mut greeting)?;
    assert_eq!(greeting, "hello\n");
    Ok(())
}

#[tokio::test]
async fn a_port_that_is_not_published_can_be_waited_for() -> TestResult {
    let engine = require_docker!();
    let definition = shell(&engine, "inside", SERVE).await?;
    definition.ready(Condition::Port(80).within(NEVER)).start().await?;
    Ok(())
}

/// The scratch image with a health check: whether there is a file.
async fn with_health_check(engine: &Engine) -> Result<String, Error> {
    let container = shell(engine, "health-check-image", "true").await?.start().await?;
    let check = "HEALTHCHECK --interval=100ms --retries=1 \
                 CMD [\"/busybox\", \"ls\", \"/healthy\"]";
    let options = CommitContainerOptions {
        container: Some(container.id().to_owned()),
        repo: Some("plimsoll-test/health-check".to_owned()),
        tag: Some("1".to_owned()),
        changes: Some(check.to_owned()),
        ..CommitContainerOptions::default()
    };
    let committing = |docker: plimsoll_harness::testcontainers::bollard::Docker| async move {
        docker.commit_container(options, ContainerConfig::default()).await
    };
    engine.call(committing).await?;
    Ok("plimsoll-test/health-check:1".to_owned())
}

#[tokio::test]
async fn a_health_check_is_waited_for_through_failures() -> TestResult {
    let engine = require_docker!();
    let mut definition = shell(&engine, "checked", "sleep 600").await?;
    let error = definition.clone().ready(Condition::Healthcheck.within(NEVER)).start().await;
    let message = error.unwrap_err().to_string();
    assert!(message.contains("it has no health check"), "{message}");
    definition.image = with_health_check(&engine).await?.into();
    let container = definition.start().await?;
    let brief = Condition::Healthcheck.within(Duration::from_secs(5));
    let message = container.wait(brief).await.unwrap_err().to_string();
    assert!(message.contains("unhealthy: exit code 1: ls: /healthy"), "{message}");
    container.write_file("/healthy", "", 0o644).await?;
    container.wait(Condition::Healthcheck.within(NEVER)).await?;
    Ok(())
}

#[tokio::test]
async fn a_command_is_run_until_it_succeeds() -> TestResult {
    let engine = require_docker!();
    let script = "sleep 0.3; echo 3 >/count; sleep 600";
    let counted = ExecWait::new(["/busybox", "cat", "/count"])
        .user("0:0")
        .until("there are three", |output| output.stdout_text().trim() == "3");
    let definition = shell(&engine, "counts", script).await?;
    let container = definition.ready(counted.within(NEVER)).start().await?;
    assert_eq!(container.read_file("/count").await?, b"3\n");
    Ok(())
}

#[tokio::test]
async fn edge_one_shot_is_ready_when_it_has_exited_well() -> TestResult {
    let engine = require_docker!();
    let migrate = |code: u8| format!("echo migrating; echo done; exit {code}");
    let done = Condition::all([LogWait::ordered(["migrating", "done"]).into(), Condition::Exit(0)]);
    let definition = shell(&engine, "one-shot", &migrate(0)).await?;
    let container = definition.ready(done.clone().within(NEVER)).start().await?;
    assert_eq!(container.logs().stdout(), "migrating\ndone\n");
    let definition = shell(&engine, "one-shot-fails", &migrate(4)).await?;
    let error = definition.ready(done.within(NEVER)).start().await.unwrap_err();
    let StartError::NotReady(WaitError::Exited { exit, state, .. }) = error else {
        panic!("{error}");
    };
    assert_eq!((exit.code, state.parts[0].met, state.parts[1].met), (4, true, false));
    assert_eq!(left_behind(&engine, "one-shot-fails").await, 0);
    Ok(())
}

#[tokio::test]
async fn defect_11_any_of_several_is_enough_and_a_function_may_decide() -> TestResult {
    let engine = require_docker!();
    let definition = shell(&engine, "any", "echo primary; sleep 600").await?;
    let role =
        Condition::any([LogWait::stdout("^replica$").into(), LogWait::stdout("^primary$").into()]);
    let container = definition.ready(role.within(NEVER)).start().await?;
    let decided = Condition::until("the file is there", |container| async move {
        container.read_file("/decided").await?;
        Ok(())
    });
    let brief = decided.clone().within(Duration::from_millis(300));
    let message = container.wait(brief).await.unwrap_err().to_string();
    assert!(message.contains("not met the file is there"), "{message}");
    container.write_file("/decided", "yes", 0o600).await?;
    container.wait(decided.within(NEVER)).await?;
    let nothing = container.wait(Condition::any([])).await.unwrap_err();
    assert!(matches!(nothing, WaitError::Impossible { .. }), "{nothing}");
    Ok(())
}
