//! One image in many environments.

use plimsoll_harness::assert::eventually;
use plimsoll_harness::assert::files;
use plimsoll_harness::assert::matrix::Matrix;
use plimsoll_harness::assert::processes::{self, proc};
use plimsoll_harness::assert::text::matching;
use plimsoll_harness::{
    Exit, LogWait, Mount, StartError, VolumeDefinition, WaitError, require_docker,
};

use crate::assert_services::{NEVER, bakery, postgresql, shell};
use crate::{Error, TestResult};

#[tokio::test]
async fn workers_are_as_many_as_the_environment_says() -> TestResult {
    let engine = require_docker!();
    let matrix = Matrix::new(bakery(&engine).await?)
        .case("default", [("TZ", "UTC")])
        .case("1", [("WEB_CONCURRENCY", "1")])
        .case("3", [("WEB_CONCURRENCY", "3")]);
    let workers = |case: String, started: Result<_, StartError>| async move {
        let bakery = started?;
        let count = case.parse().unwrap_or(2);
        let gunicorn = proc(matching("gunicorn bakery.wsgi$"));
        let master = gunicorn.clone().children(count, gunicorn);
        eventually(NEVER, &proc(matching("^tini")).child(master), || processes::of(&bakery))
            .await?;
        Ok::<_, Error>(count)
    };
    assert_eq!(matrix.run(workers).await.all()?, [2, 1, 3]);
    Ok(())
}

#[tokio::test]
async fn migrations_run_unless_the_environment_says_otherwise() -> TestResult {
    let engine = require_docker!();
    let matrix = Matrix::new(bakery(&engine).await?)
        .case("migrates", [("TZ", "UTC")])
        .case("skips", [("SKIP_MIGRATIONS", "1")]);
    let results = matrix
        .run(|_, started| async move {
            let bakery = started?;
            Ok::<_, Error>(files::exists(&bakery, "/var/lib/bakery/db.sqlite3").await?)
        })
        .await;
    assert_eq!(results.all()?, [true, false]);
    Ok(())
}

#[tokio::test]
async fn an_environment_it_refuses_is_a_case_too() -> TestResult {
    let engine = require_docker!();
    let matrix = Matrix::new(postgresql(&engine).await?)
        .case("with a password", [("POSTGRES_PASSWORD", "salt")])
        .case("without", [("POSTGRES_PASSWORD", "")]);
    let results = matrix
        .run(|case, started| async move {
            match (case.as_str(), started) {
                (
                    "without",
                    Err(StartError::NotReady(WaitError::Exited {
                        exit: Exit { code: 64, .. },
                        tail,
                        ..
                    })),
                ) => Ok(tail.stderr.join("\n").contains("POSTGRES_PASSWORD")),
                (_, started) => started.map(|_| true),
            }
        })
        .await;
    assert_eq!(results.all()?, [true, true]);
    let matrix =
        Matrix::new(postgresql(&engine).await?).case("without", [("POSTGRES_PASSWORD", "")]);
    let message = matrix.run(|_, started| async { started }).await.all().unwrap_err().to_string();
    assert!(
        message.starts_with("match `postgresql` in 1 environment, of which 0 passed"),
        "{message}"
    );
    assert!(
        message.contains("case `without`: expected a pass, found that it failed to wait for"),
        "{message}"
    );
    Ok(())
}

/// Each is ready when the other is there: one after the other they never would be.
#[tokio::test]
async fn environments_are_tried_side_by_side() -> TestResult {
    let engine = require_docker!();
    let meeting = VolumeDefinition::default().create("meeting").await?;
    let script = "/busybox mkfifo /meeting/point; eval \"$MEET\"; echo met";
    let definition = shell(&engine, "side-by-side", script)
        .await?
        .mount(Mount::volume(&meeting, "/meeting"))
        .ready(LogWait::stdout("^met$").within(NEVER));
    let results = Matrix::new(definition)
        .case("calls", [("MEET", "echo hello >/meeting/point")])
        .case("hears", [("MEET", "read word </meeting/point")])
        .run(|_, started| async { started.map(|container| container.id().to_owned()) })
        .await;
    let ids = results.all()?;
    assert_ne!(ids[0], ids[1]);
    Ok(())
}
