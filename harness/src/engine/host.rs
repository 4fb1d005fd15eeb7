//! Where the ports that an engine publishes can be reached.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::Path;

use plimsoll_reaper::Address;
use testcontainers::bollard::Docker;

/// Names the machine that published ports are on, where nothing else can know it. Other
/// testcontainers read it as well.
pub(super) const OVERRIDE: &str = "TESTCONTAINERS_HOST_OVERRIDE";

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The address of the machine that published ports are on, or the name that does not resolve.
pub(super) async fn host(
    docker: &Docker,
    engine: &Address,
    named: Option<&str>,
) -> Result<IpAddr, String> {
    let named = named.or_else(|| engine.host());
    if let Some(name) = named {
        return resolve(name).await;
    }
    if !["/.dockerenv", "/run/.containerenv"].iter().any(|path| Path::new(path).exists()) {
        return Ok(LOOPBACK);
    }
    // In a container with the engine's socket, published ports are on the other side of the
    // bridge, unless the container has the machine's own network: then the bridge's address is
    // one of its own, which shows when it is bound.
    let gateway = gateway(docker).await;
    Ok(gateway.filter(|gateway| UdpSocket::bind((*gateway, 0)).is_err()).unwrap_or(LOOPBACK))
}

async fn resolve(name: &str) -> Result<IpAddr, String> {
    let found = tokio::net::lookup_host((name, 0)).await;
    let address = found.map_err(|error| format!("look up `{name}`: {error}"))?.next();
    address.map(|address| address.ip()).ok_or_else(|| format!("`{name}` has no address"))
}

/// The machine's address on the default bridge, which Podman calls otherwise.
async fn gateway(docker: &Docker) -> Option<IpAddr> {
    for name in ["bridge", "podman"] {
        let Ok(network) = docker.inspect_network(name, None).await else { continue };
        let configured = network.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
        let gateways = configured.into_iter().filter_map(|config| config.gateway);
        if let Some(gateway) = gateways.filter_map(|gateway| gateway.parse().ok()).next() {
            return Some(gateway);
        }
    }
    None
}
