//! What is said when something is missing or wrong.

use std::time::Duration;

use plimsoll_harness::{Exit, Stack as _, StackBuilder, StartError, WaitError, require_docker};

use crate::TestResult;
use crate::golden::golden;
use crate::images::bakery;
use crate::stack::Bakery;

/// Found before Docker is asked for anything.
#[test]
fn a_stack_without_its_database_is_refused() {
    let Bakery { web, .. } =
        Bakery::on("postgres:16".into(), "bakery:ci".into(), "nginx:1.27".into());
    let mut stack = StackBuilder::new();
    stack.node("web", web);
    let error = stack.plan().unwrap_err();
    insta::assert_snapshot!(golden(&error), @"failed to define `web`: it reads `db`, and the stack has only `web`");
}

#[tokio::test]
async fn web_without_its_database_ends_at_once() -> TestResult {
    require_docker!();
    let web = bakery().await?.web;
    // Nobody listens there.
    let started = web.container("web", "postgres://user:sugar@127.0.0.1/database").start().await;
    let error = started.err().ok_or("it has started")?;
    let StartError::NotReady(WaitError::Exited { exit: Exit { code: 69, .. }, .. }) = error else {
        return Err(error.into());
    };
    insta::assert_snapshot!(golden(&error), @r#"
    failed to wait for `web`: it exited with code 69 after N s
        not met log /Worker ready/ 2 times on stderr
                missing /Worker ready/ 2 times on stderr
    stdout: nothing
    stderr, last lines:
        CommandError: cannot reach the database: connection to server at "127.0.0.1", port 5432 failed: Connection refused
        	Is the server running on that host and accepting TCP/IP connections?
    "#);
    Ok(())
}

/// Django answers, and refuses: nginx is healthy, the stack is not.
#[tokio::test]
async fn a_name_that_is_not_allowed_is_shown_with_the_answer() -> TestResult {
    require_docker!();
    let mut bakery = bakery().await?;
    bakery.web.allowed_hosts = "cakes.example".to_owned();
    bakery.nginx = bakery.nginx.with_container(|mut nginx, _| {
        nginx.ready = nginx.ready.map(|ready| ready.within(Duration::from_secs(5)));
        Ok(nginx)
    });
    let error = bakery.start().await.err().ok_or("it has started")?;
    insta::assert_snapshot!(golden(&error), @r#"
    failed to start the stack: `nginx` failed: wait for `nginx`: not within N s, and it is still running
        not met GET /health/ is answered with 200:
                answered with 400:
                <!doctype html>
                <html lang="en">
                <head>
                  <title>Bad Request (400)</title>
                </head>
                <body>
                  <h1>Bad Request (400)</h1><p></p>
                </body>
                </html> (tried N times)
    ports:
        80/tcp at 127.0.0.1:PORT
    stdout, last lines:
        {"time":"NOW","client":"IP","method":"GET","path":"/health/","status":400,"bytes":154,"seconds":N,"user_agent":""}
    stderr: nothing
    "#);
    Ok(())
}
