//! The referrers of images in archives: by an index under a tag, as in any store that does not
//! know by itself.

use async_trait::async_trait;

use crate::archive::{DockerArchive, OciArchive};
use crate::blob::BlobSink as _;
use crate::digest::Digest;
use crate::manifest::Manifest;
use crate::referrers::{Reference, Referrer, Referrers, fallback};
use crate::store::StoreError;

#[async_trait]
impl Referrers for OciArchive {
    async fn referrers(&self, subject: &Digest) -> Result<Vec<Referrer>, StoreError> {
        fallback::list(self, subject).await
    }

    async fn add_referrer(&self, manifest: &Manifest) -> Result<(), StoreError> {
        let reference = Reference::required(manifest)?;
        self.put_manifest(manifest).await?;
        fallback::add(self, &reference).await
    }
}

#[async_trait]
impl Referrers for DockerArchive {
    async fn referrers(&self, subject: &Digest) -> Result<Vec<Referrer>, StoreError> {
        fallback::list(self, subject).await
    }

    /// It has no place for what is not an image.
    async fn add_referrer(&self, manifest: &Manifest) -> Result<(), StoreError> {
        self.put_manifest(manifest).await
    }
}
