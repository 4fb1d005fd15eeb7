//! What is on an engine with certain labels, and its removal.

use std::collections::HashMap;

use futures_util::future::join_all;
use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error;
use testcontainers::bollard::models::NetworkDisconnectRequest;
use testcontainers::bollard::query_parameters::{
    ListContainersOptions, ListNetworksOptions, ListVolumesOptions, RemoveContainerOptions,
    RemoveVolumeOptions,
};

use crate::kept::is_kept;

type Labels = HashMap<String, String>;

/// Containers, networks and volumes, by what the engine finds them by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leftovers {
    containers: Vec<(String, Labels)>,
    networks: Vec<(String, Labels)>,
    volumes: Vec<(String, Labels)>,
}

impl Leftovers {
    /// Everything that has all of these labels, each as `key=value` or `key`, but for what is kept.
    ///
    /// # Errors
    ///
    /// The engine does not answer.
    pub async fn find(docker: &Docker, labels: &[String]) -> Result<Self, Error> {
        let filters = Some(HashMap::from([("label".to_owned(), labels.to_vec())]));
        let containers = ListContainersOptions {
            all: true,
            filters: filters.clone(),
            ..ListContainersOptions::default()
        };
        let containers = docker.list_containers(Some(containers)).await?;
        let networks = ListNetworksOptions { filters: filters.clone() };
        let networks = docker.list_networks(Some(networks)).await?;
        let volumes = docker.list_volumes(Some(ListVolumesOptions { filters })).await?;
        let mut found = Self {
            containers: containers
                .into_iter()
                .filter_map(|found| Some((found.id?, found.labels.unwrap_or_default())))
                .collect(),
            networks: networks
                .into_iter()
                .filter_map(|found| Some((found.id?, found.labels.unwrap_or_default())))
                .collect(),
            volumes: volumes
                .volumes
                .into_iter()
                .flatten()
                .map(|found| (found.name, found.labels))
                .collect(),
        };
        let Self { containers, networks, volumes } = &mut found;
        for kind in [containers, networks, volumes] {
            kind.retain(|(id, _)| !is_kept(id));
        }
        Ok(found)
    }

    /// Only what has labels that satisfy the condition.
    #[must_use]
    pub fn retain(mut self, mut condition: impl FnMut(&Labels) -> bool) -> Self {
        let Self { containers, networks, volumes } = &mut self;
        for kind in [containers, networks, volumes] {
            kind.retain(|(_, labels)| condition(labels));
        }
        self
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { containers, networks, volumes } = self;
        containers.is_empty() && networks.is_empty() && volumes.is_empty()
    }

    /// Removes it all, containers first, since they hold the rest. What cannot be removed, or is
    /// gone already, is passed over: whoever wants to know looks again.
    ///
    /// If a container is still there, or still going, the rest has to wait for the next look:
    /// taking a container off a network while the engine does the same can leave the network
    /// with an endpoint that nothing removes any more (seen with Docker 20.10).
    pub async fn remove(&self, docker: &Docker) {
        let options = RemoveContainerOptions { force: true, v: true, link: false };
        let containers = self.containers.iter();
        let removed =
            join_all(containers.map(|(id, _)| docker.remove_container(id, Some(options.clone()))));
        if !removed.await.iter().all(is_gone) {
            return;
        }
        join_all(self.networks.iter().map(|(id, _)| remove_network(docker, id))).await;
        let options = RemoveVolumeOptions { force: true };
        let volumes = self.volumes.iter();
        join_all(volumes.map(|(id, _)| docker.remove_volume(id, Some(options.clone())))).await;
    }
}

fn is_gone(removed: &Result<(), Error>) -> bool {
    matches!(removed, Ok(()) | Err(Error::DockerResponseServerError { status_code: 404, .. }))
}

/// A network goes once nobody is on it. Who is left on it is a stranger.
async fn remove_network(docker: &Docker, id: &str) {
    let Err(Error::DockerResponseServerError { status_code: 403, .. }) =
        docker.remove_network(id).await
    else {
        return;
    };
    let Ok(network) = docker.inspect_network(id, None).await else { return };
    for container in network.containers.unwrap_or_default().into_keys() {
        let request = NetworkDisconnectRequest { container, force: Some(true) };
        let _ = docker.disconnect_network(id, request).await;
    }
    let _ = docker.remove_network(id).await;
}
