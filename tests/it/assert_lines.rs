//! What a service logs for a request.

use plimsoll_harness::assert::Observed;
use plimsoll_harness::assert::lines::{self, Lines, json_line};
use plimsoll_harness::assert::text::matching;
use plimsoll_harness::{Container, LogSource, LogWait, require_docker};

use crate::TestResult;
use crate::assert_services::{NEVER, bakery, get, nginx};

/// What it writes because of a request, once it has written the line that matches.
async fn request(
    container: &Container,
    port: u16,
    path: &str,
    until: &str,
) -> Result<Lines, crate::Error> {
    let mark = container.mark();
    get(container.mapped_port(port).await?, path)?;
    container.wait_since(mark, &LogWait::either(until).within(NEVER)).await?;
    Ok(lines::of(&container.logs().after(mark)))
}

#[tokio::test]
async fn one_json_line_for_each_request() -> TestResult {
    let engine = require_docker!();
    let nginx = nginx(&engine).await?.start().await?;
    let found = request(&nginx, 80, "/index.html?a=\"b\"", "index.html").await?;
    let line = json_line(LogSource::Stdout)
        .field("method", "GET")
        .field("path", "/index.html?a=\"b\"")
        .field("status", 200)
        .field("user_agent", "test")
        .field("remote_addr", matching(r"^\d+\.\d+\.\d+\.\d+$"))
        .field("time", matching(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d$"))
        .field_where("bytes", "more than none", |bytes| bytes.as_u64() > Some(0))
        .nothing_else();
    found.assert(&line)?;
    let none = request(&nginx, 80, "/none", "/none").await?;
    none.assert(&json_line(LogSource::Stdout).field("status", 404))?;
    let message = none.assert(&line).unwrap_err().to_string();
    assert!(
        message.contains("field `status` of the nearest: expected `200`, found `404`"),
        "{message}"
    );
    Ok(())
}

#[tokio::test]
async fn an_access_log_is_written_only_where_it_is_asked_for() -> TestResult {
    let engine = require_docker!();
    let bakery = bakery(&engine).await?;
    let access = json_line(LogSource::Stdout).field("path", "/health/");
    let logs = bakery.clone().env("ACCESS_LOG", "1").start().await?;
    let found = request(&logs, 8000, "/health/", "health").await?;
    found.assert(&access.clone().field("status", 200).exactly(1))?;
    let silent = bakery.start().await?;
    get(silent.mapped_port(8000).await?, "/health/")?;
    // Once it is gone, nothing can come any more.
    silent.stop(NEVER).await?;
    silent.wait_exit(NEVER).await?;
    lines::of(&silent.logs()).assert(&access.exactly(0))?;
    Ok(())
}
