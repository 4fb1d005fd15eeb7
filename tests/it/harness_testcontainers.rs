//! Images of testcontainers as nodes of a stack.

use std::time::{Duration, Instant};

use plimsoll_harness::testcontainers::core::wait::ExitWaitStrategy;
use plimsoll_harness::testcontainers::core::{ContainerPort, WaitFor};
use plimsoll_harness::testcontainers::{GenericImage, ImageExt};
use plimsoll_harness::{
    ContainerDefinition, Define, DefineError, Engine, Links, LogWait, PullPolicy, Ref, Stack,
    StackBuilder, StackError, StartError, TestcontainersImage, require_docker,
};
use plimsoll_tests::image::{REDIS, SCRATCH};
use testcontainers_modules::redis::Redis;

use crate::TestResult;
use crate::harness::{NEVER, is_there, left_behind};

#[derive(Clone, Debug)]
struct Client {
    image: String,
}

impl Define for Client {
    fn define(&self, links: &Links<'_>) -> Result<ContainerDefinition, DefineError> {
        let host = links.host(&App::REDIS)?;
        let ask = format!("printf 'PING\\r\\n' | /busybox nc -w 5 {host} 6379");
        Ok(ContainerDefinition::new(links.name(), &self.image)
            .cmd(["sh", "-c", &ask])
            .ready(LogWait::stdout("PONG").within(NEVER)))
    }
}

#[derive(Stack, Clone, Debug)]
struct App {
    redis: TestcontainersImage<Redis>,
    client: Client,
}

#[tokio::test]
async fn a_module_of_testcontainers_is_a_node() -> TestResult {
    let engine = require_docker!();
    let reference = REDIS.ensure(&engine).await?;
    let (name, tag) = reference.rsplit_once(':').ok_or("no tag")?;
    let (name, tag) = (name.to_owned(), tag.to_owned());
    let redis = TestcontainersImage::new(Redis::default())
        .pull(PullPolicy::Never)
        .with(move |request| request.with_name(&name).with_tag(&tag).with_label("team", "blue"));
    let app = App { redis, client: Client { image: SCRATCH.ensure(&engine).await? } };
    assert!(app.plan()?.to_string().starts_with(&format!("1. redis: {reference}\n")));
    let app = app.start().await?;
    assert!(app.client.logs().stdout().contains("PONG"));
    assert!(app.redis.name().starts_with("plimsoll-"), "{}", app.redis.name());
    app.redis.wait(&LogWait::stdout("Ready to accept connections").within(NEVER)).await?;
    let inspected = app.redis.inspect().await?;
    let labels = inspected.config.and_then(|config| config.labels).unwrap_or_default();
    assert_eq!((labels["team"].as_str(), labels["dev.plimsoll.node"].as_str()), ("blue", "redis"));
    let networks = inspected.network_settings.and_then(|all| all.networks).unwrap_or_default();
    assert_eq!(networks.len(), 1);
    let id = app.redis.id().to_owned();
    drop(app);
    assert!(!is_there(&engine, &id).await);
    Ok(())
}

/// A generic image of busybox that runs a script.
async fn busybox(
    engine: &Engine,
    script: &str,
    ready: WaitFor,
) -> Result<TestcontainersImage<GenericImage>, crate::Error> {
    let image = SCRATCH.ensure(engine).await?;
    let (name, tag) = image.rsplit_once(':').ok_or("no tag")?;
    let script = script.to_owned();
    Ok(TestcontainersImage::new(GenericImage::new(name, tag).with_wait_for(ready))
        .pull(PullPolicy::Never)
        .with(move |request| request.with_cmd(["sh", "-c", &script])))
}

fn start_error(error: StackError) -> StartError {
    match error {
        StackError::Node { source, .. } => *source,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn defect_11_the_first_byte_is_in_the_logs_and_both_ways_lead_by_name() -> TestResult {
    let engine = require_docker!();
    let script = "echo first; echo aside >&2; /busybox nslookup tc-peer 127.0.0.11 >/dev/null \
                  && echo found; echo up; exec /busybox sleep 600";
    let ready = WaitFor::message_on_stdout("up");
    let mut stack = StackBuilder::new();
    let peer = stack.node(
        "tc-peer",
        busybox(&engine, "echo up; exec /busybox sleep 600", ready.clone()).await?,
    );
    let reads = peer.clone();
    let node = busybox(&engine, script, ready)
        .await?
        .linked(move |request, links| Ok(request.with_env_var("PEER", links.host(&reads)?)));
    let node = stack.node("tc-logs", node);
    let plan = stack.plan()?.to_string();
    assert!(plan.lines().nth(1).is_some_and(|line| line.ends_with("(after tc-peer)")), "{plan}");
    let mut started = stack.start().await?;
    let container = started.take(&node).ok_or("no node")?;
    container.wait(&LogWait::stdout("up").within(NEVER)).await?;
    assert_eq!(container.logs().stdout(), "first\nfound\nup\n");
    container.wait(&LogWait::stderr("aside").within(NEVER)).await?;
    let peer = started.take(&peer).ok_or("no peer")?;
    let found = peer.exec(["/busybox", "nslookup", "tc-logs", "127.0.0.11"]).await?;
    assert_eq!(found.code, 0, "{}", found.stdout_text());
    Ok(())
}

#[tokio::test]
async fn defect_4_an_exit_ends_the_wait_with_code_and_last_lines() -> TestResult {
    let engine = require_docker!();
    let mut stack = StackBuilder::new();
    // testcontainers would look until the hour is over: a duration does not notice an exit.
    let ready = WaitFor::Duration { length: Duration::from_secs(3600) };
    stack.node("tc-exits", busybox(&engine, "echo 'no database' >&2; exit 3", ready).await?);
    let begun = Instant::now();
    let error = start_error(stack.start().await.unwrap_err());
    assert!(begun.elapsed() < NEVER / 2, "waited for the deadline");
    let message = error.to_string();
    let expected = "start `tc-exits` through testcontainers: \
                    it exited with code 3 before it was ready\n";
    assert!(message.starts_with(expected), "{message}");
    assert!(message.ends_with("\n    no database"), "{message}");
    assert_eq!(left_behind(&engine, "tc-exits").await, 0);
    Ok(())
}

#[tokio::test]
async fn a_container_that_is_to_exit_may() -> TestResult {
    let engine = require_docker!();
    let mut stack = StackBuilder::new();
    let ready = WaitFor::exit(ExitWaitStrategy::new().with_exit_code(3));
    let node = stack.node("tc-one-shot", busybox(&engine, "echo done; exit 3", ready).await?);
    let mut started = stack.start().await?;
    let container = started.take(&node).ok_or("no node")?;
    assert_eq!(container.wait_exit(NEVER).await?, 3);
    assert_eq!(container.logs().stdout(), "done\n");
    Ok(())
}

#[tokio::test]
async fn defect_5_a_failed_start_leaves_no_container() -> TestResult {
    let engine = require_docker!();
    let mut stack = StackBuilder::new();
    let node = busybox(&engine, "", WaitFor::Nothing).await?;
    stack.node("tc-husk", node.with(|request| request.with_working_dir("/busybox")));
    let message = start_error(stack.start().await.unwrap_err()).to_string();
    assert!(message.starts_with("start `tc-husk` through testcontainers: "), "{message}");
    assert_eq!(left_behind(&engine, "tc-husk").await, 0);
    Ok(())
}

#[tokio::test]
async fn defect_5_a_deadline_of_testcontainers_leaves_no_container() -> TestResult {
    let engine = require_docker!();
    let mut stack = StackBuilder::new();
    let never = WaitFor::message_on_stdout("never");
    let node = busybox(&engine, "echo booting; exec /busybox sleep 600", never).await?;
    let node = node.with(|request| request.with_startup_timeout(Duration::from_millis(1200)));
    stack.node("tc-slow", node);
    let message = start_error(stack.start().await.unwrap_err()).to_string();
    assert!(message.contains("timeout"), "{message}");
    assert!(message.contains("\n    booting"), "{message}");
    assert_eq!(left_behind(&engine, "tc-slow").await, 0);
    Ok(())
}

#[tokio::test]
async fn one_that_is_given_up_leaves_nothing() -> TestResult {
    let engine = require_docker!();
    for patience in [1, 200, 1500] {
        let mut stack = StackBuilder::new();
        let never = WaitFor::message_on_stdout("never");
        stack.node("tc-given-up", busybox(&engine, "exec /busybox sleep 600", never).await?);
        let patience = Duration::from_millis(patience);
        assert!(tokio::time::timeout(patience, stack.start()).await.is_err());
        assert_eq!(left_behind(&engine, "tc-given-up").await, 0, "after {patience:?}");
    }
    Ok(())
}

#[tokio::test]
async fn its_commands_ports_and_host_settings_are_kept() -> TestResult {
    let engine = require_docker!();
    let serve = "mkdir -p /www; exec /busybox httpd -f -p 80 -h /www";
    let image = busybox(&engine, serve, WaitFor::Nothing).await?.with(|request| {
        request
            .with_mapped_port(0, ContainerPort::Tcp(80))
            .with_host_config_modifier(|host| host.init = Some(true))
    });
    let mut stack = StackBuilder::new();
    let node = stack.node("tc-settings", image);
    let mut started = stack.start().await?;
    let container = started.take(&node).ok_or("no node")?;
    assert_ne!(container.mapped_port(80).await?.port(), 0);
    let host = container.inspect().await?.host_config.unwrap_or_default();
    assert_eq!(host.init, Some(true));
    Ok(())
}

#[test]
fn an_image_is_planned_without_an_engine() -> TestResult {
    let mut stack = StackBuilder::new();
    let unknown = Ref::<Client>::new("nobody");
    let image = TestcontainersImage::new(GenericImage::new("a", "1"));
    stack.node(
        "tc-plan",
        image.linked(move |request, links| {
            links.host(&unknown)?;
            Ok(request)
        }),
    );
    let message = stack.plan().unwrap_err().to_string();
    assert_eq!(message, "define `tc-plan`: it reads `nobody`, and the stack has only `tc-plan`");
    Ok(())
}
