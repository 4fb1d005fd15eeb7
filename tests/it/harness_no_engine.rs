//! What tests do on a machine without an engine: this very binary, told of one that is not there.

use std::process::{Command, Output};

use crate::Error;

/// Runs a test that needs an engine.
fn without_an_engine(require: Option<&str>) -> Result<Output, Error> {
    let mut test = Command::new(std::env::current_exe()?);
    let name = "harness::ready_is_the_line_and_the_logs_have_it_all";
    test.args(["--exact", name, "--nocapture", "--test-threads=2"]);
    test.env("DOCKER_HOST", "unix:///no/such.sock").env_remove("PLIMSOLL_REQUIRE_DOCKER");
    test.envs(require.map(|value| ("PLIMSOLL_REQUIRE_DOCKER", value)));
    Ok(test.output()?)
}

const REASON: &str = "failed to find a container engine; tried\n  unix:///no/such.sock \
                      (DOCKER_HOST): there is no such socket\n";

#[test]
fn edge_no_engine_is_a_skip_that_says_so() -> crate::TestResult {
    for require in [None, Some(""), Some("0")] {
        let output = without_an_engine(require)?;
        let said = String::from_utf8(output.stderr)?;
        assert!(output.status.success(), "{require:?}: {said}");
        let expected = "skipped harness::ready_is_the_line_and_the_logs_have_it_all: no Docker: ";
        assert!(said.contains(&format!("{expected}{REASON}")), "{said}");
        assert!(String::from_utf8(output.stdout)?.contains("1 passed"), "it was run");
    }
    Ok(())
}

#[test]
fn edge_no_engine_is_a_failure_where_one_is_required() -> crate::TestResult {
    let output = without_an_engine(Some("1"))?;
    let said = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(101), "{said}");
    let expected = "PLIMSOLL_REQUIRE_DOCKER is set and there is no Docker: ";
    assert!(said.contains(&format!("{expected}{REASON}")), "{said}");
    Ok(())
}
