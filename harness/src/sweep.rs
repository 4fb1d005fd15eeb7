//! What crashed runs have left: removed at the first creation of a process, if whoever it
//! belonged to is dead for certain.

use std::collections::HashMap;
use std::path::Path;

use plimsoll_reaper::{Identity, LEASE, Leftovers, lease_is_held};
use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error;

use crate::inside;

/// Removes what belonged to dead processes of this machine, and nothing else.
///
/// `one_machine` says that the engine serves this machine alone.
pub(crate) async fn sweep(docker: &Docker, one_machine: bool) -> Result<(), Error> {
    let here = Identity::current();
    if here.host.is_empty() {
        return Ok(());
    }
    let found = Leftovers::find(docker, &[here.host_filter()]).await?;
    let dead = found.retain(|labels| is_left(labels, &here, one_machine));
    dead.remove(docker).await;
    forget_what_is_gone(docker).await;
    inside::sweep(docker).await
}

/// Takes away the marks of what was kept, once somebody has removed it.
async fn forget_what_is_gone(docker: &Docker) {
    for id in plimsoll_reaper::kept() {
        let (container, network, volume) = tokio::join!(
            docker.inspect_container(&id, None),
            docker.inspect_network(&id, None),
            docker.inspect_volume(&id),
        );
        if is_gone(&container) && is_gone(&network) && is_gone(&volume) {
            // Whoever comes next tries again.
            let _ = plimsoll_reaper::forget(&id);
        }
    }
}

fn is_gone<T>(looked: &Result<T, Error>) -> bool {
    matches!(looked, Err(Error::DockerResponseServerError { status_code: 404, .. }))
}

fn is_left(labels: &HashMap<String, String>, here: &Identity, one_machine: bool) -> bool {
    let dead = Identity::of_labels(labels).is_some_and(|owner| owner.is_dead(here, one_machine));
    // What is shared can outlive the runner it belongs to: a test may be left that uses it.
    dead && !labels.get(LEASE).is_some_and(|lease| lease_is_held(Path::new(lease)))
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn a_lease_keeps_what_a_dead_runner_owned() {
        let here = Identity::current();
        let dead = Identity { pid: 1 << 30, ..here.clone() };
        let mut labels: HashMap<_, _> =
            dead.labels().map(|(key, value)| (key.to_owned(), value)).into();
        assert!(is_left(&labels, &here, true));
        let path = std::env::temp_dir().join(format!("plimsoll-sweep-{}", std::process::id()));
        labels.insert(LEASE.to_owned(), path.to_string_lossy().into_owned());
        assert!(is_left(&labels, &here, true), "there is no lease");
        let lease = File::create(&path).unwrap();
        lease.lock_shared().unwrap();
        assert!(!is_left(&labels, &here, true));
        drop(lease);
        assert!(is_left(&labels, &here, true));
        std::fs::remove_file(path).unwrap();
    }
}
