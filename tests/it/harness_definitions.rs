//! What a definition says, and the engine does.

use plimsoll_harness::testcontainers::bollard::errors::Error as ApiError;
use plimsoll_harness::testcontainers::bollard::models::RestartPolicyNameEnum;
use plimsoll_harness::testcontainers::bollard::query_parameters::RemoveImageOptions;
use plimsoll_harness::{
    Build, Condition, ContainerDefinition, Healthcheck, ImageError, Limits, LogWait, Mount,
    Network, NetworkAttachment, PublishedPort, PullPolicy, StartError, VolumeDefinition,
    require_docker,
};
use plimsoll_tests::image::SCRATCH;

use crate::TestResult;
use crate::harness::{NEVER, left_behind, shell};

/// Runs it to its end, and gives what it wrote to standard output.
async fn output(definition: ContainerDefinition) -> Result<String, crate::Error> {
    let container = definition.start().await?;
    let code = container.wait_exit(NEVER).await?;
    if code == 0 { Ok(container.logs().stdout()) } else { Err(container.tail().to_string().into()) }
}

#[tokio::test]
async fn mounts_are_shared_bound_and_in_memory() -> TestResult {
    let engine = require_docker!();
    let volume = VolumeDefinition::default().create("definition-files").await?;
    let host = tempfile::tempdir()?;
    std::fs::write(host.path().join("greeting"), "hello from the host\n")?;
    let writer = shell(&engine, "mounts-write", "echo shared >/srv/files/a").await?;
    output(writer.mount(Mount::volume(&volume, "/srv/files"))).await?;
    let script = "cat /srv/files/a /host/greeting; echo no >/srv/files/b || echo read-only; \
                  /busybox stat -c '%a %u' /memory; /busybox df -k /memory | /busybox tail -1 \
                  | /busybox awk '{print $2}'";
    let reader = shell(&engine, "mounts-read", script)
        .await?
        .mount(Mount::volume(&volume, "/srv/files").read_only())
        .mount(Mount::bind(host.path(), "/host").read_only())
        .mount(Mount::tmpfs("/memory").option("uid=70").option("mode=750").option("size=1m"));
    let expected = "shared\nhello from the host\nread-only\n750 70\n1024\n";
    assert_eq!(output(reader).await?, expected);
    volume.remove().await?;
    Ok(())
}

#[tokio::test]
async fn a_volume_in_use_is_named_and_not_removed() -> TestResult {
    let engine = require_docker!();
    let volume = VolumeDefinition::default().create("definition-used").await?;
    let definition = shell(&engine, "uses-volume", "sleep 600").await?;
    let container = definition.mount(Mount::volume(&volume, "/files")).start().await?;
    let error = volume.remove().await.unwrap_err();
    assert_eq!(error.to_string(), "remove volume `definition-used`");
    drop(container);
    Ok(())
}

#[tokio::test]
async fn who_where_and_with_what() -> TestResult {
    let engine = require_docker!();
    let script = "/busybox id -u; pwd; /busybox hostname; /busybox nslookup db.test >/dev/null 2>&1; \
                  /busybox grep db.test /etc/hosts | /busybox awk '{print $1}'; \
                  echo x >/file || echo read-only; test -t 0 && echo terminal; \
                  ulimit -n; /busybox ps | /busybox grep -c init";
    let mut definition = shell(&engine, "settings", script).await?.user("1234").limits(Limits {
        ulimits: vec![plimsoll_harness::Ulimit { name: "nofile".into(), soft: 77, hard: 99 }],
        ..Limits::default()
    });
    definition.working_dir = Some("/proc".into());
    definition.hostname = Some("here".into());
    definition.hosts.push(("db.test".into(), "192.0.2.7".into()));
    definition.read_only_root = true;
    definition.tty = true;
    definition.init = true;
    definition.open_stdin = true;
    let container = definition.label("team", "blue").start().await?;
    assert_eq!(container.wait_exit(NEVER).await?, 0, "{}", container.tail());
    let written = container.logs().stdout();
    let lines: Vec<_> = written.lines().filter(|line| !line.contains("Read-only")).collect();
    let expected = ["1234", "/proc", "here", "192.0.2.7", "read-only", "terminal", "77"];
    assert_eq!(lines[..7], expected, "{written}");
    assert_ne!(lines[7], "0", "{written}");
    let labels = container.inspect().await?.config.and_then(|config| config.labels);
    assert_eq!(labels.unwrap_or_default()["team"], "blue");
    Ok(())
}

#[tokio::test]
async fn edge_out_of_memory_is_seen_where_resources_are_capped() -> TestResult {
    let engine = require_docker!();
    let hungry = "/busybox head -c 200m /dev/zero | /busybox tail; exit 9";
    let limits = Limits { memory_bytes: Some(16 << 20), ..Limits::default() };
    let definition = shell(&engine, "hungry", hungry).await?.limits(limits);
    let container = definition.start().await?;
    container.wait_exit(NEVER).await?;
    let state = container.inspect().await?.state.unwrap_or_default();
    assert_eq!(state.oom_killed, Some(true), "{state:?}");
    Ok(())
}

#[tokio::test]
async fn edge_restart_policy_is_overridden_and_a_health_check_replaced() -> TestResult {
    let engine = require_docker!();
    let check = Healthcheck::command(["/busybox", "true"]).every(NEVER);
    let definition = shell(&engine, "health", "sleep 600").await?.healthcheck(check);
    let container = definition.start().await?;
    let inspected = container.inspect().await?;
    let policy = inspected.host_config.and_then(|host| host.restart_policy).unwrap_or_default();
    assert_eq!(policy.name, Some(RestartPolicyNameEnum::NO));
    let check = inspected.config.and_then(|config| config.healthcheck).unwrap_or_default();
    assert_eq!(check.test.unwrap_or_default(), ["CMD", "/busybox", "true"]);
    assert_eq!(check.interval, Some(120_000_000_000));
    Ok(())
}

#[tokio::test]
async fn defect_10_several_networks_aliases_and_ports() -> TestResult {
    let engine = require_docker!();
    let front = Network::create("definition-front").await?;
    let back =
        plimsoll_harness::NetworkDefinition::default().internal().create("definition-back").await?;
    let serve = "mkdir -p /www; echo pong >/www/index.html; exec /busybox httpd -f -p 80 -h /www";
    let server = shell(&engine, "two-networks", serve)
        .await?
        .attach(NetworkAttachment::to(&front).alias("web"))
        .attach(NetworkAttachment::to(&back).alias("internal-web").alias("also"))
        .publish(80)
        .publish(81)
        .publish(PublishedPort::udp(53))
        .ready(Condition::Port(80))
        .start()
        .await?;
    for (network, name) in [(&front, "web"), (&back, "internal-web"), (&back, "also")] {
        let script = format!("/busybox wget -qO - http://{name}/");
        let client = shell(&engine, "network-client", &script).await?;
        let client = client.network(network, Vec::<String>::new());
        assert_eq!(output(client).await?, "pong\n", "{name}");
    }
    let (one, other) = (server.mapped_port(80).await?, server.mapped_port(81).await?);
    assert_ne!(one.port(), other.port());
    let ports = server.inspect().await?.network_settings.and_then(|network| network.ports);
    assert!(ports.unwrap_or_default()["53/udp"].is_some());
    Ok(())
}

#[tokio::test]
async fn a_fixed_port_that_is_taken_is_an_error_and_leaves_no_husk() -> TestResult {
    let engine = require_docker!();
    let definition = shell(&engine, "fixed-first", "sleep 600").await?;
    let first = definition.publish(80).start().await?;
    let port = first.mapped_port(80).await?.port();
    let definition = shell(&engine, "fixed-second", "sleep 600").await?;
    let error = definition.publish(PublishedPort::tcp(80).at_host_port(port)).start().await;
    let StartError::Request(error) = error.unwrap_err() else { panic!("not the engine's no") };
    assert_eq!(error.to_string(), "start container `fixed-second`");
    assert!(error.source.to_string().contains("already allocated"), "{}", error.source);
    assert_eq!(left_behind(&engine, "fixed-second").await, 0);
    Ok(())
}

/// Engines before 25 take two networks of one name, and containers by neither name nor id then.
#[tokio::test]
async fn edge_network_names_of_one_node_differ() -> TestResult {
    let engine = require_docker!();
    let (one, two) = tokio::join!(Network::create("twin"), Network::create("twin"));
    let (one, two) = (one?, two?);
    assert!(one.id() != two.id() && one.name() != two.name(), "{one:?} {two:?}");
    let definition = shell(&engine, "of-a-twin", "sleep 600").await?;
    let container = definition.network(&one, ["one"]).start().await?;
    let networks = container.inspect().await?.network_settings.and_then(|all| all.networks);
    let ids: Vec<_> =
        networks.unwrap_or_default().into_values().map(|end| end.network_id).collect();
    assert_eq!(ids, [Some(one.id().to_owned())]);
    Ok(())
}

#[tokio::test]
async fn defect_13_another_platform_is_not_taken_instead() -> TestResult {
    let engine = require_docker!();
    let image = SCRATCH.ensure(&engine).await?;
    let wanted = plimsoll_harness::ImageDefinition::from(&image).platform("linux/s390x");
    let never = ContainerDefinition::new("other-platform", wanted.clone()).start().await;
    let message = never.unwrap_err().to_string();
    let expected = format!(
        "find image `{image}` (linux/s390x) for `other-platform`: the one on the engine is for linux/"
    );
    assert!(message.starts_with(&expected), "{message}");
    let pulled = ContainerDefinition::new("other-platform", wanted.pull(PullPolicy::Missing));
    let message = pulled.start().await.unwrap_err().to_string();
    assert!(message.starts_with(&format!("pull image `{image}` (linux/s390x) for")), "{message}");
    Ok(())
}

#[tokio::test]
async fn edge_image_missing_offline_names_image_and_remedy() -> TestResult {
    let _engine = require_docker!();
    for policy in [PullPolicy::Missing, PullPolicy::Always] {
        // A registry that nobody listens at, whatever networks there are.
        let definition = ContainerDefinition::new("offline", "127.0.0.1:1/none:1").pull(policy);
        let error = definition.start().await.unwrap_err();
        let message = error.to_string();
        assert!(matches!(error, StartError::Image(ImageError::Pull { .. })), "{message}");
        assert!(
            message.starts_with("pull image `127.0.0.1:1/none:1` for `offline` ("),
            "{message}"
        );
        assert!(message.contains("docker load"), "{message}");
    }
    Ok(())
}

#[tokio::test]
async fn an_image_is_built_once_for_one_content() -> TestResult {
    let engine = require_docker!();
    let base = SCRATCH.ensure(&engine).await?;
    let text = format!(
        "FROM {base} AS first\nARG WHO\nCOPY greeting /greeting\n\
         RUN [\"/busybox\", \"sh\", \"-c\", \"/busybox echo $WHO >>/greeting\"]\n\
         FROM first AS second\nRUN [\"/busybox\", \"no-such-applet\"]\n"
    );
    let build = |greeting: &str| {
        let build = Build::from_dockerfile("greeter", &text).file("greeting", greeting, 0o644);
        ContainerDefinition::new("greeter", build.arg("WHO", "world").target("first"))
            .cmd(["cat", "/greeting"])
    };
    let unique = format!("hello {}\n", std::process::id());
    let started = build(&unique).start().await?;
    started.wait_exit(NEVER).await?;
    assert_eq!(started.logs().stdout(), format!("{unique}world\n"));
    let image = started.inspect().await?.image;
    let again = build(&unique).start().await?.inspect().await?.image;
    assert_eq!(image, again);
    let changed = build("hi\n").start().await?;
    changed.wait_exit(NEVER).await?;
    assert_eq!(changed.logs().stdout(), "hi\nworld\n");
    // What this test alone can want.
    drop(started);
    let id = image.unwrap_or_default();
    let removing = engine.call(|docker| async move {
        docker.remove_image(&id, None::<RemoveImageOptions>, None).await
    });
    removing.await?;
    Ok(())
}

#[tokio::test]
async fn a_build_from_a_directory_and_one_that_fails() -> TestResult {
    let engine = require_docker!();
    let base = SCRATCH.ensure(&engine).await?;
    let context = tempfile::tempdir()?;
    let write = |name: &str, text: &str| std::fs::write(context.path().join(name), text);
    write("Dockerfile", &format!("FROM {base}\nCOPY . /files\n"))?;
    write(".dockerignore", "*.secret\nDockerfile\n")?;
    write("a.txt", "a")?;
    write("b.secret", "b")?;
    let build = Build::from_context("from-directory", context.path());
    let list = ContainerDefinition::new("list", build.clone()).cmd(["ls", "/files"]);
    assert_eq!(output(list).await?, "a.txt\n");
    write(
        "Failing",
        &format!(
            "FROM {base}\nRUN [\"/busybox\", \"sh\", \"-c\", \"/busybox echo words; exit 3\"]\n"
        ),
    )?;
    let error = ContainerDefinition::new("fails", build.dockerfile("Failing")).start().await;
    let message = error.unwrap_err().to_string();
    assert!(message.starts_with("build image `from-directory` for `fails`: "), "{message}");
    assert!(message.contains("returned a non-zero code: 3"), "{message}");
    assert!(message.contains("\n    words"), "{message}");
    let missing = Build::from_context("none", "/no/such/context");
    let error = ContainerDefinition::new("unread", missing).start().await.unwrap_err();
    let expected = "read `/no/such/context` to build image `none` for `unread`";
    assert_eq!(error.to_string(), expected);
    Ok(())
}

#[tokio::test]
async fn a_definition_of_a_stack_does_not_start_alone() -> TestResult {
    use plimsoll_harness::{Define, DefineError, Links, Ref, StackBuilder};
    #[derive(Clone, Debug)]
    struct Web;
    impl Define for Web {
        fn define(&self, links: &Links<'_>) -> Result<ContainerDefinition, DefineError> {
            let files = links.volume(&Ref::new("files"))?.at("/files");
            Ok(ContainerDefinition::new(links.name(), "web:1").mount(files))
        }
    }
    let _engine = require_docker!();
    let mut stack = StackBuilder::new();
    stack.node("files", VolumeDefinition::default());
    stack.node("web", Web);
    let plan = stack.plan()?;
    let plimsoll_harness::PlannedKind::Container(web) = &plan.nodes[1].kind else {
        return Err(plan.to_string().into());
    };
    let message = web.start().await.unwrap_err().to_string();
    let expected = "start `web` by itself: its definition reads `files`, a node of a stack";
    assert_eq!(message, expected);
    Ok(())
}

#[tokio::test]
async fn what_has_no_words_is_patched() -> TestResult {
    let engine = require_docker!();
    let definition = shell(&engine, "patched", "cat /proc/sys/net/core/somaxconn").await?;
    let definition = definition.ready(LogWait::stdout("^1234$").within(NEVER)).patch(|request| {
        let host = request.host_config.get_or_insert_default();
        host.sysctls = Some([("net.core.somaxconn".to_owned(), "1234".to_owned())].into());
    });
    definition.start().await?;
    let refused = shell(&engine, "patched-badly", "true").await?.patch(|request| {
        let host = request.host_config.get_or_insert_default();
        host.runtime = Some("no-such-runtime".to_owned());
    });
    let StartError::Request(error) = refused.start().await.unwrap_err() else {
        return Err("not refused by the engine".into());
    };
    assert!(matches!(error.source, ApiError::DockerResponseServerError { .. }), "{error:?}");
    Ok(())
}
