//! Copiers: one source, and what was read of it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::copy::CopyOptions;
use crate::copy::endpoint::{CopySource, Destination};
use crate::copy::progress::{CopyEvent, Progress};
use crate::digest::Digest;
use crate::manifest::{Descriptor, Manifest};
use crate::reference::Selector;
use crate::store::{Blame, StoreError};
use crate::tag::Tag;

/// How many bytes of manifests are kept between reading and writing them; others are read
/// twice.
const MEMORY: u64 = 64 << 20;

/// Copies images from one store.
///
/// Killed at any time and run again, it completes the copy and sends no blob again that had
/// arrived.
pub struct Copier<'s> {
    pub(super) source: &'s dyn CopySource,
    pub(super) name: String,
    pub(super) options: CopyOptions,
    pub(super) concurrency: usize,
    pub(super) progress: Arc<dyn Progress>,
    read: Mutex<Kept>,
}

/// One destination, and what the image is to be there.
#[derive(Clone)]
pub struct Goal<'s> {
    /// Where it is to be.
    pub store: &'s dyn Destination,
    /// What the user calls it, for plans and reports.
    pub name: String,
    /// The path of the source's repository, when it is in the same registry: its blobs can then
    /// be mounted.
    pub mount_from: Option<String>,
    /// The tags to give it, in the order to write them; none to leave that to a release.
    pub tags: Vec<Tag>,
    /// Tags of the destination that were looked at already, and what they point at.
    pub seen: BTreeMap<Tag, Option<Descriptor>>,
}

#[derive(Default)]
struct Kept {
    manifests: HashMap<Digest, Manifest>,
    bytes: u64,
}

impl<'s> Copier<'s> {
    /// A copier of images of `source`, which the user calls `name`. Four requests at once,
    /// unless it is told otherwise.
    pub fn new(source: &'s dyn CopySource, name: impl Into<String>, options: CopyOptions) -> Self {
        Self {
            source,
            name: name.into(),
            options,
            concurrency: 4,
            progress: Arc::new(|_| {}),
            read: Mutex::default(),
        }
    }

    /// With so many requests, or blobs, under way at once; at least one.
    #[must_use]
    pub fn with_concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency.max(1);
        self
    }

    /// With somebody who is told what it does.
    #[must_use]
    pub fn with_progress(mut self, progress: impl Progress + 'static) -> Self {
        self.progress = Arc::new(progress);
        self
    }

    /// What it copies of an image.
    #[must_use]
    pub fn options(&self) -> &CopyOptions {
        &self.options
    }

    /// The manifest at `selector`, and a note that it was read.
    pub(super) async fn get(&self, selector: &Selector) -> Result<Option<Manifest>, StoreError> {
        let Some(manifest) = self.source.get(selector).await? else { return Ok(None) };
        if let Selector::Digest(asked) = selector
            && asked != manifest.digest()
        {
            let message = format!("read {asked} of {}: it gave {}", self.name, manifest.digest());
            return Err(StoreError::new(Blame::Registry, message));
        }
        let (digest, size) = (manifest.digest().clone(), manifest.descriptor().size);
        self.progress.event(CopyEvent::ManifestRead { digest, size });
        self.keep(&manifest);
        Ok(Some(manifest))
    }

    /// Keeps `manifest` for when it is written.
    pub(super) fn keep(&self, manifest: &Manifest) {
        let size = manifest.descriptor().size;
        let mut kept = self.read.lock().expect("no holder of this lock panics");
        if kept.bytes + size > MEMORY || kept.manifests.contains_key(manifest.digest()) {
            return;
        }
        kept.bytes += size;
        kept.manifests.insert(manifest.digest().clone(), manifest.clone());
    }

    /// The manifest of `digest`, to be written.
    pub(super) async fn manifest(&self, digest: &Digest) -> Result<Manifest, StoreError> {
        let kept = |kept: &Kept| kept.manifests.get(digest).cloned();
        if let Some(manifest) = kept(&self.read.lock().expect("no holder of this lock panics")) {
            return Ok(manifest);
        }
        let found = self.get(&Selector::Digest(digest.clone())).await?;
        found.ok_or_else(|| {
            let message = format!("read {digest} of {}: it is gone", self.name);
            StoreError::new(Blame::NotFound, message)
                .with_remedy("plan again; it was removed since this copy was planned")
        })
    }
}

/// The content that a descriptor brings itself, if it is what the descriptor promises: nothing
/// else may stand for a read (docs/edges.md, edge 9).
pub(super) fn inline(data: Option<&str>, descriptor: &Descriptor) -> Option<Bytes> {
    let content = STANDARD.decode(data?).ok()?;
    let is_right =
        content.len() as u64 == descriptor.size && descriptor.digest.verify(&content).is_ok();
    is_right.then(|| content.into())
}

impl fmt::Debug for Copier<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Copier")
            .field("name", &self.name)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Goal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Goal").field("name", &self.name).finish_non_exhaustive()
    }
}
