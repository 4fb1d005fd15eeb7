//! A wait that was in vain.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use testcontainers::bollard;

use super::ConditionState;
use crate::ending::Exit;
use crate::failure::debug_by_message;
use crate::line::LogTail;
use crate::matcher::PatternError;

/// A wait that was in vain.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// A pattern is not a regular expression.
    #[error("wait for `{node}`")]
    Pattern {
        /// The container's name in its definition.
        node: String,
        /// The pattern.
        source: PatternError,
    },
    /// What is waited for cannot come to be.
    #[error("wait for `{node}`: {reason}{state}")]
    Impossible {
        /// The container's name in its definition.
        node: String,
        /// Why it cannot.
        reason: String,
        /// How far it had come.
        state: Box<ConditionState>,
    },
    /// The container exited first.
    #[error(
        "wait for `{node}`: it exited with {exit} after {:.1} s{state}{tail}",
        .elapsed.as_secs_f64()
    )]
    Exited {
        /// The container's name in its definition.
        node: String,
        /// How it exited.
        exit: Exit,
        /// How long the wait had lasted.
        elapsed: Duration,
        /// How far it had come.
        state: Box<ConditionState>,
        /// The last lines of both streams.
        tail: Box<LogTail>,
    },
    /// The deadline passed first; the container was still running.
    #[error(
        "wait for `{node}`: not within {:.1} s, and it is still running{state}{}{tail}",
        .elapsed.as_secs_f64(),
        table(.ports)
    )]
    TimedOut {
        /// The container's name in its definition.
        node: String,
        /// How long the wait lasted.
        elapsed: Duration,
        /// How far it had come.
        state: Box<ConditionState>,
        /// The container's ports.
        ports: Vec<PortAddresses>,
        /// The last lines of both streams.
        tail: Box<LogTail>,
    },
    /// The engine stopped answering while waiting.
    #[error("wait for `{node}`: lost sight of it{tail}")]
    Lost {
        /// The container's name in its definition.
        node: String,
        /// The last lines of both streams.
        tail: Box<LogTail>,
        /// What the engine said.
        source: Arc<bollard::errors::Error>,
    },
}

debug_by_message!(WaitError);

/// A port of the container, and where it can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortAddresses {
    /// The port and its protocol, such as `80/tcp`.
    pub port: String,
    /// Where it is published; nowhere if empty.
    pub addresses: Vec<SocketAddr>,
}

impl fmt::Display for PortAddresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { port, addresses } = self;
        write!(f, "{port} ")?;
        if addresses.is_empty() {
            return f.write_str("is not published");
        }
        let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        write!(f, "at {}", addresses.join(", "))
    }
}

fn table(ports: &[PortAddresses]) -> String {
    if ports.is_empty() {
        return "\nports: none".to_owned();
    }
    ports.iter().fold("\nports:".to_owned(), |table, port| format!("{table}\n    {port}"))
}
