//! Stacks against a real engine.

use std::collections::HashMap;
use std::time::Duration;

use plimsoll_harness::testcontainers::bollard::query_parameters::{
    ListNetworksOptions, ListVolumesOptions,
};
use plimsoll_harness::{
    Container, ContainerDefinition, Define, DefineError, Engine, Links, LogWait, NetworkDefinition,
    Ref, Stack, StackBuilder, StackError, StartError, VolumeDefinition, WaitError, require_docker,
};
use plimsoll_tests::image::SCRATCH;

use crate::TestResult;
use crate::harness::{NEVER, is_there, left_behind};

/// A shell script that is ready when it says so, after the nodes it needs.
#[derive(Clone, Debug)]
struct Script {
    image: String,
    text: String,
    needs: Vec<&'static str>,
}

impl Define for Script {
    fn define(&self, links: &Links<'_>) -> Result<ContainerDefinition, DefineError> {
        for needed in &self.needs {
            links.node(&Ref::<Script>::new(needed))?;
        }
        Ok(ContainerDefinition::new(links.name(), &self.image)
            .cmd(["sh", "-c", &self.text])
            .mount(links.volume(&Ref::new("files"))?.at("/files"))
            .ready(LogWait::stdout("^ready$").within(NEVER)))
    }

    async fn clean(
        &self,
        container: &Container,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let output = container.exec(["/busybox", "rm", "/files/dirt"]).await?;
        if output.code == 0 { Ok(()) } else { Err(output.stderr_text().into()) }
    }
}

/// Scripts that share a volume, by name.
async fn scripts(
    engine: &Engine,
    nodes: &[(&'static str, &str, &[&'static str])],
) -> Result<StackBuilder, crate::Error> {
    let image = SCRATCH.ensure(engine).await?;
    let mut stack = StackBuilder::new();
    stack.node("files", VolumeDefinition::default());
    for (name, text, needs) in nodes {
        let text = (*text).to_owned();
        stack.node(*name, Script { image: image.clone(), text, needs: needs.to_vec() });
    }
    Ok(stack)
}

/// What this process has on the engine, by the names of its nodes.
async fn all_left(engine: &Engine, containers: &[&str]) -> Vec<String> {
    let mut left = Vec::new();
    for name in containers {
        left.extend((left_behind(engine, name).await > 0).then(|| (*name).to_owned()));
    }
    left
}

#[derive(Clone, Debug)]
struct Db {
    image: String,
    row: String,
}

impl Define for Db {
    fn define(&self, links: &Links<'_>) -> Result<ContainerDefinition, DefineError> {
        let script = "echo \"$ROW\" >/files/row; /busybox httpd -p 80 -h /files; echo ready; \
                      exec /busybox sleep 600";
        Ok(ContainerDefinition::new(links.name(), &self.image)
            .cmd(["sh", "-c", script])
            .env("ROW", &self.row)
            .mount(links.volume(&Site::STATIC_FILES)?.at("/files"))
            .ready(LogWait::stdout("ready").within(NEVER)))
    }
}

#[derive(Clone, Debug)]
struct Web {
    image: String,
}

impl Define for Web {
    fn define(&self, links: &Links<'_>) -> Result<ContainerDefinition, DefineError> {
        let (host, row) = (links.host(&Site::THE_DB)?, &links.node(&Site::THE_DB)?.row);
        let script = format!(
            "cat /srv/row; /busybox wget -qO - http://{host}/row; echo expected {row}; \
             exec /busybox sleep 600"
        );
        Ok(ContainerDefinition::new(links.name(), &self.image)
            .cmd(["sh", "-c", &script])
            .mount(links.volume(&Site::STATIC_FILES)?.read_only().at("/srv"))
            .ready(LogWait::stdout("expected").within(NEVER)))
    }
}

#[derive(Stack, Clone, Debug)]
struct Site {
    static_files: VolumeDefinition,
    the_db: Db,
    web: Web,
}

impl Site {
    async fn new(engine: &Engine) -> Result<Self, crate::Error> {
        let image = SCRATCH.ensure(engine).await?;
        Ok(Self {
            static_files: VolumeDefinition::default(),
            the_db: Db { image: image.clone(), row: "one row".to_owned() },
            web: Web { image },
        })
    }
}

#[tokio::test]
async fn a_derived_stack_starts_talks_and_goes() -> TestResult {
    let engine = require_docker!();
    let mut site = Site::new(&engine).await?;
    site.the_db.row = "another row".to_owned();
    let live = site.start().await?;
    let expected = "another row\nanother row\nexpected another row\n";
    assert_eq!(live.web.logs().stdout(), expected, "{}", live.web.tail());
    assert_eq!(live.the_db.definition().row, "another row");
    // Still, now that all are ready.
    let row = ["/busybox", "wget", "-qO", "-", "http://the-db/row"];
    assert_eq!(live.web.exec(row).await?.success()?.stdout_text(), "another row\n");
    let names: Vec<_> = live.plan().nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["static-files", "the-db", "web"]);
    let volume = live.static_files.name().to_owned();
    let network = live.web.inspect().await?.network_settings.and_then(|all| all.networks);
    let networks: Vec<_> =
        network.unwrap_or_default().into_values().filter_map(|end| end.network_id).collect();
    assert_eq!(networks.len(), 1);
    let ids = [live.the_db.id().to_owned(), live.web.id().to_owned()];
    drop(live);
    for id in ids {
        assert!(!is_there(&engine, &id).await, "{id}");
    }
    let filters = Some(HashMap::from([("id".to_owned(), networks)]));
    let options = ListNetworksOptions { filters };
    let left =
        engine.call(|docker| async move { docker.list_networks(Some(options)).await }).await?;
    assert_eq!(left.len(), 0);
    let filters = Some(HashMap::from([("name".to_owned(), vec![volume])]));
    let options = ListVolumesOptions { filters };
    let left =
        engine.call(|docker| async move { docker.list_volumes(Some(options)).await }).await?;
    assert_eq!(left.volumes.unwrap_or_default().len(), 0);
    Ok(())
}

#[tokio::test]
async fn edge_parallel_names_two_stacks_of_one_kind_do_not_meet() -> TestResult {
    let engine = require_docker!();
    let (mut one, mut two) = (Site::new(&engine).await?, Site::new(&engine).await?);
    one.the_db.row = "first".to_owned();
    two.the_db.row = "second".to_owned();
    let (one, two) = tokio::join!(one.start(), two.start());
    assert_eq!(one?.web.logs().stdout(), "first\nfirst\nexpected first\n");
    assert_eq!(two?.web.logs().stdout(), "second\nsecond\nexpected second\n");
    Ok(())
}

#[tokio::test]
async fn nodes_start_in_parallel() -> TestResult {
    let engine = require_docker!();
    // Each is ready once the other runs: one after the other they never would be.
    let meet = |own: &str, other: &str| {
        format!("echo >/files/{own}; until test -e /files/{other}; do sleep 0.01; done; echo ready")
    };
    let (one, other) = (meet("one", "other"), meet("other", "one"));
    let stack = scripts(&engine, &[("meet-one", &one, &[]), ("meet-other", &other, &[])]).await?;
    stack.start().await?;
    Ok(())
}

#[tokio::test]
async fn a_node_waits_for_its_own_dependencies_only() -> TestResult {
    let engine = require_docker!();
    // `own-slow` is ready once `own-second` runs, which needs `own-first`: in waves, that would
    // never be.
    let slow = "until test -e /files/second; do sleep 0.01; done; echo ready";
    let second = "echo >/files/second; echo ready";
    let nodes: &[(_, &str, &[_])] = &[
        ("own-slow", slow, &[]),
        ("own-first", "echo ready", &[]),
        ("own-second", second, &["own-first"]),
    ];
    scripts(&engine, nodes).await?.start().await?;
    Ok(())
}

#[tokio::test]
async fn edge_failed_dependency_is_named_with_what_was_skipped_and_nothing_remains() -> TestResult {
    let engine = require_docker!();
    let nodes: &[(_, &str, &[_])] = &[
        ("fails-fine", "echo ready; /busybox sleep 600", &[]),
        ("fails-never-ready", "/busybox sleep 600", &[]),
        ("fails-db", "echo 'no licence' >&2; exit 4", &["fails-fine"]),
        ("fails-web", "echo ready", &["fails-db"]),
        ("fails-worker", "echo ready", &["fails-web"]),
    ];
    let error = scripts(&engine, nodes).await?.start().await.unwrap_err();
    let message = error.to_string();
    let expected = "start the stack: `fails-db` failed; skipped because they need it: \
                    `fails-web`, `fails-worker`; given up: `fails-never-ready`";
    assert_eq!(message, expected);
    let StackError::Node { source, .. } = error else { panic!("{message}") };
    let StartError::NotReady(WaitError::Exited { exit, tail, .. }) = *source else {
        panic!("{source}");
    };
    assert_eq!((exit.code, tail.stderr), (4, vec!["no licence".to_owned()]));
    let names: Vec<_> = nodes.iter().map(|(name, ..)| *name).collect();
    assert_eq!(all_left(&engine, &names).await, [""; 0]);
    Ok(())
}

#[tokio::test]
async fn a_stack_that_is_given_up_leaves_nothing() -> TestResult {
    let engine = require_docker!();
    let nodes: &[(_, &str, &[_])] = &[
        ("given-fast", "echo ready; /busybox sleep 600", &[]),
        ("given-slow", "/busybox sleep 600", &["given-fast"]),
    ];
    for patience in [1, 300, 1500] {
        let stack = scripts(&engine, nodes).await?;
        let patience = Duration::from_millis(patience);
        assert!(tokio::time::timeout(patience, stack.start()).await.is_err());
        let left = all_left(&engine, &["given-fast", "given-slow"]).await;
        assert_eq!(left, [""; 0], "after {patience:?}");
    }
    Ok(())
}

#[tokio::test]
async fn containers_stop_in_reverse() -> TestResult {
    let engine = require_docker!();
    let on_stop = |action: &str| {
        format!("trap '{action}; exit' TERM; echo ready; while true; do sleep 0.02; done")
    };
    let db = on_stop("test -e /files/web-stopped && echo after the web");
    let web = on_stop("echo >/files/web-stopped");
    let nodes: &[(_, &str, &[_])] = &[("stop-db", &db, &[]), ("stop-web", &web, &["stop-db"])];
    let mut started = scripts(&engine, nodes).await?.start().await?;
    let db = started.take(&Ref::<Script>::new("stop-db")).ok_or("no db")?;
    started.guard().stop(NEVER).await?;
    db.wait_exit(NEVER).await?;
    assert_eq!(db.logs().stdout(), "ready\nafter the web\n");
    Ok(())
}

#[tokio::test]
async fn a_node_is_cleaned_as_its_definition_says() -> TestResult {
    let engine = require_docker!();
    let nodes: &[(_, &str, &[_])] =
        &[("cleaned", "echo >/files/dirt; echo ready; /busybox sleep 600", &[])];
    let mut started = scripts(&engine, nodes).await?.start().await?;
    let reference = Ref::<Script>::new("cleaned");
    assert!(started.take(&Ref::<VolumeDefinition>::new("cleaned")).is_none());
    let node = started.take(&reference).ok_or("no node")?;
    assert!(started.take(&reference).is_none());
    node.clean().await?;
    let error = node.clean().await.unwrap_err();
    assert_eq!(error.to_string(), "clean `cleaned`");
    assert!(error.source.to_string().contains("No such file"), "{}", error.source);
    Ok(())
}

/// Whether a container can find a name.
async fn finds(container: &Container, name: &str) -> Result<bool, crate::Error> {
    Ok(container.exec(["/busybox", "nslookup", name, "127.0.0.11"]).await?.code == 0)
}

#[tokio::test]
async fn networks_of_a_stack_keep_nodes_apart() -> TestResult {
    #[derive(Clone, Debug)]
    struct On(String, String, Vec<&'static str>);
    impl Define for On {
        fn define(&self, links: &Links<'_>) -> Result<ContainerDefinition, DefineError> {
            let mut definition = ContainerDefinition::new(links.name(), &self.0);
            for name in &self.2 {
                let attachment = links.network(&Ref::new(name))?;
                definition = definition.attach(attachment.alias(format!("{}-alias", links.name())));
            }
            Ok(definition.cmd(["sh", "-c", &self.1]))
        }
    }
    let engine = require_docker!();
    let image = SCRATCH.ensure(&engine).await?;
    let wait = "/busybox sleep 600";
    let mut stack = StackBuilder::new();
    for network in ["front", "back"] {
        stack.node(network, NetworkDefinition::default());
    }
    let proxy = stack.node("apart-proxy", On(image.clone(), wait.into(), vec!["front", "back"]));
    stack.node("apart-db", On(image.clone(), wait.into(), vec!["back"]));
    let client = stack.node("apart-client", On(image, wait.into(), vec!["front"]));
    let mut started = stack.start().await?;
    let (proxy, client) =
        (started.take(&proxy).ok_or("proxy")?, started.take(&client).ok_or("client")?);
    assert!(finds(&proxy, "apart-db").await? && finds(&proxy, "apart-client-alias").await?);
    assert!(finds(&client, "apart-proxy-alias").await?);
    assert!(!finds(&client, "apart-db").await?);
    Ok(())
}

#[plimsoll_harness::test]
async fn the_attribute_runs_async_tests() -> TestResult {
    let engine = Engine::connect()?;
    tokio::time::timeout(NEVER, engine.call(|docker| async move { docker.ping().await })).await??;
    Ok(())
}

#[plimsoll_harness::test]
#[should_panic(expected = "as tests do")]
fn the_attribute_runs_plain_tests() {
    assert!(Engine::connect().is_err(), "as tests do");
}
