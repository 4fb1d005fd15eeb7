//! Progress: what a copy is doing, while it does it.

use std::sync::Arc;

use crate::copy::plan::BlobSkip;
use crate::digest::Digest;
use crate::tag::Tag;

/// Something that happened during a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CopyEvent {
    /// A manifest was read from the source.
    ManifestRead {
        /// The manifest.
        digest: Digest,
        /// Its size in bytes.
        size: u64,
    },
    /// The bytes of a blob begin to travel, to one destination or several.
    BlobStarted {
        /// The blob.
        digest: Digest,
        /// Its size in bytes.
        size: u64,
    },
    /// More bytes of a blob were read.
    BlobProgress {
        /// The blob.
        digest: Digest,
        /// How many bytes of it were read by now; less than before when it is read again.
        done: u64,
    },
    /// A blob has arrived.
    BlobCopied {
        /// Where.
        destination: Arc<str>,
        /// The blob.
        digest: Digest,
        /// Its size in bytes.
        size: u64,
    },
    /// A registry took a blob over from another of its repositories.
    BlobMounted {
        /// Where.
        destination: Arc<str>,
        /// The blob.
        digest: Digest,
        /// Its size in bytes.
        size: u64,
    },
    /// A blob is not copied.
    BlobSkipped {
        /// Where.
        destination: Arc<str>,
        /// The blob.
        digest: Digest,
        /// Its size in bytes.
        size: u64,
        /// Why.
        reason: BlobSkip,
    },
    /// A manifest was written by its digest.
    ManifestWritten {
        /// Where.
        destination: Arc<str>,
        /// The manifest.
        digest: Digest,
    },
    /// A tag was written.
    TagWritten {
        /// Where.
        destination: Arc<str>,
        /// The tag.
        tag: Tag,
        /// What it points at.
        digest: Digest,
    },
    /// A destination failed: nothing more is begun there.
    Failed {
        /// Which.
        destination: Arc<str>,
        /// The error and its causes.
        error: String,
    },
}

/// Who is told what a copy is doing. Any closure can be.
pub trait Progress: Send + Sync {
    /// Takes note of `event`. The copy waits for it, so it should not take long.
    fn event(&self, event: CopyEvent);
}

impl<F: Fn(CopyEvent) + Send + Sync> Progress for F {
    fn event(&self, event: CopyEvent) {
        self(event);
    }
}
