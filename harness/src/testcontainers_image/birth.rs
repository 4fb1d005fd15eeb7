//! What happens to a container of testcontainers between its creation and its start.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use testcontainers::bollard::models::{NetworkConnectRequest, NetworkDisconnectRequest};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::buffer::LogBuffer;
use crate::container::Container;
use crate::create::{endpoint, target};
use crate::definition::NetworkAttachment;
use crate::process::ProcessIdentity;
use crate::pump::{self, Output};
use crate::request::{RequestError, Step};
use crate::stack::World;
use crate::start::StartError;

/// Where the container belongs.
pub(crate) struct Parentage {
    pub(crate) world: World,
    pub(crate) node: String,
    pub(crate) full_name: String,
    pub(crate) networks: Vec<NetworkAttachment>,
}

/// Waits for the container to be created, and makes it ours.
pub(crate) struct Birth {
    parentage: Arc<Parentage>,
    /// Known on the engine's runtime, and not on the thread that creates the container.
    owner: Arc<ProcessIdentity>,
    /// The engine's runtime.
    runtime: Handle,
    announce: Option<oneshot::Sender<Result<Container, StartError>>>,
    /// The output, once somebody listens and until somebody waits for its end.
    output: Option<(String, Output, Arc<LogBuffer>)>,
}

impl Birth {
    /// Called on the engine's runtime.
    pub(crate) fn expected(
        parentage: Parentage,
    ) -> (Self, oneshot::Receiver<Result<Container, StartError>>) {
        let (announce, born) = oneshot::channel();
        let parentage = Arc::new(parentage);
        let birth = Self {
            parentage,
            owner: ProcessIdentity::current(),
            runtime: Handle::current(),
            announce: Some(announce),
            output: None,
        };
        (birth, born)
    }

    /// The network it has to be created on.
    pub(crate) fn network(&self) -> Option<String> {
        self.parentage.networks.first().map(|attachment| target(attachment).to_owned())
    }

    /// The container is there and does not run. Returns when it is ours.
    pub(crate) fn created(&mut self) {
        let Some(announce) = self.announce.take() else { return };
        let (done, adopted) = sync_channel(1);
        let parentage = self.parentage.clone();
        self.runtime.spawn(self.owner.clone().owns(async move {
            let (container, output) = match adopt(&parentage).await {
                Ok((container, output)) => (Ok(container), Some(output)),
                Err(error) => (Err(error), None),
            };
            let _ = announce.send(container);
            let _ = done.send(output);
        }));
        self.output = adopted.recv().ok().flatten();
    }

    /// The container runs, or has run.
    pub(crate) fn started(&mut self) {
        let Some((id, output, logs)) = self.output.take() else { return };
        let docker = self.parentage.world.engine().docker().clone();
        self.runtime.spawn(pump::watch(docker, id, output, logs));
    }
}

async fn adopt(
    parentage: &Parentage,
) -> Result<(Container, (String, Output, Arc<LogBuffer>)), StartError> {
    let Parentage { world, node, full_name, networks } = parentage;
    let docker = world.engine().docker();
    let found = docker.inspect_container(full_name, None).await;
    let found = found.map_err(RequestError::during(Step::Inspect, node))?;
    let id = found.id.unwrap_or_else(|| full_name.clone());
    let logs = Arc::new(LogBuffer::new());
    // From here on, dropping it removes it.
    let container = Container::new(
        world.engine().clone(),
        node.clone(),
        id.clone(),
        full_name.clone(),
        logs.clone(),
    );
    world.teardown(|teardown| teardown.container(node, &id));
    for (index, attachment) in networks.iter().enumerate() {
        let network = target(attachment);
        // It was created on the first, for want of words without its aliases.
        if index == 0 {
            let request = NetworkDisconnectRequest { container: id.clone(), force: Some(true) };
            let left = docker.disconnect_network(network, request).await;
            left.map_err(RequestError::during(Step::ConnectNetwork, node))?;
        }
        let endpoint_config = Some(endpoint(node, attachment));
        let request = NetworkConnectRequest { container: id.clone(), endpoint_config };
        let joined = docker.connect_network(network, request).await;
        joined.map_err(RequestError::during(Step::ConnectNetwork, node))?;
    }
    let output = pump::attach(docker, &id, logs.clone()).await;
    let output = output.map_err(RequestError::during(Step::Attach, node))?;
    Ok((container, (id, output, logs)))
}
