//! The container that this process runs in, if it does: that of a CI job which has been given the
//! engine's socket.
//!
//! When it ends, everything in it ends at once, the reaper included. Its processes have numbers of
//! a namespace of their own, so nobody else can tell that they are dead; but the engine can tell
//! that their container is.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::sync::OnceLock;

use plimsoll_reaper::Leftovers;
use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error;

/// The label with the id of the container that something's owner runs in.
pub(crate) const INSIDE: &str = "dev.plimsoll.inside";

/// Known once the engine has been asked.
static CONTAINER: OnceLock<Option<String>> = OnceLock::new();

/// The label that says so, if it does.
pub(crate) fn label() -> Option<(String, String)> {
    let id = CONTAINER.get()?.as_ref()?;
    Some((INSIDE.to_owned(), id.clone()))
}

/// Finds out, before the first creation.
pub(crate) async fn look(docker: &Docker) {
    if CONTAINER.get().is_none() {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        // Another that has asked meanwhile has found the same.
        let _ = CONTAINER.set(find(docker, &mounts).await);
    }
}

/// Engines mount a container's own `/etc/hostname` from a directory named by its id. One that this
/// engine does not know is another's: then its end says nothing here.
async fn find(docker: &Docker, mounts: &str) -> Option<String> {
    for id in ids(mounts) {
        if docker.inspect_container(id, None).await.is_ok() {
            return Some(id.to_owned());
        }
    }
    None
}

fn ids(mounts: &str) -> Vec<&str> {
    let mut ids: Vec<_> = mounts
        .lines()
        .filter_map(|mount| {
            let (path, _) = mount.split_once("/hostname ")?;
            path.split('/').find(|part| is_id(part))
        })
        .collect();
    ids.dedup();
    ids
}

fn is_id(part: &str) -> bool {
    part.len() == 64 && part.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Removes what belonged to processes in containers that run no more.
pub(crate) async fn sweep(docker: &Docker) -> Result<(), Error> {
    let found = Leftovers::find(docker, &[INSIDE.to_owned()]).await?;
    let mut containers = HashSet::new();
    let found = found.retain(|labels: &HashMap<String, String>| {
        labels.get(INSIDE).is_some_and(|id| {
            containers.insert(id.clone());
            true
        })
    });
    let mut ended = HashSet::new();
    for id in containers {
        if has_ended(docker, &id).await {
            ended.insert(id);
        }
    }
    found
        .retain(|labels| labels.get(INSIDE).is_some_and(|id| ended.contains(id)))
        .remove(docker)
        .await;
    Ok(())
}

/// For certain: an engine that does not answer says nothing.
async fn has_ended(docker: &Docker, id: &str) -> bool {
    match docker.inspect_container(id, None).await {
        Ok(container) => container.state.and_then(|state| state.running) == Some(false),
        Err(Error::DockerResponseServerError { status_code: 404, .. }) => true,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_engine::FakeEngine;

    const ID: &str = "3ab9bc05d8fe4a20d9cb28dbbd7a4a4f5c6f1d8b5ae3dd6f0c1d2e3f4a5b6c7d";

    fn mounts(root: &str) -> String {
        format!(
            "566 540 0:50 / / rw,relatime - overlay overlay rw,lowerdir=/l\n\
             573 566 254:0 {root}/{ID}/resolv.conf /etc/resolv.conf rw - ext4 /dev/vda rw\n\
             574 566 254:0 {root}/{ID}/hostname /etc/hostname rw - ext4 /dev/vda rw\n"
        )
    }

    #[test]
    fn edge_crashed_runs_in_a_container_know_which_by_docker_and_podman() {
        assert_eq!(ids(&mounts("/var/lib/docker/containers")), [ID]);
        let podman = mounts("/containers/storage/overlay-containers")
            .replace(&format!("{ID}/"), &format!("{ID}/userdata/"));
        assert_eq!(ids(&podman), [ID]);
        assert_eq!(ids("24 1 254:0 / / rw - ext4 /dev/vda rw\n"), [""; 0]);
    }

    #[tokio::test]
    async fn edge_crashed_runs_in_a_container_of_another_engine_have_no_proof() {
        let fake = FakeEngine::listen("inside");
        fake.answer("GET", "/containers/", 404, r#"{"message":"No such container"}"#);
        let mounts = mounts("/var/lib/docker/containers");
        assert_eq!(find(&fake.docker(), &mounts).await, None);
        fake.answer("GET", "/containers/", 200, "{}");
        assert_eq!(find(&fake.docker(), &mounts).await.as_deref(), Some(ID));
    }
}
