//! What is waited for, the container's end and the deadline: whichever comes first.

use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, sleep, timeout};

use super::Wait;
use super::error::{PortAddresses, WaitError};
use super::probe::{Probe, Watching, prepare};
use crate::buffer::LogMark;
use crate::ending::Ending;
use crate::handle::ContainerHandle;
use crate::line::LogLine;

/// How long an error that is due anyway may take to find out about ports.
const PORTS_DEADLINE: Duration = Duration::from_secs(1);

/// How long the logs may take to learn of an end that the engine has reported.
const END_DEADLINE: Duration = Duration::from_secs(5);

/// Waits on the engine's thread; gives the lines that were waited for.
pub(crate) async fn run(
    handle: &ContainerHandle,
    wait: &Wait,
    from: LogMark,
) -> Result<Vec<LogLine>, WaitError> {
    let (handle, wait) = (handle.clone(), wait.clone());
    handle.engine().clone().observe(async move { race(&handle, &wait, from).await }).await
}

async fn race(
    handle: &ContainerHandle,
    wait: &Wait,
    from: LogMark,
) -> Result<Vec<LogLine>, WaitError> {
    let (probe, watching) = prepare(&wait.condition, handle, from)
        .map_err(|source| WaitError::Pattern { node: handle.node().to_owned(), source })?;
    let begun = Instant::now();
    match first(handle, watching, wait.within).await {
        Ok(()) => Ok(probe.lines()),
        Err(failure) => Err(describe(handle, &probe, failure, begun).await),
    }
}

enum Failure {
    Impossible(String),
    Ended(Ending),
    TimedOut,
}

async fn first(
    handle: &ContainerHandle,
    mut watching: Watching,
    within: Duration,
) -> Result<(), Failure> {
    let ending = tokio::select! {
        biased;
        ended = &mut watching => return match ended {
            Ok(()) => Ok(()),
            Err(reason) => Err(impossible(handle, reason).await),
        },
        ending = handle.buffer().ended() => ending,
        () = sleep(within) => return Err(Failure::TimedOut),
    };
    // What was waited for may be the end itself, or among the last words.
    match unconstrained(&mut watching).now_or_never() {
        Some(Ok(())) => Ok(()),
        _ => Err(Failure::Ended(ending)),
    }
}

/// What has become impossible because the container has exited is news of its exit.
async fn impossible(handle: &ContainerHandle, reason: String) -> Failure {
    let state = handle.inspect().await.ok().and_then(|inspected| inspected.state);
    let running = state.and_then(|state| state.running) == Some(true);
    if running {
        return Failure::Impossible(reason);
    }
    match timeout(END_DEADLINE, handle.buffer().ended()).await {
        Ok(ending) => Failure::Ended(ending),
        Err(_) => Failure::Impossible(reason),
    }
}

async fn describe(
    handle: &ContainerHandle,
    probe: &Probe,
    failure: Failure,
    begun: Instant,
) -> WaitError {
    let elapsed = begun.elapsed();
    let (node, tail) = (handle.node().to_owned(), Box::new(handle.buffer().tail()));
    let state = Box::new(probe.state(handle));
    match failure {
        Failure::Impossible(reason) => WaitError::Impossible { node, reason, state },
        Failure::Ended(Ending::Exited(exit)) => {
            WaitError::Exited { node, exit, elapsed, state, tail }
        }
        Failure::Ended(Ending::Lost(source)) => WaitError::Lost { node, tail, source },
        Failure::TimedOut => {
            let ports = ports(handle).await;
            WaitError::TimedOut { node, elapsed, state, ports, tail }
        }
    }
}

async fn ports(handle: &ContainerHandle) -> Vec<PortAddresses> {
    let ports = timeout(PORTS_DEADLINE, handle.ports()).await;
    ports.ok().and_then(Result::ok).unwrap_or_default()
}
