//! What `#[plimsoll_harness::test]` is made of; nothing to be called by hand.

use std::any::{Any, type_name};
use std::error::Error;
use std::future::Future;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use futures_util::FutureExt;

use crate::artefacts;
use crate::case::Case;
use crate::failure::Failure;
use crate::record::Record;
use crate::scope::{self, ShareError, Shared, Turn};
use crate::stack::{CleanError, LiveStack, Stack};

/// What an async test runs on. Its artefacts are written if it fails.
///
/// # Errors
///
/// What the test says.
///
/// # Panics
///
/// There is no runtime to be had, or the test panics.
pub fn run<T>(name: &str, test: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let case = Case::new(name);
    let test = case.clone().scope(watch(None, test));
    runtime.expect("a runtime for the test").block_on(test)
}

/// The same for a test that is not async.
///
/// # Errors
///
/// What the test says.
///
/// # Panics
///
/// The test panics.
pub fn run_plain<T>(name: &str, test: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    let case = Case::new(name);
    let outcome = case.clone().sync_scope(|| catch_unwind(AssertUnwindSafe(test)));
    if let Some(failure) = failure(&outcome) {
        crate::block_on(artefacts::of_test(&case, None, &failure));
    }
    outcome.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Runs a test that has this stack.
///
/// # Errors
///
/// What the test says.
///
/// # Panics
///
/// The test panics.
pub async fn with_stack<L: LiveStack, T>(
    stack: &L,
    test: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    watch(Some(stack.guard().record().clone()), test).await
}

/// Writes the artefacts of a test if it fails, while everything is there.
async fn watch<T>(
    stack: Option<Arc<Record>>,
    test: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let outcome = AssertUnwindSafe(test).catch_unwind().await;
    if let (Some(failure), Some(case)) = (failure(&outcome), Case::current()) {
        artefacts::of_test(&case, stack, &failure).await;
    }
    outcome.unwrap_or_else(|panic| resume_unwind(panic))
}

fn failure<T>(outcome: &Result<Result<T, Failure>, Box<dyn Any + Send>>) -> Option<String> {
    match outcome {
        Ok(Ok(_)) => None,
        Ok(Err(failure)) => Some(failure.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Some(format!("panicked: {}", text.unwrap_or("with something that is no text")))
        }
    }
}

/// What a test has returned. Errors become [`Failure`]s, so that the runner prints them to be
/// read; what is no error stays what it is. Which it is the compiler finds out by looking for the
/// method: see the traits.
#[derive(Debug)]
pub struct Outcome<T>(pub Option<T>);

impl<T> Outcome<T> {
    fn take(&mut self) -> T {
        self.0.take().expect("it is looked at once")
    }
}

/// A result with an error that can be shared between threads, or is boxed as one.
pub trait OfError {
    /// The result.
    type Value;

    /// The outcome of the test.
    ///
    /// # Errors
    ///
    /// What the test says.
    fn judged(&mut self) -> Result<Self::Value, Failure>;
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> OfError for Outcome<Result<T, E>> {
    type Value = T;

    fn judged(&mut self) -> Result<T, Failure> {
        Ok(self.take()?)
    }
}

/// A result with `Box<dyn Error>`, which stays on its thread.
pub trait OfLocalError {
    /// The result.
    type Value;

    /// The outcome of the test.
    ///
    /// # Errors
    ///
    /// What the test says.
    fn judged(&mut self) -> Result<Self::Value, Failure>;
}

impl<T> OfLocalError for Outcome<Result<T, Box<dyn Error>>> {
    type Value = T;

    fn judged(&mut self) -> Result<T, Failure> {
        self.take().map_err(|error| Failure::of(&*error))
    }
}

/// A result with a [`Failure`].
pub trait OfFailure {
    /// The result.
    type Value;

    /// The outcome of the test.
    ///
    /// # Errors
    ///
    /// What the test says.
    fn judged(&mut self) -> Result<Self::Value, Failure>;
}

impl<T> OfFailure for Outcome<Result<T, Failure>> {
    type Value = T;

    fn judged(&mut self) -> Result<T, Failure> {
        self.take()
    }
}

/// Anything else. Found last, since it is implemented for a reference.
pub trait OfAnything {
    /// What the test returned.
    type Value;

    /// The outcome of the test.
    ///
    /// # Errors
    ///
    /// Never: whether it is a failure the runner finds out.
    fn judged(&mut self) -> Result<Self::Value, Failure>;
}

impl<T> OfAnything for &mut Outcome<T> {
    type Value = T;

    fn judged(&mut self) -> Result<T, Failure> {
        Ok(self.take())
    }
}

/// The end of a test that returns nothing.
///
/// # Panics
///
/// It has failed before it began: what it needs did not start.
pub fn end(outcome: Result<(), Failure>) {
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

/// A stack that others use as well, and the turn at it.
#[derive(Debug)]
pub struct InTurn<L> {
    live: Shared<L>,
    _turn: Turn,
}

impl<L> Deref for InTurn<L> {
    type Target = L;

    fn deref(&self) -> &L {
        &self.live
    }
}

/// A stack of the test's own.
///
/// # Errors
///
/// It does not start.
pub async fn test_stack<L: LiveStack<Stack: Default>>(_: bool) -> Result<Box<L>, Failure> {
    Ok(Box::new(Stack::start(&L::Stack::default()).await?))
}

/// The stack that the tests of this process share.
///
/// # Errors
///
/// It does not start.
pub async fn process_stack<L: LiveStack<Stack: Default>>(
    alone: bool,
) -> Result<InTurn<L>, Failure> {
    in_turn(scope::process(type_name::<L::Stack>(), L::Stack::default).await?, alone).await
}

/// The stack that the tests of this run share.
///
/// # Errors
///
/// It does not start.
pub async fn run_stack<L: LiveStack<Stack: Default>>(alone: bool) -> Result<InTurn<L>, Failure> {
    in_turn(scope::run(type_name::<L::Stack>(), L::Stack::default).await?, alone).await
}

/// Whoever puts it into its first state has to be alone with it until the test has ended.
async fn in_turn<L>(live: Shared<L>, alone: bool) -> Result<InTurn<L>, Failure> {
    let turn: Result<Turn, ShareError> =
        if alone { live.alone().await } else { live.together().await };
    Ok(InTurn { live, _turn: turn? })
}

/// Puts a node into its first state.
///
/// # Errors
///
/// What its definition says.
pub fn cleaned(outcome: Result<(), CleanError>) -> Result<(), Failure> {
    Ok(outcome?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Evaluates to the text of the failure, or to nothing.
    macro_rules! judged {
        ($outcome:expr) => {
            (&mut Outcome(Some($outcome))).judged().map(drop).map_err(|failure| failure.to_string())
        };
    }

    #[derive(Debug)]
    struct NoError;

    #[test]
    fn every_kind_of_error_a_test_can_return_is_readable() {
        let text = "failed to find it";
        let shared: Result<(), Box<dyn Error + Send + Sync>> = Err("find it".into());
        assert_eq!(judged!(shared).unwrap_err(), text);
        let local: Result<(), Box<dyn Error>> = Err("find it".into());
        assert_eq!(judged!(local).unwrap_err(), text);
        let failure: Result<(), Failure> = Err("find it".into());
        assert_eq!(judged!(failure).unwrap_err(), text);
        let concrete = "eighty".parse::<u16>();
        assert_eq!(judged!(concrete).unwrap_err(), "failed to invalid digit found in string");
        assert_eq!(judged!(Ok::<_, Failure>(1)), Ok(()));
        assert_eq!(judged!(()), Ok(()));
        // What is no error is left to the runner.
        assert!(matches!((&mut Outcome(Some(Err::<(), _>(NoError)))).judged(), Ok(Err(NoError))));
    }

    #[test]
    fn a_panic_says_what_it_said() {
        let panicked = |test: fn()| failure::<()>(&catch_unwind(test).map(Ok)).unwrap();
        assert_eq!(panicked(|| panic!("no cakes")), "panicked: no cakes");
        assert_eq!(panicked(|| panic!("{} cakes", 3)), "panicked: 3 cakes");
        let odd = panicked(|| std::panic::panic_any(3));
        assert_eq!(odd, "panicked: with something that is no text");
    }
}
