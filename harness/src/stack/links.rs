//! What a definition sees of the rest of its stack.

use std::any::{Any, type_name};
use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::definition::NetworkAttachment;
use crate::network::NetworkDefinition;
use crate::stack::{DefineError, Node, Ref};
use crate::volume::{VolumeDefinition, VolumeMount};

/// What a definition sees of the rest of its stack. Whatever it reads it depends on: it is
/// started once that is ready.
#[derive(Debug)]
pub struct Links<'a> {
    name: &'a str,
    nodes: &'a [Known<'a>],
    read: RefCell<Read>,
}

/// A node as the others can find it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    pub(crate) name: &'a str,
    pub(crate) definition: &'a (dyn Any + Send + Sync),
    pub(crate) type_name: &'static str,
}

/// What a definition has read.
#[derive(Debug, Default)]
pub struct Read {
    pub(crate) nodes: BTreeSet<String>,
    pub(crate) networks: BTreeSet<String>,
}

impl<'a> Links<'a> {
    pub(crate) fn of(name: &'a str, nodes: &'a [Known<'a>]) -> Self {
        Self { name, nodes, read: RefCell::default() }
    }

    pub(crate) fn read(self) -> Read {
        self.read.into_inner()
    }

    /// The name of the node that is being defined, by which the others find it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name
    }

    /// Another node's definition, for the user, password or port in it.
    ///
    /// # Errors
    ///
    /// The stack has no such node, or it is something else.
    pub fn node<N: Node>(&self, reference: &Ref<N>) -> Result<&'a N, DefineError> {
        self.find(reference).map(|(_, node)| node)
    }

    /// The name another node has on the network.
    ///
    /// # Errors
    ///
    /// The stack has no such node, or it is something else.
    pub fn host<N: Node>(&self, reference: &Ref<N>) -> Result<&'a str, DefineError> {
        self.find(reference).map(|(name, _)| name)
    }

    /// A volume of the stack, to be mounted:
    /// `.mount(links.volume(&App::FILES)?.read_only().at("/srv/static"))`.
    ///
    /// # Errors
    ///
    /// The stack has no such volume.
    pub fn volume(&self, reference: &Ref<VolumeDefinition>) -> Result<VolumeMount, DefineError> {
        self.node(reference).map(|_| VolumeMount::of(reference.name()))
    }

    /// A network of the stack. Reading it puts the container on it; for other names there than
    /// its own, give the attachment aliases and the definition the attachment. A container that
    /// reads no network is on the one that all others are on that read none.
    ///
    /// # Errors
    ///
    /// The stack has no such network.
    pub fn network(
        &self,
        reference: &Ref<NetworkDefinition>,
    ) -> Result<NetworkAttachment, DefineError> {
        self.node(reference)?;
        self.read.borrow_mut().networks.insert(reference.name().to_owned());
        Ok(NetworkAttachment::to_node(reference.name()))
    }

    fn find<N: Node>(&self, reference: &Ref<N>) -> Result<(&'a str, &'a N), DefineError> {
        let known = self.nodes.iter().find(|known| known.name == reference.name());
        let known = known.ok_or_else(|| DefineError::Unknown {
            node: self.name.to_owned(),
            reference: reference.name().to_owned(),
            known: self.nodes.iter().map(|known| known.name.to_owned()).collect(),
        })?;
        let found = known.definition.downcast_ref().ok_or_else(|| DefineError::WrongType {
            node: self.name.to_owned(),
            reference: reference.name().to_owned(),
            expected: type_name::<N>(),
            found: known.type_name,
        })?;
        self.read.borrow_mut().nodes.insert(known.name.to_owned());
        Ok((known.name, found))
    }
}
