//! A store in memory that is as strict as a registry, counts, and can be told to fail.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};

use crate::blob::{BlobReader, BlobSink, BlobSource};
use crate::content::Content;
use crate::copy::Destination;
use crate::digest::Digest;
use crate::manifest::{Descriptor, Manifest};
use crate::reference::Selector;
use crate::referrers::{Referrer, Referrers};
use crate::store::{Blame, Store, StoreError};
use crate::tag::Tag;

/// How many bytes a blob is read at a time.
const CHUNK: usize = 5;

/// Counts operations, across stores, and fails one of them.
#[derive(Debug)]
pub(super) struct Faults {
    count: AtomicUsize,
    at: usize,
    lasting: bool,
}

impl Faults {
    pub(super) fn never() -> Arc<Self> {
        Self::new(usize::MAX, false)
    }

    /// Fails operation `at`; if it is `lasting`, and all after it.
    pub(super) fn new(at: usize, lasting: bool) -> Arc<Self> {
        Arc::new(Self { count: AtomicUsize::new(0), at, lasting })
    }

    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    fn step(&self, what: &str) -> Result<(), StoreError> {
        let number = self.count.fetch_add(1, Ordering::SeqCst);
        if number == self.at || (self.lasting && number > self.at) {
            return Err(StoreError::new(Blame::Registry, format!("{what}: fault {number}")));
        }
        Ok(())
    }
}

pub(super) struct Memory {
    state: Mutex<State>,
    faults: Mutex<Arc<Faults>>,
    /// The repositories that it mounts from.
    pub(super) siblings: BTreeMap<String, Arc<Memory>>,
}

#[derive(Clone, Default)]
pub(super) struct State {
    pub(super) tags: BTreeMap<Tag, Digest>,
    pub(super) manifests: BTreeMap<Digest, Manifest>,
    pub(super) blobs: BTreeMap<Digest, Bytes>,
    pub(super) log: Vec<String>,
    pub(super) refuse: Option<String>,
}

impl Memory {
    pub(super) fn new() -> Self {
        let faults = Mutex::new(Faults::never());
        Self { state: Mutex::default(), faults, siblings: BTreeMap::new() }
    }

    pub(super) fn with_faults(self, faults: &Arc<Faults>) -> Self {
        self.use_faults(faults);
        self
    }

    pub(super) fn use_faults(&self, faults: &Arc<Faults>) {
        *self.faults.lock().expect("no panic") = Arc::clone(faults);
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }

    /// Refuses the operation whose line in the log begins so.
    pub(super) fn refuse(&self, line: &str) {
        self.state().refuse = Some(line.to_owned());
    }

    /// How many lines of the log begin so.
    pub(super) fn count(&self, prefix: &str) -> usize {
        self.state().log.iter().filter(|line| line.starts_with(prefix)).count()
    }

    fn op(&self, line: &str) -> Result<MutexGuard<'_, State>, StoreError> {
        let faults = Arc::clone(&self.faults.lock().expect("no panic"));
        faults.step(line)?;
        let mut state = self.state();
        let is_refused = state.refuse.as_ref().is_some_and(|refuse| line.starts_with(refuse));
        state.log.push(line.to_owned());
        if is_refused {
            return Err(StoreError::new(Blame::Conflict, format!("{line}: refused")));
        }
        Ok(state)
    }

    /// What the tags of this store reach and it does not have.
    pub(super) fn gaps(&self) -> Vec<Digest> {
        let state = self.state();
        let mut open: Vec<Digest> = state.tags.values().cloned().collect();
        let mut gaps = Vec::new();
        while let Some(digest) = open.pop() {
            if state.blobs.contains_key(&digest) {
                continue;
            }
            let Some(manifest) = state.manifests.get(&digest) else {
                gaps.push(digest);
                continue;
            };
            let content = Content::of(manifest).expect("written");
            open.extend(content.children.into_iter().map(|child| child.descriptor.digest));
            let parts = content.blobs.into_iter().filter(|part| !part.foreign);
            let parts = parts.map(|part| part.descriptor.digest);
            gaps.extend(parts.filter(|digest| !state.blobs.contains_key(digest)));
        }
        gaps
    }
}

impl State {
    fn find(&self, selector: &Selector) -> Option<Manifest> {
        let digest = match selector {
            Selector::Tag(tag) => self.tags.get(tag)?,
            Selector::Digest(digest) => digest,
        };
        self.manifests.get(digest).cloned()
    }

    /// As registries do: what is listed must be there.
    fn store(&mut self, manifest: &Manifest) -> Result<(), StoreError> {
        let content = Content::of(manifest).expect("only what can be read is written");
        let children = content.children.iter().map(|child| &child.descriptor.digest);
        let parts = content.blobs.iter().filter(|part| !part.foreign);
        let missing = children
            .filter(|digest| {
                !self.manifests.contains_key(digest) && !self.blobs.contains_key(digest)
            })
            .chain(
                parts
                    .map(|part| &part.descriptor.digest)
                    .filter(|digest| !self.blobs.contains_key(digest)),
            )
            .next();
        if let Some(missing) = missing {
            let message = format!("put {}: {missing} is unknown", manifest.digest());
            return Err(StoreError::new(Blame::Conflict, message));
        }
        self.manifests.insert(manifest.digest().clone(), manifest.clone());
        Ok(())
    }
}

#[async_trait]
impl Store for Memory {
    async fn tags(&self) -> Result<BTreeSet<Tag>, StoreError> {
        Ok(self.op("list")?.tags.keys().cloned().collect())
    }

    async fn head(&self, selector: &Selector) -> Result<Option<Descriptor>, StoreError> {
        let state = self.op(&format!("head {selector}"))?;
        Ok(state.find(selector).map(|manifest| manifest.descriptor().clone()))
    }

    async fn get(&self, selector: &Selector) -> Result<Option<Manifest>, StoreError> {
        tokio::task::yield_now().await;
        Ok(self.op(&format!("get {selector}"))?.find(selector))
    }

    async fn put(&self, tag: &Tag, manifest: &Manifest) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        let mut state = self.op(&format!("tag {tag}"))?;
        state.store(manifest)?;
        state.tags.insert(tag.clone(), manifest.digest().clone());
        Ok(())
    }

    async fn untag(&self, tag: &Tag) -> Result<(), StoreError> {
        self.op(&format!("untag {tag}"))?.tags.remove(tag);
        Ok(())
    }
}

#[async_trait]
impl BlobSource for Memory {
    async fn open_blob_at(
        &self,
        blob: &Descriptor,
        offset: u64,
    ) -> Result<Option<BlobReader>, StoreError> {
        let faults = Arc::clone(&self.faults.lock().expect("no panic"));
        let state = self.op(&format!("open {} {offset}", blob.digest))?;
        let Some(content) = state.blobs.get(&blob.digest).cloned() else { return Ok(None) };
        let mut rest = content.slice(usize::try_from(offset).expect("small")..);
        let mut chunks = Vec::new();
        while !rest.is_empty() {
            chunks.push(rest.split_to(CHUNK.min(rest.len())));
        }
        Ok(Some(BlobReader::new(stream::iter(chunks).then(move |chunk| {
            let step = faults.step("read a chunk");
            async {
                tokio::task::yield_now().await;
                step.map(|()| chunk)
            }
        }))))
    }
}

#[async_trait]
impl BlobSink for Memory {
    async fn has_blob(&self, blob: &Descriptor) -> Result<bool, StoreError> {
        Ok(self.op(&format!("has {}", blob.digest))?.blobs.contains_key(&blob.digest))
    }

    async fn write_blob(&self, blob: &Descriptor, reader: BlobReader) -> Result<(), StoreError> {
        drop(self.op(&format!("write {}", blob.digest))?);
        let mut reader = reader.verified(blob)?;
        let mut content = Vec::new();
        while let Some(chunk) = reader.chunk().await? {
            drop(self.op(&format!("chunk {}", content.len()))?);
            content.extend_from_slice(&chunk);
        }
        self.op(&format!("commit {}", blob.digest))?
            .blobs
            .insert(blob.digest.clone(), content.into());
        Ok(())
    }

    async fn put_manifest(&self, manifest: &Manifest) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        self.op(&format!("put {}", manifest.digest()))?.store(manifest)
    }
}

#[async_trait]
impl Referrers for Memory {
    async fn referrers(&self, subject: &Digest) -> Result<Vec<Referrer>, StoreError> {
        let state = self.op(&format!("referrers {subject}"))?;
        let attached = state.manifests.values().filter(|manifest| {
            let subject_of = Content::of(manifest).ok().and_then(|content| content.subject);
            subject_of.is_some_and(|own| own.digest == *subject)
        });
        let referrer = |manifest: &Manifest| Referrer {
            descriptor: manifest.descriptor().clone(),
            artifact_type: None,
            annotations: BTreeMap::new(),
        };
        Ok(attached.map(referrer).collect())
    }

    async fn add_referrer(&self, manifest: &Manifest) -> Result<(), StoreError> {
        self.put_manifest(manifest).await
    }
}

#[async_trait]
impl Destination for Memory {
    async fn mount(&self, blob: &Descriptor, from: &str) -> Result<bool, StoreError> {
        drop(self.op(&format!("mount {}", blob.digest))?);
        let Some(sibling) = self.siblings.get(from) else { return Ok(false) };
        let Some(content) = sibling.state().blobs.get(&blob.digest).cloned() else {
            return Ok(false);
        };
        self.state().blobs.insert(blob.digest.clone(), content);
        Ok(true)
    }
}
