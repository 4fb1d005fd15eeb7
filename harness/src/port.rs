//! Where a published port can be reached.

use std::net::{IpAddr, SocketAddr};

use testcontainers::bollard::models::PortMap;

use crate::request::RequestError;

/// A port that cannot be reached from here.
#[derive(Debug, thiserror::Error)]
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
    /// The engine could not be asked.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// The address a TCP port is published on.
pub(crate) fn published(node: &str, ports: &PortMap, port: u16) -> Result<SocketAddr, PortError> {
    let bindings = ports.get(&format!("{port}/tcp")).into_iter().flatten().flatten();
    bindings
        .filter_map(|binding| {
            let ip: IpAddr = binding.host_ip.as_deref()?.parse().ok()?;
            Some(SocketAddr::new(ip, binding.host_port.as_deref()?.parse().ok()?))
        })
        .next()
        .ok_or_else(|| {
            let bound = ports.iter().filter(|(_, bindings)| bindings.is_some());
            let mut published: Vec<_> = bound.map(|(port, _)| port.clone()).collect();
            published.sort();
            PortError::NotPublished { node: node.to_owned(), port, published }
        })
}

#[cfg(test)]
mod tests {
    use testcontainers::bollard::models::PortBinding;

    use super::*;

    fn ports() -> PortMap {
        let binding = |ip: &str, port: &str| PortBinding {
            host_ip: Some(ip.to_owned()),
            host_port: Some(port.to_owned()),
        };
        PortMap::from([
            ("80/tcp".to_owned(), Some(vec![binding("127.0.0.1", "32768")])),
            ("443/tcp".to_owned(), None),
        ])
    }

    #[test]
    fn a_published_port_has_an_address() {
        let address = published("web", &ports(), 80).unwrap();
        assert_eq!(address, "127.0.0.1:32768".parse().unwrap());
    }

    #[test]
    fn an_exposed_port_is_not_a_published_one() {
        let error = published("web", &ports(), 443).unwrap_err();
        let expected = "find port 443 of `web`: it is not published; published are [\"80/tcp\"]";
        assert_eq!(error.to_string(), expected);
    }
}
