//! The planner of copies: a tree and what destinations have in, a plan out.

use std::collections::{BTreeMap, BTreeSet};

use crate::copy::CopyOptions;
use crate::copy::coverage::{Cover, cover};
use crate::copy::plan::{
    BlobHow, BlobSkip, BlobStep, CopyConflict, CopyPlan, CopyTagSkip, CopyTagStep, DestinationPlan,
    DestinationState, ManifestHow, ManifestSkip, ManifestStep, TagKept, Total,
};
use crate::copy::tree::{ImageTree, Role};
use crate::digest::Digest;
use crate::manifest::Descriptor;
use crate::observation::SCHEMA;
use crate::plan::Previous;
use crate::tag::Tag;
use crate::version::VersionTag;

/// Plans to copy `tree`, given what was seen of the destinations.
///
/// Pure, total and deterministic. What forbids it is in [`DestinationPlan::conflicts`], for
/// each destination by itself.
pub fn plan_copy(
    tree: &ImageTree,
    options: &CopyOptions,
    destinations: &[DestinationState],
) -> CopyPlan {
    let plan = |state| Planner { tree, options, state }.plan();
    let destinations = destinations.iter().map(plan).collect();
    CopyPlan { schema: SCHEMA, tree: tree.clone(), destinations }
}

struct Planner<'p> {
    tree: &'p ImageTree,
    options: &'p CopyOptions,
    state: &'p DestinationState,
}

impl Planner<'_> {
    fn plan(&self) -> DestinationPlan {
        let mut plan = DestinationPlan {
            name: self.state.name.clone(),
            blobs: Vec::new(),
            manifests: Vec::new(),
            tags: Vec::new(),
            tag_skips: Vec::new(),
            conflicts: Vec::new(),
            to_copy: Total::default(),
            to_mount: Total::default(),
        };
        if let Some(error) = &self.state.unseen {
            let (destination, error) = (self.state.name.clone(), error.clone());
            plan.conflicts.push(CopyConflict::Unseen { destination, error });
            return plan;
        }
        for attached in &self.tree.tags {
            if let Some(node) = self.tree.manifest(&attached.digest) {
                self.tag(&mut plan, &attached.tag, &node.descriptor, true);
            }
        }
        for tag in &self.state.wanted {
            self.tag(&mut plan, tag, &self.tree.root, false);
        }
        let covers = cover(self.tree, self.options, self.state);
        plan.blobs = self.blobs(&covers);
        plan.manifests = self.manifests(&covers);
        self.leave_to_tags(&mut plan);
        for step in &plan.blobs {
            match step.how {
                BlobHow::Copy => plan.to_copy.add(step.descriptor.size),
                BlobHow::Mount { .. } => plan.to_mount.add(step.descriptor.size),
                BlobHow::Skip { .. } => {}
            }
        }
        plan
    }

    fn tag(&self, plan: &mut DestinationPlan, tag: &Tag, target: &Descriptor, is_attached: bool) {
        let (destination, tag) = (self.state.name.clone(), tag.clone());
        let previous = match self.state.tags.get(&tag) {
            None if !self.options.must_see(&tag, is_attached) => Previous::NotRead,
            None => return plan.conflicts.push(CopyConflict::TagNotSeen { destination, tag }),
            Some(None) => Previous::Absent,
            Some(Some(found)) => Previous::At(found.digest.clone()),
        };
        if let Previous::At(holds) = &previous {
            let (holds, wanted) = (holds.clone(), target.digest.clone());
            let may_replace = self.options.force;
            if holds == wanted {
                let reason = TagKept::AlreadyThere { digest: holds };
                return plan.tag_skips.push(CopyTagSkip { tag, reason });
            }
            if is_attached && !may_replace {
                let reason = TagKept::Differs { holds, offered: wanted };
                return plan.tag_skips.push(CopyTagSkip { tag, reason });
            }
            if tag.as_str().parse::<VersionTag>().is_ok() && !may_replace {
                let conflict = CopyConflict::VersionTaken { destination, tag, holds, wanted };
                return plan.conflicts.push(conflict);
            }
        }
        plan.tags.push(CopyTagStep { tag, target: target.clone(), previous });
    }

    fn blobs(&self, covers: &[Cover]) -> Vec<BlobStep> {
        let mut needed: BTreeSet<&Digest> = BTreeSet::new();
        let mut below: BTreeMap<&Digest, &Digest> = BTreeMap::new();
        for (node, cover) in self.tree.manifests.iter().zip(covers) {
            for blob in &node.blobs {
                match cover {
                    Cover::Needed => drop(needed.insert(blob)),
                    Cover::There => drop(below.insert(blob, &node.descriptor.digest)),
                    Cover::Below(above) => drop(below.insert(blob, above)),
                    Cover::Unwanted => {}
                }
            }
        }
        let steps = self.tree.blobs.iter().map(|blob| {
            let digest = &blob.descriptor.digest;
            let skip = |reason| BlobHow::Skip { reason };
            let how = match (&self.state.mount_from, below.get(digest)) {
                _ if self.state.blobs.contains(digest) => skip(BlobSkip::There),
                (_, Some(manifest)) if !needed.contains(digest) => {
                    skip(BlobSkip::Below { manifest: (*manifest).clone() })
                }
                _ if !needed.contains(digest) => skip(BlobSkip::Unwanted),
                _ if blob.foreign && !self.options.include_foreign => skip(BlobSkip::Foreign),
                (Some(from), _) => BlobHow::Mount { from: from.clone() },
                (None, _) => BlobHow::Copy,
            };
            BlobStep { descriptor: blob.descriptor.clone(), how }
        });
        steps.collect()
    }

    fn manifests(&self, covers: &[Cover]) -> Vec<ManifestStep> {
        let mut waves: BTreeMap<&Digest, usize> = BTreeMap::new();
        let mut steps = Vec::with_capacity(covers.len());
        for (node, cover) in self.tree.manifests.iter().zip(covers) {
            let digest = &node.descriptor.digest;
            let below = node.children.iter().filter_map(|child| waves.get(child));
            let mut after: Vec<usize> = below.copied().collect();
            if node.role != Role::Image {
                // What is attached comes after the whole image, and after what it is attached to.
                after.extend(waves.get(&self.tree.root.digest).copied());
            }
            if let Role::Referrer { subject } = &node.role {
                after.extend(waves.get(subject).copied());
            }
            let wave = after.into_iter().max().map_or(0, |last| last + 1);
            waves.insert(digest, wave);
            let skip = |reason| ManifestHow::Skip { reason };
            let how = match cover {
                Cover::Needed => ManifestHow::Put,
                Cover::There => skip(ManifestSkip::There),
                Cover::Below(above) => skip(ManifestSkip::Below { manifest: above.clone() }),
                Cover::Unwanted => skip(ManifestSkip::Unwanted),
            };
            let (descriptor, subject) = (node.descriptor.clone(), node.subject.clone());
            steps.push(ManifestStep { descriptor, wave, subject, how });
        }
        steps
    }

    /// A manifest that gets a tag need not be written by its digest before, unless something
    /// else that is written needs it first.
    fn leave_to_tags(&self, plan: &mut DestinationPlan) {
        let targets: BTreeSet<&Digest> = plan.tags.iter().map(|step| &step.target.digest).collect();
        let mut needed_first: BTreeSet<Digest> = BTreeSet::new();
        for (node, step) in self.tree.manifests.iter().zip(&plan.manifests) {
            if step.how == ManifestHow::Put {
                needed_first.extend(node.children.iter().cloned());
                needed_first.extend(node.subject.iter().cloned());
            }
        }
        for step in &mut plan.manifests {
            let digest = &step.descriptor.digest;
            let is_free = step.subject.is_none() && !needed_first.contains(digest);
            if step.how == ManifestHow::Put && is_free && targets.contains(digest) {
                step.how = ManifestHow::Tagged;
            }
        }
    }
}
