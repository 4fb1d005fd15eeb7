//! Copy plans: what each destination gets, and how.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::copy::tree::ImageTree;
use crate::digest::Digest;
use crate::manifest::Descriptor;
use crate::plan::Previous;
use crate::tag::Tag;

/// What was seen of one destination, as far as it concerns one tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DestinationState {
    /// The repository or layout, as written by the user.
    pub name: String,
    /// The repository in the same registry that blobs can be mounted from.
    pub mount_from: Option<String>,
    /// The tags that the image is to get, in the order to write them.
    pub wanted: Vec<Tag>,
    /// What those tags, and those of what is attached, point at; `null` for those that do not
    /// exist.
    pub tags: BTreeMap<Tag, Option<Descriptor>>,
    /// The manifests of the tree that it has.
    pub manifests: BTreeSet<Digest>,
    /// The blobs of the tree that it has, of those looked for.
    pub blobs: BTreeSet<Digest>,
    /// Why it could not be looked at; the rest then says nothing.
    pub unseen: Option<String>,
}

/// What a copy does to every destination. It leaves no decision to whoever applies it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[must_use]
pub struct CopyPlan {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// What is copied.
    pub tree: ImageTree,
    /// What each destination gets.
    pub destinations: Vec<DestinationPlan>,
}

/// What one destination gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DestinationPlan {
    /// The repository or layout, as written by the user.
    pub name: String,
    /// What becomes of every blob, in the order of the tree.
    pub blobs: Vec<BlobStep>,
    /// What becomes of every manifest, in the order of the tree.
    pub manifests: Vec<ManifestStep>,
    /// The tags to write, in the order to write them.
    pub tags: Vec<CopyTagStep>,
    /// The tags that stay as they are.
    pub tag_skips: Vec<CopyTagSkip>,
    /// What forbids the copy: with any of these nothing may be written here.
    pub conflicts: Vec<CopyConflict>,
    /// The blobs whose bytes have to travel.
    pub to_copy: Total,
    /// The blobs that the registry is asked to take over from another of its repositories. It
    /// may decline, and then their bytes have to travel too.
    pub to_mount: Total,
}

/// A number of things and their size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Total {
    /// How many.
    pub count: u64,
    /// How many bytes together.
    pub bytes: u64,
}

/// What becomes of one blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlobStep {
    /// The blob.
    pub descriptor: Descriptor,
    /// How it gets there.
    pub how: BlobHow,
}

/// How a blob gets to a destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum BlobHow {
    /// The registry takes it over from another of its repositories; if it declines, the blob is
    /// copied.
    Mount {
        /// That repository.
        from: String,
    },
    /// It is read from the source and written.
    Copy,
    /// It does not.
    Skip {
        /// Why.
        reason: BlobSkip,
    },
}

/// Why a blob is not copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
#[non_exhaustive]
pub enum BlobSkip {
    /// Its media type says that registries do not distribute it.
    Foreign,
    /// The destination has it.
    There,
    /// The destination has this manifest, which needs it.
    Below {
        /// The manifest.
        manifest: Digest,
    },
    /// It belongs to something attached whose tag the destination has for its own.
    Unwanted,
}

/// What becomes of one manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManifestStep {
    /// The manifest.
    pub descriptor: Descriptor,
    /// When it is written: those of one wave at once, lower waves first.
    pub wave: usize,
    /// What it is attached to, by its own words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<Digest>,
    /// How it is written.
    pub how: ManifestHow,
}

/// How a manifest is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum ManifestHow {
    /// By its digest.
    Put,
    /// Together with its tags, after everything else.
    Tagged,
    /// Not at all.
    Skip {
        /// Why.
        reason: ManifestSkip,
    },
}

/// Why a manifest is not written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
#[non_exhaustive]
pub enum ManifestSkip {
    /// The destination has it.
    There,
    /// The destination has this manifest, which lists it.
    Below {
        /// That manifest.
        manifest: Digest,
    },
    /// It belongs to something attached whose tag the destination has for its own.
    Unwanted,
}

/// One tag to write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CopyTagStep {
    /// The tag.
    pub tag: Tag,
    /// What it will point at.
    pub target: Descriptor,
    /// What it points at now.
    pub previous: Previous,
}

/// One tag that stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CopyTagSkip {
    /// The tag.
    pub tag: Tag,
    /// Why it stays.
    pub reason: TagKept,
}

/// Why a tag is not written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
#[non_exhaustive]
pub enum TagKept {
    /// It points at the right manifest already.
    AlreadyThere {
        /// That manifest.
        digest: Digest,
    },
    /// It is the tag of something attached, and the destination has its own: replacing that
    /// could lose signatures.
    Differs {
        /// What it points at.
        holds: Digest,
        /// What the source has.
        offered: Digest,
    },
}

/// What forbids copying to one destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase", tag = "kind")]
#[non_exhaustive]
pub enum CopyConflict {
    /// It could not be looked at.
    #[error("look at {destination}: {error}")]
    Unseen {
        /// The destination.
        destination: String,
        /// The error and its causes.
        error: String,
    },
    /// A tag was not looked at: the observation is not of this copy.
    #[error("tag {tag} of {destination} was not looked at")]
    TagNotSeen {
        /// The destination.
        destination: String,
        /// The tag.
        tag: Tag,
    },
    /// An exact version tag holds another image, and exact versions are immutable.
    #[error("tag {tag} of {destination} exists and holds {holds}, not {wanted}")]
    VersionTaken {
        /// The destination.
        destination: String,
        /// The tag.
        tag: Tag,
        /// What it points at.
        holds: Digest,
        /// What it was to point at.
        wanted: Digest,
    },
}

impl CopyConflict {
    /// What the user can do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unseen { .. } => "correct that and run again; what is there is not sent again",
            Self::TagNotSeen { .. } => "plan again",
            Self::VersionTaken { .. } => {
                "copy the image under a new version, or pass --force to replace that tag"
            }
        }
    }
}

impl CopyPlan {
    /// Whether there is nothing to write and nothing that forbids it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.destinations.iter().all(DestinationPlan::is_empty)
    }
}

impl DestinationPlan {
    /// Whether there is nothing to write here and nothing that forbids it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { name: _, blobs, manifests, tags, tag_skips: _, conflicts, .. } = self;
        blobs.iter().all(|step| matches!(step.how, BlobHow::Skip { .. }))
            && manifests.iter().all(|step| matches!(step.how, ManifestHow::Skip { .. }))
            && tags.is_empty()
            && conflicts.is_empty()
    }
}

impl Total {
    /// Counts one more, of so many bytes.
    pub(crate) fn add(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }
}
