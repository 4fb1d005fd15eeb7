//! A container without a network.

use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error;
use testcontainers::bollard::models::{
    EndpointSettings, NetworkConnectRequest, NetworkDisconnectRequest,
};

use crate::handle::ContainerHandle;
use crate::request::{RequestError, Step};

/// A container that has been taken off its networks. Dropping this leaves it so.
#[derive(Debug)]
#[must_use = "`reconnect` puts the container back"]
pub struct Disconnected {
    handle: ContainerHandle,
    endpoints: Vec<(String, EndpointSettings)>,
}

impl Disconnected {
    /// Puts it back on its networks, under the same names. Its addresses may be others; its
    /// published ports are too on some engines.
    ///
    /// # Errors
    ///
    /// A network is gone or the engine refuses.
    pub async fn reconnect(self) -> Result<(), RequestError> {
        let Self { handle, endpoints } = self;
        let id = handle.id().to_owned();
        let connecting = move |docker: Docker| async move {
            for (network, endpoint) in endpoints {
                let endpoint_config = Some(endpoint);
                let request = NetworkConnectRequest { container: id.clone(), endpoint_config };
                docker.connect_network(&network, request).await?;
            }
            Ok(())
        };
        handle.request(Step::Connect, connecting).await
    }
}

pub(crate) async fn disconnect(handle: &ContainerHandle) -> Result<Disconnected, RequestError> {
    let id = handle.id().to_owned();
    let disconnecting = move |docker: Docker| async move {
        let state = docker.inspect_container(&id, None).await?;
        let networks = state.network_settings.and_then(|settings| settings.networks);
        let mut endpoints = Vec::new();
        for (name, endpoint) in networks.unwrap_or_default() {
            // By id where there is one: old engines allow two networks of one name.
            let network = endpoint.network_id.clone().filter(|id| !id.is_empty()).unwrap_or(name);
            take_off(&docker, &network, &id).await?;
            // Its names only: the addresses are the network's to give.
            let aliases = endpoint.aliases;
            endpoints.push((network, EndpointSettings { aliases, ..EndpointSettings::default() }));
        }
        Ok(endpoints)
    };
    let endpoints = handle.request(Step::Disconnect, disconnecting).await?;
    Ok(Disconnected { handle: handle.clone(), endpoints })
}

async fn take_off(docker: &Docker, network: &str, id: &str) -> Result<(), Error> {
    let request = NetworkDisconnectRequest { container: id.to_owned(), force: Some(true) };
    docker.disconnect_network(network, request).await
}
