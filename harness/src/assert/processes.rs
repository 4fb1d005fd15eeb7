//! The processes of a container: who runs, as whom, and who started whom.
//!
//! The engine's `top` runs the `ps` of its own machine, so none is needed in the image. Its
//! numbers are the machine's too; within a container only pid 1 is certain, and it is the root
//! of the tree. Between an engine with remapped users and its containers user numbers differ,
//! and no name is found for them. `ps` joins a process's arguments with single spaces.

mod matcher;
mod tree;

use std::time::Duration;

use testcontainers::bollard::query_parameters::TopOptions;
use tokio::time::{Instant, sleep};

pub use self::matcher::{ProcessMatcher, proc};
pub use self::tree::{Process, Processes, Row, TreeError};
use super::engine::{ObserveError, ask, node};
use super::mismatch::{Expectation, Mismatch, Observed};
use super::users::{Names, Owner};
use crate::container::Container;

/// Every process in question, one in a line, with its line not cut off.
const PS_ARGS: &str = "-wwo pid,ppid,uid,stat,args";

/// How long to wait before another look, at first and at most.
const PACE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(320));

/// The processes that run in the container now.
///
/// # Errors
///
/// The container does not run, the engine refuses, or its machine has no `ps` that knows
/// `-o pid,ppid,uid,stat,args` (BusyBox's does not).
pub async fn of(container: &Container) -> Result<Processes, ObserveError> {
    of_users(container, &Names::users(container).await?).await
}

/// The processes, as soon as they are as expected; Processes come and go without an event that
/// the engine would tell of, so they are looked at again and again.
///
/// # Errors
///
/// They are not as expected when the time is over, or cannot be looked at.
pub async fn within(
    container: &Container,
    deadline: Duration,
    expected: &ProcessMatcher,
) -> Result<Processes, ProcessesError> {
    let names = Names::users(container).await?;
    let end = Instant::now() + deadline;
    let mut pause = PACE.0;
    loop {
        let found = of_users(container, &names).await?;
        match found.assert(expected) {
            Ok(()) => return Ok(found),
            Err(mismatch) if Instant::now() + pause > end => return Err(mismatch.into()),
            Err(_) => sleep(pause).await,
        }
        pause = (pause * 2).min(PACE.1);
    }
}

/// Processes that did not become what was expected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessesError {
    /// They cannot be looked at.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// They are different.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
}

/// Expects no process that has ended and that its parent does not care about. A container
/// whose pid 1 does not reap its orphans collects them until it can start no more.
#[derive(Clone, Copy, Debug)]
pub struct NoZombies;

impl Expectation<Processes> for NoZombies {
    fn differences(&self, found: &Processes) -> Vec<super::Difference> {
        let zombies = found.iter().filter(|process| process.is_zombie());
        zombies
            .map(|process| {
                let place = format!("process {}", process.pid);
                super::Difference::new(place, "no zombie", format!("`{}`", process.args))
            })
            .collect()
    }
}

async fn of_users(container: &Container, names: &Names) -> Result<Processes, ObserveError> {
    let what = format!("the processes of `{}`", node(container));
    let state = container.inspect().await?.state.unwrap_or_default();
    let root = state.pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid != 0);
    let Some(root) = root else {
        return Err(ObserveError::unusable(what, "it is not running"));
    };
    let options = TopOptions { ps_args: PS_ARGS.to_owned() };
    let top = ask(container, &what, |docker, id| async move {
        docker.top_processes(&id, Some(options)).await
    })
    .await?;
    let rows: Result<Vec<_>, _> =
        top.processes.iter().flatten().map(|cells| Row::parse(cells)).collect();
    let tree = rows.and_then(|rows| {
        Processes::build(node(container), rows, root, |uid| Owner::new(uid, names))
    });
    tree.map_err(|error| ObserveError::unusable(what, error.to_string()))
}
