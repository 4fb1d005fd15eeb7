//! What a test does where there is no engine.

use std::env;
use std::error::Error;

use crate::engine::Engine;

/// Set to 1 (CI does), a missing engine is a failure.
const REQUIRE: &str = "PLIMSOLL_REQUIRE_DOCKER";

/// Returns from the test, saying so on standard error, if there is no container engine; fails
/// it if `PLIMSOLL_REQUIRE_DOCKER=1`. The value is the [`Engine`].
///
/// The test may return anything that implements [`Skip`]: nothing, or a `Result` of it.
///
/// ```no_run
/// # fn test() {
/// let engine = plimsoll_harness::require_docker!();
/// # }
/// ```
#[macro_export]
macro_rules! require_docker {
    () => {
        match $crate::docker_or_skip() {
            ::core::option::Option::Some(engine) => engine,
            ::core::option::Option::None => return $crate::Skip::skipped(),
        }
    };
}

/// What a skipped test returns.
pub trait Skip {
    /// The value that passes.
    fn skipped() -> Self;
}

impl Skip for () {
    fn skipped() -> Self {}
}

impl<T: Skip, E> Skip for Result<T, E> {
    fn skipped() -> Self {
        Ok(T::skipped())
    }
}

/// The engine, or nothing after saying on standard error that a test is skipped.
///
/// # Panics
///
/// There is no engine and `PLIMSOLL_REQUIRE_DOCKER=1` is set.
#[must_use]
pub fn docker_or_skip() -> Option<Engine> {
    let error = match Engine::connect() {
        Ok(engine) => return Some(engine),
        Err(error) => error,
    };
    let reason = match error.source() {
        Some(cause) => format!("failed to {error}: {cause}"),
        None => format!("failed to {error}"),
    };
    let required = env::var_os(REQUIRE).is_some_and(|value| !value.is_empty() && value != "0");
    assert!(!required, "{REQUIRE} is set and there is no Docker: {reason}");
    announce(&reason);
    None
}

#[expect(clippy::print_stderr, reason = "a test that did not run has to say so")]
fn announce(reason: &str) {
    let thread = std::thread::current();
    eprintln!("skipped {}: no Docker: {reason}", thread.name().unwrap_or("test"));
}
