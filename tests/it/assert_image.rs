//! What images say about themselves.

use plimsoll_harness::assert::image::{self, meta};
use plimsoll_harness::assert::text::matching;
use plimsoll_harness::assert::{Observed, processes, resources};
use plimsoll_harness::{Limits, require_docker};
use plimsoll_tests::image::{DJANGO, NGINX, POSTGRESQL, SCRATCH};

use crate::TestResult;
use crate::assert_services::{NEVER, shell};

#[tokio::test]
async fn an_application_says_how_it_wants_to_be_run() -> TestResult {
    let engine = require_docker!();
    let expected = meta()
        .entrypoint(["tini", "--", "entrypoint"])
        .cmd(["gunicorn", "bakery.wsgi"])
        .user("baker")
        .workdir("/srv/bakery")
        .env("PYTHONUNBUFFERED", "1")
        .no_env(matching("(?i)password|secret|token"))
        .label("org.opencontainers.image.title", "bakery")
        .exposes(8000)
        .no_healthcheck()
        .platform(matching("^linux/"))
        .layers_at_most(2);
    image::metadata(&engine, &DJANGO.ensure(&engine).await?).await?.assert(&expected)?;
    Ok(())
}

#[tokio::test]
async fn services_say_how_they_want_to_be_stopped() -> TestResult {
    let engine = require_docker!();
    let nginx = image::metadata(&engine, &NGINX.ensure(&engine).await?).await?;
    nginx.assert(&meta().stop_signal("SIGQUIT").exposes(80))?;
    let postgresql = image::metadata(&engine, &POSTGRESQL.ensure(&engine).await?).await?;
    let expected = meta().stop_signal("SIGINT").volume("/var/lib/postgresql/data").user("postgres");
    postgresql.assert(&expected)?;
    let mismatch = postgresql.assert(&meta().env("PGDAT", "/data").user("root")).unwrap_err();
    let message = mismatch.to_string();
    assert!(message.contains("found nothing of that name; nearest is `PGDATA`"), "{message}");
    assert!(message.contains("user: expected `root`, found `postgres`"), "{message}");
    Ok(())
}

#[tokio::test]
async fn an_image_of_one_file_is_small() -> TestResult {
    let engine = require_docker!();
    let found = image::metadata(&engine, &SCRATCH.ensure(&engine).await?).await?;
    let budget = meta().entrypoint(["/busybox"]).size_at_most(4 << 20).layers_at_most(1);
    found.assert(&budget)?;
    let message = found.assert(&meta().size_at_most(1000)).unwrap_err().to_string();
    assert!(message.contains("size: expected at most 1000 bytes, found "), "{message}");
    Ok(())
}

#[tokio::test]
async fn an_image_that_is_not_there_is_named() {
    let engine = require_docker!();
    let error = image::metadata(&engine, "plimsoll-test/none:1").await.unwrap_err();
    assert_eq!(error.to_string(), "look at image `plimsoll-test/none:1`: there is none");
}

#[tokio::test]
async fn limits_are_those_of_the_definition() -> TestResult {
    let engine = require_docker!();
    let definition = shell(&engine, "limits", "exec /busybox sleep 600").await?;
    let expected = resources::sufficient().memory_at_most(1 << 20);
    for (limits, found) in [
        (Limits::none(), "found no limit"),
        (Limits { memory_bytes: Some(64 << 20), ..Limits::default() }, "found 67108864 bytes"),
    ] {
        let container = definition.clone().limits(limits).start().await?;
        let resources = resources::of(&container).await?;
        resources.assert(&resources::sufficient())?;
        let message = resources.assert(&expected).unwrap_err().to_string();
        let wanted = format!("expected at most 1048576 bytes (1.0 MiB), {found}");
        assert!(message.contains(&wanted), "{message}");
    }
    Ok(())
}

#[tokio::test]
async fn who_ran_out_of_memory_is_told_of() -> TestResult {
    let engine = require_docker!();
    // `tail` keeps all of a line that never ends.
    let script = "exec /busybox tail -n 1 /dev/zero";
    let limits = Limits { memory_bytes: Some(16 << 20), ..Limits::default() };
    let container = shell(&engine, "hungry", script).await?.limits(limits).start().await?;
    container.wait_exit(NEVER).await?;
    let found = resources::of(&container).await?;
    assert_eq!(
        found.assert(&resources::sufficient()).unwrap_err().to_string(),
        "match the resources of `hungry`\n  out of memory: expected no process, found one that the \
         kernel killed: the limit is 16777216 bytes (16.0 MiB)"
    );
    let error = processes::of(&container).await.unwrap_err().to_string();
    let expected = "look at the processes of `hungry`: it is not running, it exited with code 137 \
                    (SIGKILL; out of memory)";
    assert!(error.starts_with(expected), "{error}");
    Ok(())
}
