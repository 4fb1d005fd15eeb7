//! Everything this crate does, without `async`.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use crate::engine::Engine;

/// Waits for a future of this crate, whether there is a runtime here or not.
///
/// The engine's work is done on the engine's thread, so this blocks nothing but the thread it is
/// called on: it works in a plain `#[test]`, in a runtime of any flavour, and in a future that is
/// itself waited for this way. The timers and tasks of tokio work in the future as well; they are
/// the engine's then. A future that needs the runtime this thread would otherwise drive never
/// ends.
///
/// ```no_run
/// # fn test() -> Result<(), plimsoll_harness::StartError> {
/// use plimsoll_harness::{ContainerDefinition, block_on};
///
/// let redis = block_on(ContainerDefinition::new("redis", "redis:7.2").start())?;
/// # drop(redis);
/// # Ok(())
/// # }
/// ```
///
/// # Panics
///
/// It is called in work that was handed to [`Engine::call`]: what it waits for would have to be
/// done by the very thread that waits.
pub fn block_on<F: IntoFuture>(future: F) -> F::Output {
    // Without an engine every future of this crate ends at once, and needs nothing to do so.
    let engine = Engine::connect().ok();
    let here = engine.as_ref().is_some_and(Engine::is_this_thread);
    assert!(!here, "plimsoll_harness::block_on was called on the engine's own thread");
    let _entered = engine.as_ref().map(Engine::enter);
    let wakeup = Arc::new(Wakeup { thread: thread::current(), woken: AtomicBool::new(false) });
    let waker = Waker::from(wakeup.clone());
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future.into_future());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        while !wakeup.woken.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}

/// A flag of its own for each wait: one that is nested uses the same thread, and would take the
/// wake-up of the outer one for its own.
struct Wakeup {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[test]
    fn a_nested_wait_does_not_take_the_wake_up_of_the_outer_one() {
        let mut polls = 0;
        let outer = poll_fn(|context| {
            polls += 1;
            if polls == 2 {
                return Poll::Ready("done");
            }
            context.waker().wake_by_ref();
            let mut looked = false;
            block_on(poll_fn(|context| {
                if std::mem::replace(&mut looked, true) {
                    return Poll::Ready(());
                }
                let waker = context.waker().clone();
                thread::spawn(move || waker.wake());
                Poll::Pending
            }));
            Poll::Pending
        });
        assert_eq!(block_on(outer), "done");
    }
}
