//! A network that containers find each other on.

use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error;
use testcontainers::bollard::models::{NetworkCreateRequest, NetworkDisconnectRequest};

use crate::engine::Engine;
use crate::process::ProcessIdentity;
use crate::request::{RequestError, Step};
use crate::start::StartError;

/// A user-defined bridge network. Dropping it removes it, and takes the containers that are
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
    /// Removed already, or shared with processes that may need it longer than this one.
    removed: bool,
}

impl Network {
    /// Creates a network; its name on the engine is `plimsoll-<run>-<name>`.
    ///
    /// # Errors
    ///
    /// There is no engine, or it has no addresses left.
    pub async fn create(name: &str) -> Result<Self, StartError> {
        let engine = Engine::connect()?;
        let create = create(engine.clone(), name.to_owned());
        let created = engine.guarded().await?.make(create, discard).await;
        created.map_err(|source| {
            RequestError { step: Step::CreateNetwork, node: name.to_owned(), source }.into()
        })
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
            .call(|docker| remove(docker, id))
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
            self.engine.finish(|docker| remove(docker, id));
        }
    }
}

/// Removes what was created for someone who has stopped waiting for it.
async fn discard(created: Result<Network, Error>) {
    if let Ok(network) = created {
        // There is nobody left to tell; drop tries the removal again.
        let _ = network.remove().await;
    }
}

async fn create(engine: Engine, node: String) -> Result<Network, Error> {
    let process = ProcessIdentity::current();
    let name = process.name(&node);
    let request = NetworkCreateRequest {
        name: name.clone(),
        labels: Some(process.labels(&node)),
        ..NetworkCreateRequest::default()
    };
    let id = engine.docker().create_network(request).await?.id;
    Ok(Network { engine, node, id, name, removed: process.is_shared() })
}

async fn remove(docker: Docker, id: String) -> Result<(), Error> {
    match docker.remove_network(&id).await {
        Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
        Err(Error::DockerResponseServerError { status_code: 403, .. }) => {
            disconnect_all(&docker, &id).await?;
            docker.remove_network(&id).await
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
