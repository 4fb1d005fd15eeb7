//! The blobs of a repository: written, mounted, asked for.

use async_trait::async_trait;
use reqwest::Method;
use reqwest::header::CONTENT_LENGTH;

use super::feed::Once;
use super::repository::{RepositoryStore, content_digest};
use super::request::Request;
use super::sending::Sending;
use super::upload::Upload;
use crate::blob::{BlobReader, BlobSink, BlobSource, Copied};
use crate::manifest::{Descriptor, Manifest};
use crate::reference::Selector;
use crate::store::{Blame, StoreError};

/// What became of an attempt to mount a blob.
#[derive(Debug)]
#[must_use]
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "it is taken apart where it is made")]
pub enum Mount {
    /// The repository has the blob.
    Mounted,
    /// The registry does not mount it, and has opened an upload instead: to be used by
    /// [`RepositoryStore::finish_upload`], or dropped.
    Opened(Upload),
    /// The registry refuses. Whether it also refuses an upload is to be seen.
    Refused,
}

impl RepositoryStore {
    /// Shows `blob` of the repository at the path `from`, on the same registry, here as well.
    ///
    /// The blob is not looked for first: that is what the answer says. The token must allow to
    /// read `from`, see [`Registry::repository_with_sources`](crate::Registry).
    ///
    /// # Errors
    /// When the registry fails, or says it mounted something else. A refusal is an answer.
    pub async fn mount_blob(&self, blob: &Descriptor, from: &str) -> Result<Mount, StoreError> {
        let mut request = self.upload_request(blob);
        let digest = blob.digest.as_str();
        request.url.query_pairs_mut().append_pair("mount", digest).append_pair("from", from);
        let answer = self.send(&request).await?;
        match answer.status.as_u16() {
            201 => match content_digest(&answer) {
                Some(mounted)
                    if mounted.algorithm() == blob.digest.algorithm() && mounted != blob.digest =>
                {
                    let message =
                        format!("{}: the registry says it mounted {mounted}", request.purpose);
                    Err(StoreError::new(Blame::Registry, message))
                }
                _ => Ok(Mount::Mounted),
            },
            202 => Ok(Mount::Opened(Upload::of(self, &request, &answer)?)),
            400..=499 if answer.status != 429 => Ok(Mount::Refused),
            _ => Err(self.refusal(&request, &answer)),
        }
    }

    /// Sends `blob` from `source` by an upload that [`RepositoryStore::mount_blob`] has opened.
    ///
    /// # Errors
    /// As [`BlobSink::copy_blob`].
    pub async fn finish_upload(
        &self,
        upload: Upload,
        blob: &Descriptor,
        source: &dyn BlobSource,
    ) -> Result<(), StoreError> {
        Sending::new(self, blob, source, false, upload)?.run().await
    }

    /// A request to write `blob`.
    pub(super) fn upload_request(&self, blob: &Descriptor) -> Request {
        let purpose = format!("write blob {} of {self}", blob.digest);
        self.request(Method::POST, &["blobs", "uploads", ""], &purpose)
    }
}

#[async_trait]
impl BlobSink for RepositoryStore {
    async fn has_blob(&self, blob: &Descriptor) -> Result<bool, StoreError> {
        let request = self.blob_request(Method::HEAD, blob, "look up");
        let answer = self.send(&request).await?;
        match answer.status.as_u16() {
            200 => {
                let size = answer.header(CONTENT_LENGTH).and_then(|text| text.trim().parse().ok());
                let is_there = !answer.is_html() && size.is_none_or(|size: u64| size == blob.size);
                if is_there && let Some(upload) = self.take_opened(&blob.digest) {
                    upload.cancel().await;
                }
                Ok(is_there)
            }
            404 => Ok(false),
            // It cannot be asked, and is written to be safe.
            405 | 501 => Ok(false),
            _ => Err(self.refusal(&request, &answer)),
        }
    }

    async fn write_blob(&self, blob: &Descriptor, reader: BlobReader) -> Result<(), StoreError> {
        let upload = Upload::open(self, blob).await?;
        Sending::new(self, blob, &Once::new(reader), true, upload)?.run().await
    }

    async fn copy_blob(
        &self,
        blob: &Descriptor,
        source: &dyn BlobSource,
    ) -> Result<Copied, StoreError> {
        let origin = source.origin().filter(|origin| origin.host == self.registry().host());
        let upload = match origin {
            Some(origin) if origin.path == self.path() => return Ok(Copied::Mounted),
            Some(origin) if self.scope().covers(origin.path) => {
                match self.mount_blob(blob, origin.path).await? {
                    Mount::Mounted => return Ok(Copied::Mounted),
                    Mount::Opened(upload) => upload,
                    Mount::Refused => Upload::open(self, blob).await?,
                }
            }
            _ => Upload::open(self, blob).await?,
        };
        self.finish_upload(upload, blob, source).await?;
        Ok(Copied::Streamed)
    }

    async fn put_manifest(&self, manifest: &Manifest) -> Result<(), StoreError> {
        self.push(&Selector::Digest(manifest.digest().clone()), manifest).await
    }
}
