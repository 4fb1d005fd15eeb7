//! Who runs in a container, and as whom.

use std::error::Error as _;

use plimsoll_harness::assert::processes::{self, Processes, proc};
use plimsoll_harness::assert::text::matching;
use plimsoll_harness::assert::{Difference, Expectation, Observed, eventually, open_files};
use plimsoll_harness::{ExecWait, require_docker};

use crate::TestResult;
use crate::assert_services::{NEVER, bakery, nginx, shell};

#[tokio::test]
async fn the_tree_of_an_application_under_an_init() -> TestResult {
    let engine = require_docker!();
    let bakery = bakery(&engine).await?.start().await?;
    let gunicorn = proc("/usr/bin/python3 /usr/bin/gunicorn bakery.wsgi").user("baker");
    let master = gunicorn.clone().children(2, gunicorn);
    let expected = proc("tini -- entrypoint gunicorn bakery.wsgi").user("baker").child(master);
    let found = eventually(NEVER, &expected, || processes::of(&bakery)).await?;
    let wrong = proc(matching("^tini")).child(proc(matching("gunicorn")).user("root"));
    let message = found.assert(&wrong).unwrap_err().to_string();
    for part in [
        "match the processes of `bakery`",
        "pid 1 > /gunicorn/ as `root`, user: expected `root`, found `baker` (",
        "pid 1 > /gunicorn/ as `root`, children: expected no other, found `/usr/bin/python3",
    ] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
    Ok(())
}

#[tokio::test]
async fn a_master_of_root_has_workers_of_another() -> TestResult {
    let engine = require_docker!();
    let nginx = nginx(&engine).await?.start().await?;
    let worker = proc("nginx: worker process").user("www-data");
    let master = proc(matching("^nginx: master process nginx -g daemon off;$")).user("root");
    let expected = master.children(2, worker);
    let found = eventually(NEVER, &expected, || processes::of(&nginx)).await?;
    let master = open_files::of(&nginx, &found, &found.root).await?;
    master.assert(&open_files::opens(matching("^socket:")).and_not(matching(r"\.pid$")))?;
    Ok(())
}

#[tokio::test]
async fn edge_distroless_image_has_processes_and_names_too() -> TestResult {
    let engine = require_docker!();
    let start = "/busybox start-stop-daemon -S -c app -p /none -x /busybox -- sleep 601";
    let script = format!("/busybox sleep 600 & exec {start}");
    let definition = shell(&engine, "names", &script).await?;
    let users = "app:x:1234:1234::/:/bin/false\n";
    let container = definition.file("/etc/passwd", users, 0o644).start().await?;
    let child = proc("/busybox sleep 600").user("root");
    let expected = proc("/busybox sleep 601").user("app").child(child);
    let found = eventually(NEVER, &expected, || processes::of(&container)).await?;
    found.assert(&proc("/busybox sleep 601").user("1234").any_others())?;
    Ok(())
}

/// What an exec runs has another parent than pid 1, and is no second root.
#[tokio::test]
async fn an_exec_is_not_part_of_the_tree() -> TestResult {
    struct Entered;
    impl Expectation<Processes> for Entered {
        fn differences(&self, found: &Processes) -> Vec<Difference> {
            let entered = proc("/busybox sleep 602");
            let root = found.entered.first().cloned().unwrap_or_else(|| found.root.clone());
            let alone = Processes { root, entered: Vec::new(), node: found.node.clone() };
            entered.differences(&alone)
        }
    }
    let engine = require_docker!();
    let container = shell(&engine, "entered", "exec /busybox sleep 600").await?.start().await?;
    let exec = container.exec(["/busybox", "sleep", "602"]);
    let looking = async {
        let found = eventually(NEVER, &Entered, || processes::of(&container)).await?;
        found.assert(&proc("/busybox sleep 600"))?;
        TestResult::Ok(())
    };
    tokio::select! {
        ended = exec => Err(format!("the exec ended first: {ended:?}").into()),
        looked = looking => looked,
    }
}

/// Who started it has ended: pid 1 is its parent now.
#[tokio::test]
async fn an_orphan_is_a_child_of_pid_1() -> TestResult {
    let engine = require_docker!();
    let script = "(/busybox sleep 600 & ) ; exec /busybox sleep 601";
    let container = shell(&engine, "orphan", script).await?.start().await?;
    let expected = proc("/busybox sleep 601").child(proc("/busybox sleep 600"));
    let found = eventually(NEVER, &expected, || processes::of(&container)).await?;
    // The same each time, and so a snapshot.
    insta::assert_snapshot!(found, @r"
    `/busybox sleep 601` as `root` (0)
      `/busybox sleep 600` as `root` (0)
    ");
    assert_eq!(found.assert(&expected), Ok(()));
    Ok(())
}

/// What ends while it is waited for is told of with how it was.
#[tokio::test]
async fn a_tree_that_ends_before_it_is_whole_says_how_it_was() -> TestResult {
    let engine = require_docker!();
    let script = "read go </go; exit 3";
    let container = shell(&engine, "ends", &format!("/busybox mkfifo /go; {script}"))
        .await?
        .ready(ExecWait::new(["/busybox", "test", "-p", "/go"]).within(NEVER))
        .start()
        .await?;
    let never = proc(matching("^/busybox httpd"));
    let waiting = eventually(NEVER, &never, || processes::of(&container));
    let ending = async {
        eventually(NEVER, &proc(matching("^/busybox sh -c")), || processes::of(&container)).await?;
        container.exec(["/busybox", "sh", "-c", "echo go >/go"]).await?.success()?;
        TestResult::Ok(())
    };
    let (waited, ended) = tokio::join!(waiting, ending);
    ended?;
    let error = waited.unwrap_err();
    let said = error.to_string();
    assert!(said.starts_with("wait for the processes of `ends`: it can no longer"), "{said}");
    assert!(said.contains("pid 1, args: expected /^/busybox httpd/, found `"), "{said}");
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    assert!(cause.contains("it is not running, it exited with code 3"), "{cause}");
    Ok(())
}

#[tokio::test]
async fn what_does_not_run_has_no_processes() -> TestResult {
    let engine = require_docker!();
    let container = shell(&engine, "over", "exit 0").await?.start().await?;
    container.wait_exit(NEVER).await?;
    let message = processes::of(&container).await.unwrap_err().to_string();
    assert_eq!(
        message,
        "look at the processes of `over`: it is not running, it exited with code 0\n\
         stdout: nothing\nstderr: nothing"
    );
    Ok(())
}
