//! Repositories as the two ends of a copy.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;

use super::blobs::Mount;
use super::repository::RepositoryStore;
use crate::blob::{BlobSink as _, BlobSource};
use crate::copy::{Destination, share};
use crate::manifest::{Descriptor, Manifest};
use crate::store::{Store as _, StoreError};
use crate::tag::Tag;

#[async_trait]
impl Destination for RepositoryStore {
    async fn mount(&self, blob: &Descriptor, from: &str) -> Result<bool, StoreError> {
        match self.mount_blob(blob, from).await? {
            Mount::Mounted => Ok(true),
            Mount::Opened(upload) => {
                self.keep_opened(&blob.digest, upload);
                Ok(false)
            }
            Mount::Refused => Ok(false),
        }
    }

    async fn send_blob(
        &self,
        blob: &Descriptor,
        source: &dyn BlobSource,
    ) -> Result<(), StoreError> {
        match self.take_opened(&blob.digest) {
            Some(upload) => self.finish_upload(upload, blob, source).await,
            None => self.copy_blob(blob, source).await.map(drop),
        }
    }

    async fn put_all_tags(&self, tags: &[Tag], manifest: &Manifest) -> Vec<Result<(), StoreError>> {
        let written = match tags {
            [] | [_] => BTreeSet::new(),
            _ => match self.put_tags(tags, manifest).await {
                Ok(written) => written,
                // Any of them may have been written.
                Err(error) => {
                    let error = Arc::new(error);
                    return tags.iter().map(|_| Err(share(&error))).collect();
                }
            },
        };
        let mut answers = Vec::with_capacity(tags.len());
        for tag in tags {
            let answer = if written.contains(tag) { Ok(()) } else { self.put(tag, manifest).await };
            let failed = answer.is_err();
            answers.push(answer);
            if failed {
                break;
            }
        }
        answers
    }
}
