//! Where an engine listens.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use testcontainers::bollard::errors::Error;
use testcontainers::bollard::{API_DEFAULT_VERSION, Docker};

/// How long a single answer of the engine may take, in seconds.
const ANSWER_SECONDS: u64 = 120;

/// Where an engine listens: plain data, so that it can be handed to another process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Address {
    /// A socket of this machine.
    Unix(PathBuf),
    /// `host:port`, in the clear.
    Tcp(String),
    /// `host:port`, with TLS and a client's certificate.
    Tls {
        /// `host:port`.
        host: String,
        /// The directory with `ca.pem`, `cert.pem` and `key.pem`.
        certificates: PathBuf,
    },
}

impl Address {
    /// A client for it. No request is made yet.
    ///
    /// # Errors
    ///
    /// There is no such socket, or the certificates cannot be read.
    pub fn client(&self) -> Result<Docker, Error> {
        match self {
            Self::Unix(path) => {
                let path = path.to_string_lossy();
                Docker::connect_with_unix(&path, ANSWER_SECONDS, API_DEFAULT_VERSION)
            }
            Self::Tcp(host) => Docker::connect_with_http(host, ANSWER_SECONDS, API_DEFAULT_VERSION),
            Self::Tls { host, certificates } => {
                let file = |name: &str| Path::new(certificates).join(name);
                let (key, cert, ca) = (file("key.pem"), file("cert.pem"), file("ca.pem"));
                let version = API_DEFAULT_VERSION;
                Docker::connect_with_ssl(host, &key, &cert, &ca, ANSWER_SECONDS, version)
            }
        }
    }

    /// The name of the machine it is on; none for a socket, which is on this one.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Unix(_) => None,
            Self::Tcp(host) | Self::Tls { host, .. } => {
                let name = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
                Some(name.trim_start_matches('[').trim_end_matches(']'))
            }
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(host) => write!(f, "tcp://{host}"),
            Self::Tls { host, .. } => write!(f, "tcp://{host} with TLS"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_no_port_and_no_brackets() {
        assert_eq!(Address::Tcp("[fd00::1]:2375".to_owned()).host(), Some("fd00::1"));
        assert_eq!(Address::Tcp("build:2375".to_owned()).host(), Some("build"));
        assert_eq!(Address::Unix("/run/docker.sock".into()).host(), None);
    }
}
