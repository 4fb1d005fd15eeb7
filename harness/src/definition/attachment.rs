//! A container's place on a network.

use crate::network::Network;

/// A place on a user-defined network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NetworkAttachment {
    /// The network.
    pub network: NetworkTarget,
    /// The names the other containers of that network find this one by, its own name aside.
    pub aliases: Vec<String>,
}

/// Which network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetworkTarget {
    /// The one with this id on the engine.
    Id(String),
    /// The one of the same stack whose node has this name.
    Node(String),
}

impl NetworkAttachment {
    /// A place on a network that exists.
    #[must_use]
    pub fn to(network: &Network) -> Self {
        Self::to_id(network.id().to_owned())
    }

    pub(crate) fn to_id(id: String) -> Self {
        Self { network: NetworkTarget::Id(id), aliases: Vec::new() }
    }

    pub(crate) fn to_node(name: &str) -> Self {
        Self { network: NetworkTarget::Node(name.to_owned()), aliases: Vec::new() }
    }

    /// Adds a name the others find the container by.
    #[must_use]
    pub fn alias(mut self, alias: impl Into<String>) -> Self {
        self.aliases.push(alias.into());
        self
    }
}
