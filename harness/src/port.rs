//! Where a container's ports can be reached.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use testcontainers::bollard::models::{ContainerInspectResponse, PortBinding, PortMap};

use crate::failure::debug_by_message;
use crate::request::RequestError;
use crate::wait::PortAddresses;

/// A port that cannot be reached from here.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum PortError {
    /// The definition does not publish it, or the container is not running.
    #[error("find port {port} of `{node}`: it is not published; published are {published:?}")]
    NotPublished {
        /// The container's name in its definition.
        node: String,
        /// The port asked for.
        port: u16,
        /// The ports that are published now.
        published: Vec<String>,
    },
    /// The definition publishes none, or the container is not running.
    #[error("find a port of `{node}`: it publishes none; its definition could `.publish(80)`")]
    NonePublished {
        /// The container's name in its definition.
        node: String,
    },
    /// The engine could not be asked.
    #[error(transparent)]
    Request(#[from] RequestError),
}

debug_by_message!(PortError);

/// The addresses of the machine the engine publishes ports on, as seen from here.
#[derive(Clone, Debug)]
pub(crate) struct EngineAddresses {
    /// Whether that is this machine.
    pub(crate) local: bool,
    pub(crate) addresses: Vec<IpAddr>,
}

impl EngineAddresses {
    pub(crate) fn at(host: IpAddr) -> Self {
        if host.is_loopback() {
            // Perhaps over TCP, and yet this machine.
            return Self::local();
        }
        Self { local: false, addresses: vec![host] }
    }

    fn local() -> Self {
        let addresses = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        Self { local: true, addresses }
    }

    /// An address to connect to for a port that is published on `published`.
    fn reachable(&self, published: &str) -> Option<IpAddr> {
        // Engines before 20.10 leave it empty for all addresses.
        let published: IpAddr = match published {
            "" => Ipv4Addr::UNSPECIFIED.into(),
            address => address.parse().ok()?,
        };
        let elsewhere = published.is_unspecified() || (published.is_loopback() && !self.local);
        if !elsewhere {
            return Some(published);
        }
        self.addresses.iter().find(|address| address.is_ipv4() == published.is_ipv4()).copied()
    }
}

/// Where a TCP port is published, IPv4 before IPv6.
pub(crate) fn published(
    node: &str,
    ports: &PortMap,
    port: u16,
    engine: &EngineAddresses,
) -> Result<Vec<SocketAddr>, PortError> {
    let bindings = ports.get(&format!("{port}/tcp")).and_then(Option::as_ref);
    let addresses = addresses(bindings.map_or(&[], Vec::as_slice), engine);
    if addresses.is_empty() {
        let bound = ports.iter().filter(|(_, bindings)| bindings.is_some());
        let mut published: Vec<_> = bound.map(|(port, _)| port.clone()).collect();
        published.sort();
        return Err(PortError::NotPublished { node: node.to_owned(), port, published });
    }
    Ok(addresses)
}

pub(crate) fn addresses(bindings: &[PortBinding], engine: &EngineAddresses) -> Vec<SocketAddr> {
    let mut addresses: Vec<_> = bindings
        .iter()
        .filter_map(|binding| {
            let ip = engine.reachable(binding.host_ip.as_deref().unwrap_or_default())?;
            Some(SocketAddr::new(ip, binding.host_port.as_deref()?.parse().ok()?))
        })
        .collect();
    addresses.sort();
    addresses.dedup();
    addresses
}

/// All ports of a container, and where they are published.
pub(crate) fn table(
    state: &ContainerInspectResponse,
    engine: &EngineAddresses,
) -> Vec<PortAddresses> {
    let ports = state.network_settings.as_ref().and_then(|settings| settings.ports.as_ref());
    let mut table: Vec<_> = ports
        .into_iter()
        .flatten()
        .map(|(port, bindings)| PortAddresses {
            port: port.clone(),
            addresses: addresses(bindings.as_deref().unwrap_or_default(), engine),
        })
        .collect();
    table.sort_by(|one, other| one.port.cmp(&other.port));
    table
}

/// The lowest TCP port that is published.
pub(crate) fn first(node: &str, ports: &PortMap) -> Result<u16, PortError> {
    let bound =
        ports.iter().filter(|(_, bindings)| bindings.as_ref().is_some_and(|b| !b.is_empty()));
    bound
        .filter_map(|(port, _)| port.strip_suffix("/tcp")?.parse().ok())
        .min()
        .ok_or_else(|| PortError::NonePublished { node: node.to_owned() })
}

/// A way to a port of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The container's own address: what it refuses is refused here.
    Direct(SocketAddr),
    /// Through the engine, whose proxy accepts whether or not the container does (moby's
    /// docker-proxy; testcontainers-java#160).
    Published(SocketAddr),
}

impl Reach {
    pub(crate) fn address(self) -> SocketAddr {
        match self {
            Self::Direct(address) | Self::Published(address) => address,
        }
    }
}

/// The way to a port that needs no proxy, if there is one from here.
pub(crate) fn direct(state: &ContainerInspectResponse, port: u16) -> Option<SocketAddr> {
    let networks = state.network_settings.as_ref()?.networks.as_ref()?;
    networks.values().find_map(|endpoint| {
        let ip: IpAddr = endpoint.ip_address.as_deref()?.parse().ok()?;
        let gateway: IpAddr = endpoint.gateway.as_deref()?.parse().ok()?;
        is_of_this_machine(gateway).then_some(SocketAddr::new(ip, port))
    })
}

/// Only an address of this machine can be bound to. If the gateway of a bridge is one, so is
/// the bridge, and its containers can be reached: not so in a virtual machine's engine, a
/// remote one, or one whose socket was mounted into a container.
fn is_of_this_machine(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports() -> PortMap {
        let binding = |ip: &str, port: &str| PortBinding {
            host_ip: Some(ip.to_owned()),
            host_port: Some(port.to_owned()),
        };
        PortMap::from([
            ("80/tcp".to_owned(), Some(vec![binding("127.0.0.1", "32768")])),
            ("443/tcp".to_owned(), None),
            ("53/udp".to_owned(), Some(vec![binding("0.0.0.0", "32769")])),
            ("25/tcp".to_owned(), Some(vec![binding("::", "32771"), binding("0.0.0.0", "32770")])),
            ("9/tcp".to_owned(), Some(Vec::new())),
        ])
    }

    fn remote() -> EngineAddresses {
        EngineAddresses { local: false, addresses: vec!["192.0.2.7".parse().unwrap()] }
    }

    fn text(addresses: Result<Vec<SocketAddr>, PortError>) -> Vec<String> {
        addresses.unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn edge_ipv4_and_ipv6_have_addresses_and_neither_is_unspecified() {
        let local = EngineAddresses::local();
        assert_eq!(text(published("web", &ports(), 80, &local)), ["127.0.0.1:32768"]);
        let both = text(published("web", &ports(), 25, &local));
        assert_eq!(both, ["127.0.0.1:32770", "[::1]:32771"]);
    }

    #[test]
    fn edge_remote_engine_publishes_on_its_own_address() {
        for (port, expected) in [(80, "192.0.2.7:32768"), (25, "192.0.2.7:32770")] {
            assert_eq!(text(published("web", &ports(), port, &remote())), [expected]);
        }
    }

    #[test]
    fn an_exposed_port_is_not_a_published_one() {
        let error = published("web", &ports(), 443, &EngineAddresses::local()).unwrap_err();
        let expected = "find port 443 of `web`: it is not published; published are \
                        [\"25/tcp\", \"53/udp\", \"80/tcp\", \"9/tcp\"]";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn the_first_port_is_the_lowest_published_one_of_tcp() {
        assert_eq!(first("web", &ports()).unwrap(), 25);
        assert!(first("web", &PortMap::new()).unwrap_err().to_string().contains("publishes none"));
    }

    #[test]
    fn only_own_addresses_are_of_this_machine() {
        assert!(is_of_this_machine("127.0.0.1".parse().unwrap()));
        // Set aside for documentation (RFC 5737).
        assert!(!is_of_this_machine("192.0.2.7".parse().unwrap()));
    }
}
