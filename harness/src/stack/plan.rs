//! What will be started, decided before anything is.

use std::collections::BTreeMap;

use crate::definition::ContainerDefinition;
use crate::network::NetworkDefinition;
use crate::stack::DefineError;
use crate::stack::graph::{Needs, waves};
use crate::stack::links::{Known, Links};
use crate::stack::node::{AnyNode, Planned};
use crate::volume::VolumeDefinition;

/// What will be started, and in which order. As text it is a list by waves; [`StackPlan::mermaid`]
/// draws it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StackPlan {
    /// The nodes, those of an earlier wave first.
    pub nodes: Vec<PlannedNode>,
}

/// A node of a plan.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PlannedNode {
    /// Its name.
    pub name: String,
    /// What it will be.
    pub kind: PlannedKind,
    /// The nodes it waits for, by name.
    pub dependencies: Vec<String>,
    /// How many nodes there are at least on the way to it; nodes of one wave can start together.
    pub wave: usize,
}

/// What a node will be.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PlannedKind {
    /// A container.
    Container(Box<ContainerDefinition>),
    /// A container that testcontainers starts.
    Testcontainers {
        /// Its image.
        image: String,
        /// The networks of the stack it will be on.
        networks: Vec<String>,
    },
    /// A volume.
    Volume(VolumeDefinition),
    /// A network.
    Network(NetworkDefinition),
}

impl StackPlan {
    /// The nodes that each node waits for.
    pub(crate) fn needs(&self) -> Needs {
        let needs = |node: &PlannedNode| node.dependencies.iter().cloned().collect();
        self.nodes.iter().map(|node| (node.name.clone(), needs(node))).collect()
    }

    /// Whether containers that name no network have anyone to talk to: a network costs as much
    /// time as a container.
    pub(crate) fn has_own_network(&self) -> bool {
        let on_it = |node: &&PlannedNode| match &node.kind {
            PlannedKind::Container(definition) => {
                definition.networks.is_empty() && definition.network_mode.is_none()
            }
            PlannedKind::Testcontainers { networks, .. } => networks.is_empty(),
            PlannedKind::Volume(_) | PlannedKind::Network(_) => false,
        };
        self.nodes.iter().filter(on_it).count() > 1
    }
}

/// Plans the nodes, and gives with the plan what starts each of them.
pub(crate) fn plan(
    nodes: &[(String, Box<dyn AnyNode>)],
) -> Result<(StackPlan, BTreeMap<String, Planned>), DefineError> {
    let known: Vec<_> = nodes
        .iter()
        .map(|(name, node)| Known {
            name,
            definition: node.definition(),
            type_name: node.type_name(),
        })
        .collect();
    let mut planned = BTreeMap::new();
    for (name, node) in nodes {
        if !is_host_name(name) {
            return Err(DefineError::Name { node: name.clone() });
        }
        if planned.insert(name.clone(), node.plan(Links::of(name, &known))?).is_some() {
            return Err(DefineError::Duplicate { node: name.clone() });
        }
    }
    let needs: Needs =
        planned.iter().map(|(name, node)| (name.clone(), node.read.nodes.clone())).collect();
    let waves = waves(&needs).map_err(|path| DefineError::Cycle { path })?;
    let mut nodes: Vec<_> = planned
        .iter()
        .map(|(name, node)| PlannedNode {
            name: name.clone(),
            kind: node.outline.clone(),
            dependencies: node.read.nodes.iter().cloned().collect(),
            wave: waves[name],
        })
        .collect();
    // Stable: by name within a wave.
    nodes.sort_by_key(|node| node.wave);
    Ok((StackPlan { nodes }, planned))
}

/// A DNS label (RFC 1123), in lower case.
fn is_host_name(name: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes.iter().all(|byte| fine(*byte) || *byte == b'-')
        && bytes.first().is_some_and(|byte| fine(*byte))
        && bytes.last().is_some_and(|byte| fine(*byte))
}
