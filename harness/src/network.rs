//! A network that containers find each other on.

use plimsoll_reaper::is_kept;
use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error;
use testcontainers::bollard::models::{
    Ipam, IpamConfig, NetworkCreateRequest, NetworkDisconnectRequest,
};
use testcontainers::bollard::query_parameters::ListNetworksOptions;

use crate::engine::Engine;
use crate::process::ProcessIdentity;
use crate::request::{RequestError, Step};
use crate::scope::SharedNode;
use crate::start::StartError;

/// A network to create.
///
/// ```
/// use plimsoll_harness::NetworkDefinition;
///
/// let backend = NetworkDefinition::default().internal().subnet("10.77.0.0/24");
/// assert_eq!(backend.subnet.as_deref(), Some("10.77.0.0/24"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NetworkDefinition {
    /// Whether its containers reach nothing but each other.
    pub internal: bool,
    /// The engine's network driver; `bridge` if none is given.
    pub driver: Option<String>,
    /// Its addresses, as `10.77.0.0/24`; from the engine's pools if none are given. Two tests
    /// that run side by side cannot both have them.
    pub subnet: Option<String>,
}

impl NetworkDefinition {
    /// Cuts its containers off from everything but each other; published ports stay reachable
    /// on some engines only.
    #[must_use]
    pub fn internal(mut self) -> Self {
        self.internal = true;
        self
    }

    /// Gives it these addresses.
    #[must_use]
    pub fn subnet(mut self, subnet: impl Into<String>) -> Self {
        self.subnet = Some(subnet.into());
        self
    }

    /// Creates the network; its name on the engine is `plimsoll-<run>-<name>`.
    ///
    /// # Errors
    ///
    /// There is no engine, or it has no addresses left.
    pub async fn create(&self, name: &str) -> Result<Network, StartError> {
        let engine = Engine::connect()?;
        let create = create(engine.clone(), name.to_owned(), self.clone());
        engine.guarded().await?.make(create, discard).await
    }
}

/// A user-defined network. Dropping it removes it, and takes the containers that are
/// still on it off first.
///
/// Its address comes from the engine's pools, which hold about thirty: one per test that needs
/// one, not one per container.
///
/// ```no_run
/// use plimsoll_harness::{ContainerDefinition, Network};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let network = Network::create("backend").await?;
/// let db = ContainerDefinition::new("db", "postgres:16").network(&network, ["database"]);
/// # let _ = db;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Network {
    engine: Engine,
    node: String,
    id: String,
    name: String,
    /// Removed already, or needed by others for longer than this is there.
    removed: bool,
}

impl Network {
    /// Creates a bridge network; its name on the engine is `plimsoll-<run>-<name>`.
    ///
    /// # Errors
    ///
    /// There is no engine, or it has no addresses left.
    pub async fn create(name: &str) -> Result<Self, StartError> {
        NetworkDefinition::default().create(name).await
    }

    /// A network that another process has created, for longer than this one lasts.
    pub(crate) async fn adopt(shared: SharedNode) -> Result<Self, StartError> {
        let SharedNode { node, id, name } = shared;
        let engine = Engine::connect()?;
        let network = id.clone();
        engine
            .call(|docker| async move { docker.inspect_network(&network, None).await })
            .await
            .map_err(RequestError::during(Step::InspectNetwork, &node))?;
        Ok(Self { engine, node, id, name, removed: true })
    }

    /// Somebody else removes it.
    pub(crate) fn kept(mut self) -> Self {
        self.removed = true;
        self
    }

    /// What another process needs to know of it.
    pub(crate) fn share(&self) -> SharedNode {
        let Self { node, id, name, .. } = self;
        SharedNode { node: node.clone(), id: id.clone(), name: name.clone() }
    }

    /// Its id on the engine. Old engines allow two networks of one name, so ids it is.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its name on the engine.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Removes it, as dropping it does, and says how that went.
    ///
    /// # Errors
    ///
    /// The engine refuses; a network that is gone already counts as removed.
    pub async fn remove(mut self) -> Result<(), RequestError> {
        let id = self.id.clone();
        self.engine
            .call(|docker| async move { remove(&docker, &id).await })
            .await
            .map_err(RequestError::during(Step::RemoveNetwork, &self.node))?;
        self.removed = true;
        Ok(())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if !self.removed {
            let id = self.id.clone();
            self.engine.finish(|docker| async move { remove(&docker, &id).await });
        }
    }
}

/// Removes what was created for someone who has stopped waiting for it.
async fn discard(created: Result<Network, StartError>) {
    if let Ok(network) = created {
        // There is nobody left to tell; drop tries the removal again.
        let _ = network.remove().await;
    }
}

pub(crate) async fn create(
    engine: Engine,
    node: String,
    definition: NetworkDefinition,
) -> Result<Network, StartError> {
    let process = ProcessIdentity::current();
    let name = process.name(&node);
    let subnet = definition.subnet.map(|subnet| Ipam {
        config: Some(vec![IpamConfig { subnet: Some(subnet), ..IpamConfig::default() }]),
        ..Ipam::default()
    });
    let request = NetworkCreateRequest {
        name: name.clone(),
        internal: Some(definition.internal),
        driver: definition.driver,
        ipam: subnet,
        labels: Some(process.labels(&node)),
        ..NetworkCreateRequest::default()
    };
    match engine.docker().create_network(request).await {
        Ok(created) => {
            Ok(Network { engine, node, id: created.id, name, removed: process.is_shared() })
        }
        Err(source) => Err(refused(engine.docker(), &node, source).await),
    }
}

/// Engines say that their pools are empty in words only.
async fn refused(docker: &Docker, node: &str, source: Error) -> StartError {
    let exhausted = match &source {
        Error::DockerResponseServerError { message, .. } => {
            message.contains("address pool") || message.contains("fully subnetted")
        }
        _ => false,
    };
    if !exhausted {
        return RequestError::during(Step::CreateNetwork, node)(source).into();
    }
    let networks = docker.list_networks(None::<ListNetworksOptions>).await;
    let networks = networks.map_or(0, |networks| networks.len());
    StartError::NoAddresses { node: node.to_owned(), networks, source }
}

pub(crate) async fn remove(docker: &Docker, id: &str) -> Result<(), Error> {
    if is_kept(id) {
        return Ok(());
    }
    match docker.remove_network(id).await {
        Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
        Err(Error::DockerResponseServerError { status_code: 403, .. }) => {
            disconnect_all(docker, id).await?;
            docker.remove_network(id).await
        }
        result => result,
    }
}

async fn disconnect_all(docker: &Docker, id: &str) -> Result<(), Error> {
    let network = docker.inspect_network(id, None).await?;
    for container in network.containers.unwrap_or_default().into_keys() {
        let request = NetworkDisconnectRequest { container, force: Some(true) };
        // One that has left meanwhile is no obstacle; the removal will tell.
        let _ = docker.disconnect_network(id, request).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_engine::FakeEngine;

    fn create_on(name: &str, message: &str) -> StartError {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let fake = FakeEngine::listen(name);
            let body = format!("{{\"message\":\"{message}\"}}");
            fake.answer("POST", "/networks/create", 500, &body);
            fake.answer("GET", "/networks", 200, "[{},{},{}]");
            let engine = Engine::over(fake.docker());
            create(engine, "back".to_owned(), NetworkDefinition::default()).await.unwrap_err()
        })
    }

    #[test]
    fn edge_address_pools_that_are_used_up_are_reported_with_a_remedy() {
        for message in [
            "could not find an available, non-overlapping IPv4 address pool among the defaults",
            "all predefined address pools have been fully subnetted",
        ] {
            let error = create_on("pools", message).to_string();
            let expected = "create network `back`: the engine has no addresses left, with 3 networks; \
                            remove those that nobody uses (`docker network prune`), ";
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn another_refusal_is_not_taken_for_it() {
        let error = create_on("plugin", "plugin not found").to_string();
        assert_eq!(error, "create network `back`");
    }
}
