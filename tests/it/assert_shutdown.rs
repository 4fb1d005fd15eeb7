//! How containers end.

use std::time::Duration;

use plimsoll_harness::assert::Observed;
use plimsoll_harness::assert::shutdown::{exits, send};
use plimsoll_harness::assert::text::matching;
use plimsoll_harness::{LogWait, require_docker};

use crate::TestResult;
use crate::assert_services::{NEVER, bakery, nginx, shell};

#[tokio::test]
async fn an_application_under_an_init_ends_in_order() -> TestResult {
    let engine = require_docker!();
    let mut definition = bakery(&engine).await?;
    definition.ready = Some(LogWait::stderr("Worker ready").times(2).within(NEVER));
    let bakery = definition.start().await?;
    // Each worker says goodbye: none is orphaned and killed.
    let graceful = exits(0)
        .within(Duration::from_secs(60))
        .says_times(2, matching("Worker exiting"))
        .says(matching("Shutting down: Master$"));
    send(&bakery, "SIGTERM", NEVER).await?.assert(&graceful)?;
    Ok(())
}

#[tokio::test]
async fn nginx_lets_its_workers_say_goodbye() -> TestResult {
    let engine = require_docker!();
    let nginx = nginx(&engine).await?.start().await?;
    let graceful =
        exits(0).says_times(2, matching("gracefully shutting down")).says(matching("exit$"));
    send(&nginx, "SIGQUIT", NEVER).await?.assert(&graceful)?;
    Ok(())
}

#[tokio::test]
async fn a_program_that_ignores_the_signal_is_told_of() -> TestResult {
    let engine = require_docker!();
    let script = "echo ready; exec /busybox sleep 600";
    let ready = LogWait::stdout("ready").within(NEVER);
    let container = shell(&engine, "deaf", script).await?.ready(ready).start().await?;
    let found = send(&container, "SIGTERM", Duration::from_millis(100)).await?;
    assert_eq!(found.code, None);
    let message = found.assert(&exits(0)).unwrap_err().to_string();
    for part in ["the end of `deaf` by SIGTERM", "still running after", "tini", "ready"] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
    let killed = send(&container, "SIGKILL", NEVER).await?;
    let message = killed.assert(&exits(0)).unwrap_err().to_string();
    assert!(message.contains("exit: expected code 0, found code 137 (SIGKILL)"), "{message}");
    let again = send(&container, "SIGTERM", NEVER).await.unwrap_err().to_string();
    let expected = "look at the end of `deaf` by SIGTERM: it is not running, it exited with code 137 (SIGKILL)";
    assert!(again.starts_with(expected), "{again}");
    Ok(())
}
