//! One line for each request, and nothing else beside it.

use plimsoll_harness::assert::Observed;
use plimsoll_harness::assert::lines::{self, json_line};
use plimsoll_harness::assert::text::matching;
use plimsoll_harness::{LogPattern, LogSource};

use crate::stack::{BakeryLive, HOST};
use crate::{NEVER, TestResult, browser, neighbour};

#[plimsoll_harness::test(scope = "process")]
async fn a_request_is_one_json_line_on_standard_output(app: &BakeryLive) -> TestResult {
    let web = neighbour::web(app, "logged").await?.env("SKIP_MIGRATIONS", "1").start().await?;
    let http = web.http().named(HOST);
    let mark = web.mark();
    let agent = r#"a "browser" \ of sorts"#;
    let answer =
        http.get("/health/?a=\"b\"").header("user-agent", agent).await?.assert_status(200)?;
    let bytes = i64::try_from(answer.bytes().len())?;
    // All there is of the first request has been written before the line of the second.
    http.get("/health/?last").await?.assert_status(200)?;
    web.logs().after(mark).line(LogPattern::stdout(r"/health/\?last")).within(NEVER).await?;

    let written = web.logs().after(mark);
    assert_eq!(written.stderr(), "");
    assert_eq!(written.stdout().lines().count(), 2, "{}", written.stdout());
    let line = json_line(LogSource::Stdout)
        .field("time", matching(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$"))
        .field("client", matching(r"^\d+\.\d+\.\d+\.\d+$"))
        .field("method", "GET")
        .field("path", "/health/?a=%22b%22")
        .field("status", 200)
        .field("bytes", bytes)
        .field_where("seconds", "up to a minute", |seconds| {
            seconds.as_f64().is_some_and(|seconds| (0.0..60.0).contains(&seconds))
        })
        .field("user_agent", agent);
    lines::of(&written).assert(&line.exactly(1))?;
    Ok(())
}

#[plimsoll_harness::test(scope = "process")]
async fn nginx_and_django_agree_on_whose_request_it_was(app: &BakeryLive) -> TestResult {
    let agent = "who-is-it";
    browser(app).get("/health/").header("user-agent", agent).await?.assert_status(200)?;
    let mut clients = Vec::new();
    for container in [&*app.nginx, &*app.web] {
        let found = container.logs().line(LogPattern::stdout(agent)).within(NEVER).await?;
        let line: serde_json::Value = serde_json::from_slice(&found[0].bytes)?;
        clients.push(line["client"].clone());
    }
    assert!(clients[0].is_string() && clients[0] == clients[1], "{clients:?}");
    Ok(())
}
