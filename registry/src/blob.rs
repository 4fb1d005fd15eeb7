//! Blobs: what manifests list, read and written as streams of bounded memory.

mod chunks;
mod verifier;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt as _};
use tokio::sync::mpsc;

use crate::blocking::blocking;
use crate::host::Host;
use crate::manifest::{Descriptor, Manifest};
use crate::store::StoreError;

pub(crate) use chunks::{chunks, read_at};
pub(crate) use verifier::{Hasher, Verifier};

/// A store whose blobs can be read.
///
/// A blob is asked for by its [`Descriptor`], as the manifest states it: the size is part of
/// what is promised, and a store that holds the digest under another size is damaged.
#[async_trait]
pub trait BlobSource: Send + Sync {
    /// The whole of `blob`; `None` when the store does not have it.
    ///
    /// # Errors
    /// As [`BlobSource::open_blob_at`].
    async fn open_blob(&self, blob: &Descriptor) -> Result<Option<BlobReader>, StoreError> {
        self.open_blob_at(blob, 0).await
    }

    /// `blob` from its byte `offset` on, to go on after an interruption; `None` when the store
    /// does not have it.
    ///
    /// The reader gives exactly the bytes that are left, or an error. It does not check them
    /// against the digest: every [`BlobSink`] does, and [`BlobReader::verified`].
    ///
    /// # Errors
    /// When the store refuses or fails, holds another size, or `offset` is behind the end.
    async fn open_blob_at(
        &self,
        blob: &Descriptor,
        offset: u64,
    ) -> Result<Option<BlobReader>, StoreError>;

    /// Where in a registry its blobs lie, if they do. A source that wraps another says what that
    /// says.
    fn origin(&self) -> Option<Origin<'_>> {
        None
    }
}

/// A repository of a registry, as a place that the same registry can mount blobs from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The registry.
    pub host: &'a Host,
    /// The repository's path within it.
    pub path: &'a str,
}

/// How a blob came to where it was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Copied {
    /// The registry has it in another repository, and was told to show it here as well.
    Mounted,
    /// Its bytes were read and written.
    Streamed,
}

/// A store that blobs, and manifests without a tag, can be written to.
#[async_trait]
pub trait BlobSink: Send + Sync {
    /// Whether the store has `blob`, in its size.
    ///
    /// # Errors
    /// When the store refuses or fails; a refusal is not absence.
    async fn has_blob(&self, blob: &Descriptor) -> Result<bool, StoreError>;

    /// Stores `blob`, whose whole content `reader` gives.
    ///
    /// Nothing happens when a store on disk has it already. A registry is not asked: whoever
    /// expects it to be there asks [`BlobSink::has_blob`] first.
    ///
    /// Digest and size are checked while it streams: what is not `blob` leaves nothing behind.
    /// Any number of writers may store the same blob at once.
    ///
    /// # Errors
    /// What `reader` reports; when the content is not what `blob` promises, the algorithm of
    /// its digest is unknown, or the store refuses or fails.
    async fn write_blob(&self, blob: &Descriptor, reader: BlobReader) -> Result<(), StoreError>;

    /// Stores `blob`, as [`BlobSink::write_blob`] does, by the shortest way from `source`: a sink
    /// that can mount it does so, and one that can take up an upload that broke off reads on
    /// where it was.
    ///
    /// # Errors
    /// As [`BlobSink::write_blob`], and [`Blame::NotFound`](crate::Blame::NotFound) when
    /// `source` does not have it.
    async fn copy_blob(
        &self,
        blob: &Descriptor,
        source: &dyn BlobSource,
    ) -> Result<Copied, StoreError> {
        let reader = source.open_blob(blob).await?;
        let reader = reader.ok_or_else(|| StoreError::missing_blob(blob))?;
        self.write_blob(blob, reader).await?;
        Ok(Copied::Streamed)
    }

    /// Stores `manifest` under its digest and no tag, such as the child of an index.
    ///
    /// # Errors
    /// When the store refuses or fails.
    async fn put_manifest(&self, manifest: &Manifest) -> Result<(), StoreError>;

    /// Makes what was written part of the store, for good. Putting a tag does so too: only a
    /// writer that puts none has to call this, and only archives do anything here.
    ///
    /// # Errors
    /// When the store cannot be written.
    async fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// The content of a blob, chunk by chunk.
pub struct BlobReader {
    chunks: Pin<Box<dyn Stream<Item = Result<Bytes, StoreError>> + Send>>,
}

impl BlobReader {
    /// A reader of these chunks, whatever their sizes.
    pub fn new(chunks: impl Stream<Item = Result<Bytes, StoreError>> + Send + 'static) -> Self {
        Self { chunks: Box::pin(chunks) }
    }

    /// The next chunk; `None` at the end.
    ///
    /// # Errors
    /// When the store fails, or the content ends before its promised size.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, StoreError> {
        self.chunks.next().await.transpose()
    }

    /// The same chunks, checked: the one that completes the size of `blob` is given only when
    /// the whole is what the digest promises. For readers from the first byte on.
    ///
    /// # Errors
    /// When the algorithm of the digest is not known here.
    pub fn verified(self, blob: &Descriptor) -> Result<Self, StoreError> {
        let verifier = Verifier::new(blob)?;
        let checked = stream::try_unfold((self, verifier), |(mut reader, mut verifier)| async {
            let Some(chunk) = reader.chunk().await? else {
                verifier.finish()?;
                return Ok(None);
            };
            verifier.update(&chunk)?;
            if verifier.is_complete() {
                verifier.clone().finish()?;
            }
            Ok(Some((chunk, (reader, verifier))))
        });
        Ok(Self::new(checked))
    }
}

impl From<Bytes> for BlobReader {
    fn from(bytes: Bytes) -> Self {
        Self::new(stream::iter([Ok(bytes)]))
    }
}

impl Stream for BlobReader {
    type Item = Result<Bytes, StoreError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().chunks.as_mut().poll_next(cx)
    }
}

impl fmt::Debug for BlobReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobReader").finish_non_exhaustive()
    }
}

/// A file's part in a copy that failed; `attempt` names it.
pub(crate) type Failed = fn(String, io::Error) -> StoreError;

/// Writes all of `reader` to `to`, checked against `blob`, where blocking is allowed; gives
/// `to` back when the content is right. Two chunks are in memory at most, besides the one that
/// is being written.
pub(crate) async fn write_verified<W: io::Write + Send + 'static>(
    blob: &Descriptor,
    mut reader: BlobReader,
    mut to: W,
    attempt: String,
    failed: Failed,
) -> Result<W, StoreError> {
    let mut verifier = Verifier::new(blob)?;
    let (sender, mut receiver) = mpsc::channel::<Bytes>(2);
    let write = move || {
        while let Some(chunk) = receiver.blocking_recv() {
            verifier.update(&chunk)?;
            to.write_all(&chunk).map_err(|error| failed(attempt.clone(), error))?;
        }
        verifier.finish()?;
        Ok(to)
    };
    // It ends with the channel, so that a caller who gives up stops it as well.
    let writing = blocking(format!("write blob {}", blob.digest), write);
    let read = async {
        while let Some(chunk) = reader.chunk().await? {
            if sender.send(chunk).await.is_err() {
                // The writer has stopped, and will say why.
                break;
            }
        }
        Ok(())
    }
    .await;
    drop(sender);
    // Waited for even then: when this returns, nothing of what failed is left.
    let written = writing.await;
    read?;
    written
}
