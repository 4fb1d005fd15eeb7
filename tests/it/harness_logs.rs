//! What a container writes, as it comes from a real engine.

use std::time::Duration;

use plimsoll_harness::testcontainers::bollard::models::HostConfigLogConfig;
use plimsoll_harness::{
    Ending, LogError, LogPattern, LogSource, LogWait, MissReason, WaitError, require_docker,
};

use crate::TestResult;
use crate::harness::{NEVER, shell};

#[tokio::test]
async fn defect_2_a_terminals_prompt_and_colours_match() -> TestResult {
    let engine = require_docker!();
    let script =
        "printf '\\033[1;32mready\\033[0m\\n'; echo aside >&2; printf 'login: '; sleep 600";
    let definition = shell(&engine, "terminal", script).await?.tty();
    let container = definition.ready(LogWait::stdout("^login: $").within(NEVER)).start().await?;
    container.logs().ordered([LogPattern::stdout("^ready$"), "^aside$".into()]).now()?;
    let raw = LogWait::stdout(r"^\x1b\[1;32mready\x1b\[0m\r$").raw();
    container.logs().expect(raw).now()?;
    // A terminal has one stream; the error says so.
    let error = container.logs().line(LogPattern::stderr("aside")).now().unwrap_err();
    let message = error.to_string();
    assert!(message.contains("nearest aside (matches, but on the other stream)"), "{message}");
    assert!(message.contains("stdout and stderr (merged by the terminal)"), "{message}");
    Ok(())
}

#[tokio::test]
async fn edge_prompt_without_newline_matches_on_either_stream() -> TestResult {
    let engine = require_docker!();
    let script = "printf '\\377 password: ' >&2; while true; do echo tick; sleep 0.01; done";
    let definition = shell(&engine, "prompt", script).await?;
    let container = definition.ready(LogWait::stderr("password: $").within(NEVER)).start().await?;
    // Not UTF-8, and still there.
    assert_eq!(container.logs().of(LogSource::Stderr)[0].bytes, b"\xff password: ");
    Ok(())
}

#[tokio::test]
async fn edge_log_driver_that_cannot_be_read_makes_no_difference() -> TestResult {
    let engine = require_docker!();
    let script = "echo ready; sleep 600";
    let definition = shell(&engine, "no-driver", script).await?.log_driver("none");
    let container = definition.ready(LogWait::stdout("ready").within(NEVER)).start().await?;
    assert_eq!(container.logs().stdout(), "ready\n");
    Ok(())
}

/// The engine's file holds a hundredth of it; what is attached to is not that file.
#[tokio::test]
async fn edge_rotation_of_the_engines_files_loses_no_line() -> TestResult {
    let engine = require_docker!();
    let script = "seq 100001 250000; echo done; sleep 600";
    let definition = shell(&engine, "rotates", script).await?.patch(|request| {
        let host = request.host_config.get_or_insert_default();
        let sizes = [("max-size", "10k"), ("max-file", "1")];
        host.log_config = Some(HostConfigLogConfig {
            typ: Some("json-file".to_owned()),
            config: Some(sizes.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
        });
    });
    let container = definition.ready(LogWait::stdout("^done$").within(NEVER)).start().await?;
    let expected: String = (100_001..=250_000).map(|number| format!("{number}\n")).collect();
    assert!(expected.len() > 1_000_000);
    assert!(container.logs().stdout() == expected + "done\n", "{}", container.tail());
    Ok(())
}

#[tokio::test]
async fn edge_restarted_container_is_ready_by_its_new_lines_only() -> TestResult {
    let engine = require_docker!();
    let script = "trap 'echo bye; exit' TERM; echo run >>/runs; echo run $(cat /runs | wc -l); \
                  while true; do sleep 0.05; done";
    let definition = shell(&engine, "restarts", script).await?.publish(80);
    let container = definition.ready(LogWait::stdout("run 1").within(NEVER)).start().await?;
    let mark = container.restart(NEVER).await?;
    container.wait(LogWait::stdout("^run \\d").within(NEVER)).await?;
    assert_eq!(container.logs().stdout(), "run 1\nbye\nrun 2\n");
    assert_eq!(container.logs().after(mark).stdout(), "run 2\n");
    let brief = LogWait::stdout("run 1").within(Duration::from_millis(100));
    let error = container.wait(brief).await.unwrap_err();
    let WaitError::TimedOut { state, .. } = &error else { panic!("{error}") };
    let outcome = &state.logs.as_ref().expect("a condition on the logs").patterns[0];
    let reason = outcome.nearest.as_ref().map(|miss| miss.reason);
    assert_eq!(reason, Some(MissReason::BeforeMark), "{error}");
    // The port is another one now, and this is the present one.
    let port = container.mapped_port(80).await?;
    assert_eq!(container.first_port().await?, port);
    // Its end is seen as that of the first run would have been.
    container.stop(NEVER).await?;
    assert_eq!(container.wait_exit(NEVER).await?, 0);
    container.restart(NEVER).await?;
    container.wait(LogWait::stdout("^run 3$").within(NEVER)).await?;
    Ok(())
}

#[tokio::test]
async fn edge_last_words_before_an_exit_are_all_there() -> TestResult {
    let engine = require_docker!();
    let script = "seq 1 20000; printf 'last words' >&2; exit 3";
    for _ in 0..5 {
        let container = shell(&engine, "last-words", script).await?.start().await?;
        assert_eq!(container.wait_exit(NEVER).await?, 3);
        let Some(Ending::Exited(exit)) = container.ending() else { panic!("it has exited") };
        assert_eq!((exit.code, exit.signal()), (3, None));
        assert_eq!(container.logs().of(LogSource::Stdout).len(), 20_000);
        assert_eq!(container.logs().stderr(), "last words\n");
        // Waits see them too, after the end.
        container.wait(LogWait::stderr("last words$").within(NEVER)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_assertion_gives_its_lines_or_says_what_is_missing() -> TestResult {
    let engine = require_docker!();
    let script = "echo one; echo two; echo three; sleep 600";
    let container = shell(&engine, "asserted", script).await?.start().await?;
    let lines = container.logs().ordered(["^o", "e$"]).within(NEVER).await?;
    let texts: Vec<_> = lines.iter().map(|line| line.text()).collect();
    assert_eq!(texts, ["one", "three"]);
    let error = container.logs().ordered(["two", "one"]).now().unwrap_err();
    let LogError::Mismatch { mismatch, .. } = &error else { panic!("{error}") };
    let missing: Vec<_> = mismatch.unmatched().map(|outcome| &outcome.pattern.regex).collect();
    assert_eq!(missing, ["one"]);
    let mark = container.mark();
    let assertion = container.logs().after(mark).unordered(["two"]);
    let error = assertion.within(Duration::from_millis(50)).await.unwrap_err();
    assert!(error.to_string().contains("was written before the mark"), "{error}");
    let error = container.logs().line("(").now().unwrap_err();
    assert!(error.to_string().starts_with("compile the pattern `(`"), "{error}");
    Ok(())
}
