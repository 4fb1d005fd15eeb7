//! Registry hosts.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// A registry's host and optional port, as it stands in a reference.
///
/// `index.docker.io` and `registry-1.docker.io` are kept as `docker.io`, which is what
/// credentials and people call Docker Hub; [`Host::endpoint`] is where its API answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host {
    /// Lower-case name, IPv4 address, or IPv6 address without brackets.
    name: String,
    port: Option<u16>,
}

/// Why a text is no registry host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// A scheme was written before it.
    #[error("{0:?} has a scheme; write the host alone, and use --plain-http for http")]
    Scheme(String),
    /// The port is no number from 1 to 65535.
    #[error("port {port:?} of host {host:?} is not a number from 1 to 65535")]
    Port {
        /// The host as given.
        host: String,
        /// The port as given.
        port: String,
    },
    /// The name is neither a DNS name, an IPv4 address nor an IPv6 address in brackets.
    #[error(
        "{0:?} is not a registry host: \
         expected a DNS name, an IPv4 address or an IPv6 address in brackets, and optionally :PORT"
    )]
    Name(String),
}

impl Host {
    /// Docker Hub, the host of a reference that names none.
    #[must_use]
    pub fn docker_hub() -> Self {
        Self { name: "docker.io".to_owned(), port: None }
    }

    /// Whether this is Docker Hub.
    #[must_use]
    pub fn is_docker_hub(&self) -> bool {
        self.name == "docker.io" && self.port.is_none()
    }

    /// Name or address, without port and brackets.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The port, when the reference gives one.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether this is `localhost` or a loopback address: plain http is the default only there.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.name == "localhost"
            || self.name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// `host[:port]` where the API of this registry answers: `registry-1.docker.io` for Hub.
    #[must_use]
    pub fn endpoint(&self) -> String {
        if self.is_docker_hub() { "registry-1.docker.io".to_owned() } else { self.to_string() }
    }
}

impl FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        if text.contains("://") {
            return Err(HostError::Scheme(text.to_owned()));
        }
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let name_error = || HostError::Name(text.to_owned());
                let (address, after) = rest.split_once(']').ok_or_else(name_error)?;
                let address: Ipv6Addr = address.parse().map_err(|_| name_error())?;
                let port = match after.strip_prefix(':') {
                    Some(port) => Some(port),
                    None if after.is_empty() => None,
                    None => return Err(name_error()),
                };
                (address.to_string(), port)
            }
            None => {
                let (name, port) = match text.split_once(':') {
                    Some((name, port)) => (name, Some(port)),
                    None => (text, None),
                };
                if !is_dns_name(name) {
                    return Err(HostError::Name(text.to_owned()));
                }
                (name.to_ascii_lowercase(), port)
            }
        };
        let port = port.map(|port| parse_port(text, port)).transpose()?;
        match name.as_str() {
            "index.docker.io" | "registry-1.docker.io" if port.is_none() => Ok(Self::docker_hub()),
            _ => Ok(Self { name, port }),
        }
    }
}

fn parse_port(host: &str, port: &str) -> Result<u16, HostError> {
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(number) if digits && number > 0 => Ok(number),
        _ => Err(HostError::Port { host: host.to_owned(), port: port.to_owned() }),
    }
}

fn is_dns_name(name: &str) -> bool {
    name.len() <= 253
        && name.split('.').all(|label| {
            let dash_at_edge = label.starts_with('-') || label.ends_with('-');
            let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            !label.is_empty() && !dash_at_edge && label.bytes().all(legal)
        })
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]", self.name)?;
        } else {
            f.write_str(&self.name)?;
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Host {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn edge_37_loopback_is_localhost_127_and_bracketed_1() {
        for loopback in ["localhost", "localhost:5000", "127.0.0.1", "127.9.9.9:1", "[::1]:5000"] {
            assert!(host(loopback).is_loopback(), "{loopback}");
        }
        for other in ["localhost.example.com", "10.0.0.1:5000", "[2001:db8::1]"] {
            assert!(!host(other).is_loopback(), "{other}");
        }
    }

    #[test]
    fn edge_37_docker_hub_has_three_names_and_one_endpoint() {
        for name in ["docker.io", "index.docker.io", "registry-1.docker.io", "Docker.IO"] {
            assert!(host(name).is_docker_hub(), "{name}");
            assert_eq!(host(name).endpoint(), "registry-1.docker.io");
        }
        assert!(!host("docker.io:443").is_docker_hub());
    }

    #[test]
    fn edge_37_ipv6_keeps_its_brackets() {
        assert_eq!(host("[::1]:5000").to_string(), "[::1]:5000");
        assert_eq!(host("[::1]").name(), "::1");
        assert_eq!(host("[::1]:5000").port(), Some(5000));
    }

    #[test]
    fn edge_37_what_is_no_host_is_refused_with_its_reason() {
        for bad in ["", "-a.com", "a-.com", "a..b", "my_registry", "[::1", "[::1]x", "[zz]", "::1"]
        {
            assert!(matches!(bad.parse::<Host>(), Err(HostError::Name(_))), "{bad}");
        }
        for bad in ["a:", "a:0", "a:65536", "a:port", "[::1]:", "a:+1"] {
            assert!(matches!(bad.parse::<Host>(), Err(HostError::Port { .. })), "{bad}");
        }
        assert!(matches!("https://a".parse::<Host>(), Err(HostError::Scheme(_))));
    }
}
