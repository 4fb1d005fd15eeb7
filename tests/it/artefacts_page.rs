//! The page of a failure in a real browser.

use plimsoll_harness::require_docker;
use plimsoll_tests::browser::Browser;

use crate::TestResult;
use crate::artefacts::fail;

#[tokio::test]
async fn the_page_of_a_failed_start_is_laid_out_in_a_browser() -> TestResult {
    require_docker!();
    let Some(browser) = Browser::find()? else { return Ok(()) };
    let root = tempfile::tempdir()?;
    let (_, directory) = fail("fails::by_an_error", "start", root.path()).await?;
    // As a desktop shows it, and a telephone.
    for size in [(1280, 1600), (420, 800)] {
        let seen = browser.look(&directory.join("index.html"), size).await?;
        assert_eq!(seen["title"], "it::artefacts::fails::by_an_error failed", "{seen}");
        assert_eq!(seen["nodes"], serde_json::json!(["files", "worker", "db", "web"]), "{seen}");
        assert_eq!((&seen["edges"], &seen["links_lead"]), (&2.into(), &true.into()), "{seen}");
        assert_eq!((&seen["texts_fit"], &seen["apart"]), (&true.into(), &true.into()), "{seen}");
        assert_eq!(seen["bars"].as_array().map(Vec::len), Some(4), "{seen}");
        assert_eq!((&seen["bars_fit"], &seen["overflow"]), (&true.into(), &0.into()), "{seen}");
        assert_eq!((&seen["loaded"], &seen["bold"]), (&0.into(), &0.into()), "{seen}");
        let failure = seen["failure"].as_str().unwrap_or_default();
        assert!(failure.starts_with("failed to start the stack: `web` failed"), "{seen}");
        let opening = &seen["first_lines"]["db"];
        assert!(opening.as_str().is_some_and(|line| line.ends_with("<b>opening</b> files")));
        let strokes = &seen["strokes"];
        assert_ne!(strokes["web"], strokes["db"], "the one that failed stands out: {seen}");
        assert_eq!(strokes["db"], strokes["files"], "{seen}");
    }
    Ok(())
}
