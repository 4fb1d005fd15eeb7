//! The two ends of a copy, as far as they are more than stores.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::join;

use crate::archive::{DockerArchive, OciArchive};
use crate::blob::{BlobSink, BlobSource};
use crate::copy::split::split;
use crate::digest::Digest;
use crate::layout::Layout;
use crate::manifest::{Descriptor, Manifest};
use crate::referrers::Referrers;
use crate::store::{Store, StoreError};
use crate::tag::Tag;

/// A store that images can be copied from.
pub trait CopySource: Store + BlobSource + Referrers {}

impl<T: Store + BlobSource + Referrers + ?Sized> CopySource for T {}

/// A store that images can be copied to.
#[async_trait]
pub trait Destination: Store + BlobSink + Referrers {
    /// Takes `blob` over from the repository `from` of the same registry. `false` when the
    /// registry would not, for whatever reason: then it is asked whether it has the blob, and
    /// if not, [`Destination::send_blob`] follows. What the registry opened for an upload may be
    /// kept until then.
    ///
    /// # Errors
    /// When the registry fails; that it refuses is no error.
    async fn mount(&self, blob: &Descriptor, from: &str) -> Result<bool, StoreError> {
        let _ = (blob, from);
        Ok(false)
    }

    /// Stores `blob`, which `source` has and this store has not. A store that can go on where
    /// it was interrupted reads `source` again from there.
    ///
    /// # Errors
    /// As [`BlobSource::open_blob_at`] and [`BlobSink::write_blob`].
    async fn send_blob(
        &self,
        blob: &Descriptor,
        source: &dyn BlobSource,
    ) -> Result<(), StoreError> {
        let (pump, mut readers) = split(source, blob, 1);
        let reader = readers.remove(0);
        let ((), written) = join(pump, self.write_blob(blob, reader)).await;
        written
    }

    /// Stores `manifest`, which says that it is attached to `subject`, under its digest, and
    /// sees to it that [`Referrers::referrers`] lists it. Storing it twice does no harm.
    ///
    /// # Errors
    /// When the store refuses or fails.
    async fn put_referrer(&self, subject: &Digest, manifest: &Manifest) -> Result<(), StoreError> {
        let _ = subject;
        self.add_referrer(manifest).await
    }

    /// Points all of `tags` at `manifest`, in this order, whose blobs and children the store
    /// has. An answer for each; after the first failure there need be no more.
    async fn put_all_tags(&self, tags: &[Tag], manifest: &Manifest) -> Vec<Result<(), StoreError>> {
        let mut answers = Vec::with_capacity(tags.len());
        for tag in tags {
            let answer = self.put(tag, manifest).await;
            let failed = answer.is_err();
            answers.push(answer);
            if failed {
                break;
            }
        }
        answers
    }
}

/// The tag that stands for what is attached to `subject`: `sha256-…`, and a suffix. None when
/// that is too long for a tag.
pub(crate) fn referrers_tag(subject: &Digest, suffix: &str) -> Option<Tag> {
    // By the specification, what is too long is cut off.
    let encoded = subject.encoded().chars().take(64).collect::<String>();
    let algorithm = subject.algorithm().chars().take(32).collect::<String>();
    format!("{algorithm}-{encoded}{suffix}").parse().ok()
}

/// The failure of one read, for each of those that waited for it.
pub(crate) fn share(error: &Arc<StoreError>) -> StoreError {
    let again = StoreError::new(error.blame(), error.to_string());
    let again = match error.remedy() {
        Some(remedy) => again.with_remedy(remedy),
        None => again,
    };
    match std::error::Error::source(&**error) {
        Some(cause) => again.with_source(crate::apply::chain(cause)),
        None => again,
    }
}

impl Destination for Layout {}

impl Destination for OciArchive {}

impl Destination for DockerArchive {}
