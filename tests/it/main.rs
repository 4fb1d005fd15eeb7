//! Tests that need Docker. Without it they are skipped and say so; `PLIMSOLL_REQUIRE_DOCKER=1`
//! makes that a failure.

mod distribution;
mod harness;
mod images;

/// What the tests here return: any error ends one.
type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;
