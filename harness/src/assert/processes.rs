//! The processes of a container: who runs, as whom, and who started whom.
//!
//! The engine's `top` runs the `ps` of its own machine, so none is needed in the image. Its
//! numbers are the machine's too; within a container only pid 1 is certain, and it is the root
//! of the tree. Between an engine with remapped users and its containers user numbers differ,
//! and no name is found for them. `ps` joins a process's arguments with single spaces. Zombies
//! are not among the processes the engine knows of.

mod matcher;
mod tree;

use std::time::Duration;

use testcontainers::bollard::query_parameters::TopOptions;

pub use self::matcher::{ProcessMatcher, proc};
pub use self::tree::{Process, Processes, Row, TreeError};
use super::engine::{ObserveError, ask, main_pid};
use super::users::{Names, Owner};
use crate::container::Container;

/// Every process in question, one in a line, with its line not cut off.
const PS_ARGS: &str = "-wwo pid,ppid,uid,args";

/// How long the engine may take to notice that a container has ended.
const NOTICED: Duration = Duration::from_secs(1);

/// The processes that run in the container now.
///
/// # Errors
///
/// The container does not run, the engine refuses, or its machine has no `ps` that knows
/// `-o pid,ppid,uid,args` (BusyBox's does not).
pub async fn of(container: &Container) -> Result<Processes, ObserveError> {
    let what = format!("the processes of `{}`", container.node());
    let root = main_pid(container, &what).await?;
    match tree(container, &what, root).await {
        Ok(processes) => Ok(processes),
        Err(error) => {
            // If it ended just then, that is what there is to say.
            if container.wait_exit(NOTICED).await.is_ok() {
                main_pid(container, &what).await?;
            }
            Err(error)
        }
    }
}

async fn tree(container: &Container, what: &str, root: u32) -> Result<Processes, ObserveError> {
    let options = TopOptions { ps_args: PS_ARGS.to_owned() };
    let top =
        ask(
            container,
            what,
            |docker, id| async move { docker.top_processes(&id, Some(options)).await },
        )
        .await?;
    let rows: Result<Vec<_>, _> =
        top.processes.iter().flatten().map(|cells| Row::parse(cells)).collect();
    let names = Names::users(container).await?;
    let tree = rows.and_then(|rows| {
        Processes::build(container.node(), rows, root, |uid| Owner::new(uid, &names))
    });
    tree.map_err(|error| ObserveError::unusable(what, error.to_string()))
}
