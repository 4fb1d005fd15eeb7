//! What `#[plimsoll_harness::test]` is made of; nothing to be called by hand.

use std::any::type_name;
use std::error::Error;
use std::future::Future;
use std::ops::Deref;

use crate::scope::{self, ShareError, Shared, Turn};
use crate::stack::{CleanError, LiveStack, Stack};

/// What an async test runs on.
///
/// # Panics
///
/// There is no runtime to be had, or the test panics.
pub fn run<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime for the test").block_on(test)
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
/// # Panics
///
/// It does not start.
pub async fn test_stack<L: LiveStack<Stack: Default>>(_: bool) -> L {
    Stack::start(&L::Stack::default()).await.unwrap_or_else(|error| fail(&error))
}

/// The stack that the tests of this process share.
///
/// # Panics
///
/// It does not start.
pub async fn process_stack<L: LiveStack<Stack: Default>>(alone: bool) -> InTurn<L> {
    in_turn(scope::process(type_name::<L::Stack>(), L::Stack::default).await, alone).await
}

/// The stack that the tests of this run share.
///
/// # Panics
///
/// It does not start.
pub async fn run_stack<L: LiveStack<Stack: Default>>(alone: bool) -> InTurn<L> {
    in_turn(scope::run(type_name::<L::Stack>(), L::Stack::default).await, alone).await
}

/// Whoever puts it into its first state has to be alone with it until the test has ended.
async fn in_turn<L>(shared: Result<Shared<L>, ShareError>, alone: bool) -> InTurn<L> {
    let live = shared.unwrap_or_else(|error| fail(&error));
    let turn = if alone { live.alone().await } else { live.together().await };
    InTurn { live, _turn: turn.unwrap_or_else(|error| fail(&error)) }
}

/// Whether a node is in its first state again.
///
/// # Panics
///
/// It is not.
pub fn cleaned(outcome: Result<(), CleanError>) {
    outcome.unwrap_or_else(|error| fail(&error));
}

/// A test that cannot begin fails, whatever it returns.
fn fail(error: &dyn Error) -> ! {
    let mut text = format!("failed to {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    panic!("{text}")
}
