//! How the image ends when it is told to.

use std::time::Duration;

use plimsoll_harness::LogWait;
use plimsoll_harness::assert::Observed;
use plimsoll_harness::assert::shutdown::{exits, send};
use plimsoll_harness::assert::text::matching;

use crate::stack::{BakeryLive, HOST};
use crate::{Error, NEVER, TestResult, neighbour};

#[plimsoll_harness::test(scope = "process")]
async fn the_image_ends_in_order(app: &BakeryLive) -> TestResult {
    let web = neighbour::web(app, "ended").await?.env("SKIP_MIGRATIONS", "1").start().await?;
    let graceful = exits(0)
        .within(Duration::from_secs(10))
        .says(matching("Handling signal: term$"))
        .says(matching("Shutting down: Master$"));
    send(&web, "SIGTERM", NEVER).await?.assert(&graceful)?;
    // The end of pid 1 is the end of all others; no worker was surprised by it.
    web.logs().expect(LogWait::stderr("Worker exiting").times(2)).now()?;
    Ok(())
}

/// A transaction that nobody ends holds the table; the request waits for it, and SIGTERM comes.
#[plimsoll_harness::test(scope = "process")]
async fn a_request_under_way_is_answered(app: &BakeryLive) -> TestResult {
    let definition = neighbour::web(app, "waiting").await?;
    // PostgreSQL says who waits for whom; until then nobody knows that the request has come.
    app.db.psql("ALTER DATABASE waiting SET log_lock_waits = on").await?;
    app.db.psql("ALTER DATABASE waiting SET deadlock_timeout = '10ms'").await?;
    let web = definition.start().await?;
    let hold = "\\connect waiting\nBEGIN; LOCK TABLE bakery_cake; PREPARE TRANSACTION 'oven'";
    app.db.psql(hold).await?;

    let asking = async { Ok::<_, Error>(web.http().named(HOST).get("/cakes/").await?) };
    let ending = async {
        app.db.logs().line("still waiting for AccessShareLock").within(NEVER).await?;
        Ok(send(&web, "SIGTERM", NEVER).await?)
    };
    let releasing = async {
        web.logs().line("Handling signal: term").within(NEVER).await?;
        Ok(app.db.psql("\\connect waiting\nROLLBACK PREPARED 'oven'").await?)
    };
    let (answer, end, _) = tokio::try_join!(asking, ending, releasing)?;
    assert_eq!(answer.assert_status(200)?.text(), r#"{"cakes": []}"#);
    end.assert(&exits(0).says(matching("Shutting down: Master$")))?;
    Ok(())
}
