//! A port that can be reached from outside.

use std::fmt;

/// A port of a container that is published on 127.0.0.1.
///
/// ```
/// use plimsoll_harness::PublishedPort;
///
/// assert_eq!(PublishedPort::from(80), PublishedPort::tcp(80));
/// assert_eq!(PublishedPort::udp(53).to_string(), "53/udp");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublishedPort {
    /// The port inside.
    pub port: u16,
    /// What is spoken there.
    pub protocol: Protocol,
    /// The port outside; one that is free, chosen by the engine, if none is given.
    pub host_port: Option<u16>,
}

/// What is spoken on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl PublishedPort {
    /// A TCP port.
    #[must_use]
    pub const fn tcp(port: u16) -> Self {
        Self { port, protocol: Protocol::Tcp, host_port: None }
    }

    /// A UDP port.
    #[must_use]
    pub const fn udp(port: u16) -> Self {
        Self { port, protocol: Protocol::Udp, host_port: None }
    }

    /// Publishes it on this port and no other. Two tests that run side by side cannot both have
    /// it: use it only where a client cannot be told another.
    #[must_use]
    pub const fn at_host_port(mut self, port: u16) -> Self {
        self.host_port = Some(port);
        self
    }
}

impl From<u16> for PublishedPort {
    fn from(port: u16) -> Self {
        Self::tcp(port)
    }
}

/// As the engine writes it: `80/tcp`.
impl fmt::Display for PublishedPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
        };
        write!(f, "{}/{protocol}", self.port)
    }
}
