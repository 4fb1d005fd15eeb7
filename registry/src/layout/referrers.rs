//! The referrers of a layout.

use std::collections::BTreeSet;

use async_trait::async_trait;

use crate::blob::BlobSink as _;
use crate::digest::Digest;
use crate::layout::Layout;
use crate::manifest::{Descriptor, Manifest};
use crate::reference::Selector;
use crate::referrers::{Reference, Referrer, Referrers, fallback};
use crate::store::StoreError;

impl Layout {
    /// The referrers of `subject` that the index lists itself.
    fn listed_referrers(&self, subject: &Digest) -> Result<Vec<Referrer>, StoreError> {
        let entries: Vec<Descriptor> = self.index()?.descriptors().cloned().collect();
        let mut seen = BTreeSet::new();
        let mut referrers = Vec::new();
        for entry in entries.into_iter().filter(|entry| seen.insert(entry.digest.clone())) {
            let manifest = self.read_manifest(&Selector::Digest(entry.digest))?;
            let reference = manifest.as_ref().and_then(Reference::of);
            let reference = reference.filter(|reference| reference.subject == *subject);
            referrers.extend(reference.and_then(Reference::referrer));
        }
        Ok(referrers)
    }

    /// Adds to the index of referrers while nobody else can.
    fn merge_referrer(&self, reference: &Reference) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        let tag = fallback::tag(&reference.subject);
        let found = self.read_manifest(&Selector::Tag(tag.clone()))?;
        match fallback::merged(found, reference)? {
            Some(changed) => self.write_tag_locked(&tag, &changed),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Referrers for Layout {
    async fn referrers(&self, subject: &Digest) -> Result<Vec<Referrer>, StoreError> {
        let wanted = subject.clone();
        let mut all = self.blocking(move |layout| layout.listed_referrers(&wanted)).await?;
        for referrer in fallback::list(self, subject).await? {
            if all.iter().all(|own| own.descriptor.digest != referrer.descriptor.digest) {
                all.push(referrer);
            }
        }
        Ok(all)
    }

    async fn add_referrer(&self, manifest: &Manifest) -> Result<(), StoreError> {
        let reference = Reference::required(manifest)?;
        self.put_manifest(manifest).await?;
        self.blocking(move |layout| layout.merge_referrer(&reference)).await
    }
}
