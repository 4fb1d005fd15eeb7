//! Coverage: what of a tree a destination needs, when it has some of it already.

use std::collections::{BTreeMap, BTreeSet};

use crate::copy::CopyOptions;
use crate::copy::plan::DestinationState;
use crate::copy::tree::{AttachedTag, ImageTree, Role};
use crate::digest::Digest;

/// What a destination needs of one manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cover {
    /// It is to be written.
    Needed,
    /// The destination has it, and so all below it.
    There,
    /// The destination has this one, which lists it.
    Below(Digest),
    /// It belongs to something attached whose tag the destination has for its own.
    Unwanted,
}

/// Whether the tag of something attached stays as it is: the destination has its own.
fn keeps_own(tag: &AttachedTag, options: &CopyOptions, to: &DestinationState) -> bool {
    let found = to.tags.get(&tag.tag).and_then(Option::as_ref);
    !options.force && found.is_some_and(|found| found.digest != tag.digest)
}

/// What the destination `to` needs of every manifest of `tree`, in its order.
pub(crate) fn cover(tree: &ImageTree, options: &CopyOptions, to: &DestinationState) -> Vec<Cover> {
    let tags = tree.tags.iter().filter(|tag| !keeps_own(tag, options, to));
    let tagged: BTreeSet<&Digest> = tags.map(|tag| &tag.digest).collect();
    // What each is reached from: needed itself, or below something that is there.
    let mut needed: BTreeSet<&Digest> = BTreeSet::new();
    let mut below: BTreeMap<&Digest, &Digest> = BTreeMap::new();
    let mut covers = Vec::with_capacity(tree.manifests.len());
    // Backwards, whatever lists something comes before it.
    for node in tree.manifests.iter().rev() {
        let digest = &node.descriptor.digest;
        let is_root = *digest == tree.root.digest
            || matches!(node.role, Role::Referrer { .. })
            || tagged.contains(digest);
        let cover = match below.get(digest) {
            _ if to.manifests.contains(digest) => Cover::There,
            _ if is_root || needed.contains(digest) => Cover::Needed,
            Some(above) => Cover::Below((*above).clone()),
            None => Cover::Unwanted,
        };
        for child in &node.children {
            match &cover {
                Cover::Needed => drop(needed.insert(child)),
                Cover::There => drop(below.insert(child, digest)),
                Cover::Below(_) => drop(below.insert(child, below[digest])),
                Cover::Unwanted => {}
            }
        }
        covers.push(cover);
    }
    covers.reverse();
    covers
}
