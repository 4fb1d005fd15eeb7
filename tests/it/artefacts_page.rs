//! The page of a failure in a real browser: Chromium without a window, from Debian.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use plimsoll_harness::require_docker;
use serde_json::Value;
use tokio::process::Command;

use crate::artefacts::fail;
use crate::{Error, TestResult};

/// Runs in the page, and writes into it what the browser has made of it.
const LOOK: &str = include_str!("artefacts_page/look.html");

/// The browser, or nothing after saying that there is none; where Docker is required, so is it.
#[expect(clippy::print_stderr, reason = "a test that did not run has to say so")]
pub(crate) fn browser() -> Result<Option<PathBuf>, Error> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories: Vec<_> = std::env::split_paths(&path).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let mut candidates =
        names.iter().flat_map(|name| directories.iter().map(move |d| d.join(name)));
    if let Some(found) = candidates.find(|candidate| candidate.is_file()) {
        return Ok(Some(found));
    }
    if std::env::var("PLIMSOLL_REQUIRE_DOCKER").is_ok_and(|value| value == "1") {
        return Err("there is no chromium; `apt-get install chromium`".into());
    }
    eprintln!("skipped: there is no chromium");
    Ok(None)
}

/// What the browser says with these arguments.
pub(crate) async fn browse(
    browser: &Path,
    arguments: &[&str],
    page: &Path,
) -> Result<String, Error> {
    let profile = tempfile::tempdir()?;
    let mut command = Command::new(browser);
    // Root has no sandbox, and the page is our own.
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]);
    command.arg(format!("--user-data-dir={}", profile.path().display()));
    command.args(arguments).arg(format!("file://{}", page.display()));
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// The page as a browser of this width lays it out.
async fn look(browser: &Path, page: &Path, size: &str) -> Result<Value, Error> {
    let looked_at = page.with_file_name("looked-at.html");
    std::fs::write(&looked_at, std::fs::read_to_string(page)? + LOOK)?;
    let size = format!("--window-size={size}");
    let dom = browse(browser, &["--dump-dom", &size], &looked_at).await?;
    let output = dom.split("<output>").nth(1).and_then(|rest| rest.split("</output>").next());
    let output = output.ok_or("the script did not run")?;
    Ok(serde_json::from_str(
        &output.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"),
    )?)
}

#[tokio::test]
async fn the_page_of_a_failed_start_is_laid_out_in_a_browser() -> TestResult {
    require_docker!();
    let Some(browser) = browser()? else { return Ok(()) };
    let root = tempfile::tempdir()?;
    let (_, directory) = fail("fails::by_an_error", "start", root.path()).await?;
    // As a desktop shows it, and a telephone.
    for size in ["1280,1600", "420,800"] {
        let seen = look(&browser, &directory.join("index.html"), size).await?;
        assert_eq!(seen["title"], "it::artefacts::fails::by_an_error failed", "{seen}");
        assert_eq!(seen["nodes"], serde_json::json!(["files", "worker", "db", "web"]), "{seen}");
        assert_eq!((&seen["edges"], &seen["links_lead"]), (&2.into(), &true.into()), "{seen}");
        assert_eq!((&seen["texts_fit"], &seen["apart"]), (&true.into(), &true.into()), "{seen}");
        assert_eq!(seen["bars"].as_array().map(Vec::len), Some(4), "{seen}");
        assert_eq!((&seen["bars_fit"], &seen["overflow"]), (&true.into(), &0.into()), "{seen}");
        assert_eq!((&seen["loaded"], &seen["bold"]), (&0.into(), &0.into()), "{seen}");
        let failure = seen["failure"].as_str().unwrap_or_default();
        assert!(failure.starts_with("failed to start the stack: `web` failed"), "{seen}");
        let opening = seen["opening"].as_str().unwrap_or_default();
        assert!(opening.ends_with("<b>opening</b> files"), "{seen}");
        let strokes = &seen["strokes"];
        assert_ne!(strokes["web"], strokes["db"], "the one that failed stands out: {seen}");
        assert_eq!(strokes["db"], strokes["files"], "{seen}");
    }
    Ok(())
}
