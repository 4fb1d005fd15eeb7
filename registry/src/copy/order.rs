//! The order of a tree: what is listed comes before what lists it.

use std::collections::{BTreeMap, BTreeSet};

use crate::content::{Content, Part};
use crate::copy::tree::{CopyLimits, Node, Role, TreeBlob, TreeError};
use crate::digest::Digest;
use crate::manifest::Descriptor;

/// What was read of an image, before its order is known.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Every manifest, and what it lists.
    pub(crate) manifests: BTreeMap<Digest, (Descriptor, Content)>,
    /// What to copy: the image first, then what is attached, in the order it was found.
    pub(crate) roots: Vec<(Digest, Role)>,
    /// Entries of indexes that turned out to be blobs.
    pub(crate) blobs: BTreeSet<Digest>,
}

impl Findings {
    /// Every manifest once, in the order to write them, and every blob once.
    pub(crate) fn order(
        &self,
        limits: &CopyLimits,
    ) -> Result<(Vec<Node>, Vec<TreeBlob>), TreeError> {
        let mut order = Order {
            findings: self,
            limits,
            nodes: Vec::with_capacity(self.manifests.len()),
            heights: BTreeMap::new(),
            entered: BTreeSet::new(),
            open: Vec::new(),
        };
        for (root, role) in &self.roots {
            order.visit(root, role)?;
        }
        let nodes = order.nodes;
        let blobs = self.blobs_of(&nodes, limits)?;
        Ok((nodes, blobs))
    }

    /// The manifests that `content` lists.
    fn children(&self, content: &Content) -> Vec<Digest> {
        let children = content.children.iter().map(|child| child.descriptor.digest.clone());
        once(children.filter(|child| !self.blobs.contains(child)))
    }

    /// The blobs that `content` lists.
    fn parts(&self, content: &Content) -> Vec<Part> {
        let among_children =
            content.children.iter().filter(|child| self.blobs.contains(&child.descriptor.digest));
        let as_part = among_children.map(|child| Part {
            descriptor: child.descriptor.clone(),
            data: child.data.clone(),
            foreign: false,
        });
        content.blobs.iter().cloned().chain(as_part).collect()
    }

    fn blobs_of(&self, nodes: &[Node], limits: &CopyLimits) -> Result<Vec<TreeBlob>, TreeError> {
        let mut blobs: Vec<TreeBlob> = Vec::new();
        let mut places: BTreeMap<Digest, usize> = BTreeMap::new();
        for node in nodes {
            let (_, content) = &self.manifests[&node.descriptor.digest];
            for Part { descriptor, data, foreign } in self.parts(content) {
                let Some(&place) = places.get(&descriptor.digest) else {
                    places.insert(descriptor.digest.clone(), blobs.len());
                    blobs.push(TreeBlob { descriptor, foreign, data });
                    continue;
                };
                let known = &mut blobs[place];
                if known.descriptor.size != descriptor.size {
                    let (one, other) = (known.descriptor.size, descriptor.size);
                    return Err(TreeError::Sizes { digest: descriptor.digest, one, other });
                }
                // Whoever lists it as an ordinary layer needs it.
                known.foreign &= foreign;
                known.data = known.data.take().or(data);
            }
            if blobs.len() > limits.blobs {
                let (root, limit) = (self.roots[0].0.clone(), limits.blobs as u64);
                return Err(TreeError::TooMany { root, what: "blobs", limit });
            }
        }
        Ok(blobs)
    }
}

/// A walk depth first, without recursion: how deep it goes is somebody else's choice.
struct Order<'f> {
    findings: &'f Findings,
    limits: &'f CopyLimits,
    nodes: Vec<Node>,
    /// How high the indexes below are stacked; of manifests that were left.
    heights: BTreeMap<Digest, usize>,
    /// Manifests that were entered, left or not.
    entered: BTreeSet<Digest>,
    /// The way down, each with the children that are not yet visited.
    open: Vec<(Digest, Vec<Digest>)>,
}

impl Order<'_> {
    fn visit(&mut self, root: &Digest, role: &Role) -> Result<(), TreeError> {
        self.enter(root.clone())?;
        while let Some((_, children)) = self.open.last_mut() {
            match children.pop() {
                Some(child) => self.enter(child)?,
                None => self.leave(root, role)?,
            }
        }
        Ok(())
    }

    fn enter(&mut self, digest: Digest) -> Result<(), TreeError> {
        if self.heights.contains_key(&digest) {
            return Ok(());
        }
        if !self.entered.insert(digest.clone()) {
            return Err(TreeError::Cycle { digest });
        }
        let (_, content) = &self.findings.manifests[&digest];
        let mut children = self.findings.children(content);
        children.reverse();
        self.open.push((digest, children));
        Ok(())
    }

    fn leave(&mut self, root: &Digest, role: &Role) -> Result<(), TreeError> {
        let (digest, _) = self.open.pop().expect("something is open");
        let (descriptor, content) = &self.findings.manifests[&digest];
        let children = self.findings.children(content);
        let height = children.iter().map(|child| self.heights[child] + 1).max().unwrap_or(0);
        if height > self.limits.depth {
            return Err(TreeError::TooDeep { root: digest, limit: self.limits.depth });
        }
        let role = match role {
            Role::Image => Role::Image,
            role if digest == *root => role.clone(),
            Role::Referrer { .. } | Role::Attached => Role::Attached,
        };
        let parts = self.findings.parts(content).into_iter();
        self.nodes.push(Node {
            descriptor: descriptor.clone(),
            role,
            children,
            blobs: once(parts.map(|part| part.descriptor.digest)),
            subject: content.subject.as_ref().map(|subject| subject.digest.clone()),
        });
        self.heights.insert(digest, height);
        Ok(())
    }
}

/// Each once, where it first was.
fn once(digests: impl Iterator<Item = Digest>) -> Vec<Digest> {
    let mut seen = BTreeSet::new();
    digests.filter(|digest| seen.insert(digest.clone())).collect()
}
