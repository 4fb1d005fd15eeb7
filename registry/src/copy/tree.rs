//! Image trees: every manifest and blob that an image consists of.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::manifest::Descriptor;
use crate::platform::Platform;
use crate::tag::Tag;

/// Everything that an image consists of, as its source has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageTree {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// The repository or layout that it was read from, as written by the user.
    pub source: String,
    /// What was asked for.
    pub asked: Descriptor,
    /// What is copied: `asked`, unless one platform of it was chosen.
    pub root: Descriptor,
    /// How one platform was chosen.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub platform: Option<PlatformChoice>,
    /// Every manifest once, after all that it lists; what is attached comes after the image.
    pub manifests: Vec<Node>,
    /// Every blob once.
    pub blobs: Vec<TreeBlob>,
    /// The tags under which signatures and the like are kept.
    pub tags: Vec<AttachedTag>,
    /// What was found attached and is not copied.
    pub left_out: Vec<LeftOut>,
}

/// One platform, chosen from an index. The copy has another digest than the index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlatformChoice {
    /// The platform asked for.
    pub platform: Platform,
    /// How many other manifests the index lists.
    pub others: usize,
}

/// One manifest of a tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// What it is.
    pub descriptor: Descriptor,
    /// What it is part of.
    pub role: Role,
    /// The manifests that it lists, each once.
    pub children: Vec<Digest>,
    /// The blobs that it lists, each once.
    pub blobs: Vec<Digest>,
    /// What it says it is attached to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<Digest>,
}

/// What a manifest of a tree is part of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Role {
    /// The image itself.
    Image,
    /// It is attached to another manifest of the tree.
    Referrer {
        /// That manifest.
        subject: Digest,
    },
    /// It is part of something attached, or found by its tag.
    Attached,
}

/// One blob of a tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TreeBlob {
    /// What it is.
    pub descriptor: Descriptor,
    /// Whether registries are not to distribute it.
    pub foreign: bool,
    /// Its content in base64, unverified, when a manifest brings it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub data: Option<String>,
}

/// A tag whose name says what it is attached to, such as `sha256-….sig`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttachedTag {
    /// The tag.
    pub tag: Tag,
    /// What it points at.
    pub digest: Digest,
}

/// Something found attached that is not copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeftOut {
    /// What it was to be attached to.
    pub subject: Digest,
    /// What it is.
    pub digest: Digest,
    /// Why it is left out.
    pub reason: LeftOutReason,
}

/// Why something found attached is not copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LeftOutReason {
    /// It is listed, but there is no such manifest any more.
    Gone,
    /// It is listed, but does not say that it is attached.
    NotAttached,
}

/// How much an image may consist of: more is taken for an attack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyLimits {
    /// How deep indexes may be nested, and attachments attached to each other; 8 by default.
    pub depth: usize,
    /// How many manifests; 4096 by default.
    pub manifests: usize,
    /// How many blobs; 65 536 by default.
    pub blobs: usize,
    /// How many bytes all manifests together; 512 MiB by default.
    pub manifest_bytes: u64,
}

impl Default for CopyLimits {
    fn default() -> Self {
        Self { depth: 8, manifests: 4096, blobs: 65_536, manifest_bytes: 512 << 20 }
    }
}

/// Why manifests do not make an image that can be copied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// It is nested too deeply.
    #[error("copy {root}: it is nested more than {limit} deep")]
    TooDeep {
        /// The manifest it was found under.
        root: Digest,
        /// How deep is allowed.
        limit: usize,
    },
    /// It has too much of something.
    #[error("copy {root}: it has more than {limit} {what}")]
    TooMany {
        /// The image.
        root: Digest,
        /// Of what.
        what: &'static str,
        /// How much is allowed.
        limit: u64,
    },
    /// It contains itself.
    #[error("copy {digest}: it contains itself")]
    Cycle {
        /// The manifest.
        digest: Digest,
    },
    /// One blob is listed in two sizes.
    #[error("copy blob {digest}: it is listed with {one} bytes and with {other}")]
    Sizes {
        /// The blob.
        digest: Digest,
        /// A size.
        one: u64,
        /// The other size.
        other: u64,
    },
}

impl ImageTree {
    /// The manifest of that digest, if it is part of this.
    #[must_use]
    pub fn manifest(&self, digest: &Digest) -> Option<&Node> {
        self.manifests.iter().find(|node| node.descriptor.digest == *digest)
    }

    /// The size of all blobs that are copied, in bytes; foreign ones are not counted.
    #[must_use]
    pub fn blob_bytes(&self) -> u64 {
        let blobs = self.blobs.iter().filter(|blob| !blob.foreign);
        blobs.fold(0, |sum, blob| sum.saturating_add(blob.descriptor.size))
    }
}
