//! The page that is left of a failed start, in a real browser.

use std::path::Path;
use std::process::Stdio;

use plimsoll_harness::require_docker;
use plimsoll_tests::browser::Browser;
use tokio::process::Command;

use crate::TestResult;

/// The test that fails to start, and expects it.
const FAILS: &str = "failures::a_name_that_is_not_allowed_is_shown_with_the_answer";

/// `PLIMSOLL_BLESS=1` takes a picture of it for the guide.
#[tokio::test]
async fn the_page_of_a_failed_start_says_which_node_and_why() -> TestResult {
    require_docker!();
    let Some(browser) = Browser::find()? else { return Ok(()) };
    let root = tempfile::tempdir()?;
    // In a process of its own, to have its artefacts there.
    let output = Command::new(std::env::current_exe()?)
        .args(["--exact", FAILS])
        .env("PLIMSOLL_ARTEFACTS", root.path())
        .env("NEXTEST_RUN_ID", "run")
        .stdin(Stdio::null())
        .output()
        .await?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let page = root.path().join("run").join(FAILS.replace("::", ".")).join("index.html");
    let seen = browser.look(&page, (1280, 1600)).await?;
    let nodes = ["db", "socket", "static-files", "web", "nginx"];
    assert_eq!(seen["nodes"], serde_json::json!(nodes), "{seen}");
    assert_eq!((&seen["edges"], &seen["overflow"]), (&6.into(), &0.into()), "{seen}");
    for fits in ["texts_fit", "apart", "bars_fit", "links_lead"] {
        assert_eq!(seen[fits], true, "{fits}: {seen}");
    }
    let failure = seen["failure"].as_str().unwrap_or_default();
    assert!(failure.starts_with("failed to start the stack: `nginx` failed"), "{seen}");
    for node in &nodes[..4] {
        assert_ne!(seen["strokes"]["nginx"], seen["strokes"][node], "nginx stands out: {seen}");
    }
    if std::env::var("PLIMSOLL_BLESS").is_ok_and(|value| value == "1") {
        let picture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/django-failure.png");
        browser.photograph(&page, (1100, 1400), &picture).await?;
    }
    Ok(())
}
