//! One read of a blob for several writers.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use tokio::sync::mpsc::{Sender, channel};

use crate::blob::{BlobReader, BlobSource};
use crate::copy::copier::inline;
use crate::copy::endpoint::share;
use crate::copy::progress::{CopyEvent, Progress};
use crate::copy::tree::TreeBlob;
use crate::manifest::Descriptor;
use crate::store::{Blame, StoreError};

/// How often a blob is read on from where its source failed, if each time some of it arrived.
const RESUMPTIONS: u32 = 5;

type Chunk = Result<Bytes, StoreError>;

/// `count` readers of `blob`, and what feeds them: one read of `source`, at the pace of the
/// slowest reader. A reader that is dropped holds up nobody.
///
/// For each reader one chunk waits, and one is common to all: that is all the memory it takes.
pub(crate) fn split<'s>(
    source: &'s dyn BlobSource,
    blob: &'s Descriptor,
    count: usize,
) -> (impl Future<Output = ()> + Send + 's, Vec<BlobReader>) {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..count).map(|_| channel::<Chunk>(1)).unzip();
    let readers = receivers.into_iter().map(|receiver| {
        BlobReader::new(stream::unfold(receiver, async |mut receiver| {
            receiver.recv().await.map(|chunk| (chunk, receiver))
        }))
    });
    (pump(source, blob, senders.into_iter().map(Some).collect()), readers.collect())
}

async fn pump(source: &dyn BlobSource, blob: &Descriptor, mut senders: Vec<Option<Sender<Chunk>>>) {
    let (mut done, mut resumptions) = (0, 0);
    let error = loop {
        let before = done;
        let Err(error) = forward(source, blob, &mut done, &mut senders).await else { return };
        let is_worth_it = error.blame() == Blame::Registry && done > before;
        if !is_worth_it || resumptions == RESUMPTIONS {
            break Arc::new(error);
        }
        resumptions += 1;
    };
    let sends = senders.iter().flatten().map(|sender| sender.send(Err(share(&error))));
    // One that is not received any more needs no answer.
    drop(join_all(sends).await);
}

/// Forwards `blob` from its byte `done` on, until its end or until nobody receives it.
async fn forward(
    source: &dyn BlobSource,
    blob: &Descriptor,
    done: &mut u64,
    senders: &mut [Option<Sender<Chunk>>],
) -> Result<(), StoreError> {
    let Some(mut reader) = source.open_blob_at(blob, *done).await? else {
        let message = format!("read blob {}: the source does not have it", blob.digest);
        return Err(StoreError::new(Blame::NotFound, message)
            .with_remedy("build or push the image again; its manifest lists what is not there"));
    };
    while let Some(chunk) = reader.chunk().await? {
        *done += chunk.len() as u64;
        let sends = senders.iter_mut().map(|slot| {
            let chunk = chunk.clone();
            async move {
                if let Some(sender) = slot
                    && sender.send(Ok(chunk)).await.is_err()
                {
                    *slot = None;
                }
            }
        });
        join_all(sends).await;
        if senders.iter().all(Option::is_none) {
            break;
        }
    }
    Ok(())
}

/// A blob of a source, whose reads are told of, and which may be inline in its manifest.
pub(super) struct Tracked<'s> {
    pub(super) source: &'s dyn BlobSource,
    pub(super) blob: &'s TreeBlob,
    pub(super) progress: Arc<dyn Progress>,
}

#[async_trait]
impl BlobSource for Tracked<'_> {
    async fn open_blob_at(
        &self,
        blob: &Descriptor,
        offset: u64,
    ) -> Result<Option<BlobReader>, StoreError> {
        let is_own = *blob == self.blob.descriptor;
        let content = inline(self.blob.data.as_deref().filter(|_| is_own), blob);
        let from = usize::try_from(offset).ok();
        let reader = match content.zip(from).filter(|(content, from)| *from <= content.len()) {
            Some((content, from)) => BlobReader::from(content.slice(from..)),
            None => match self.source.open_blob_at(blob, offset).await? {
                Some(reader) => reader,
                None => return Ok(None),
            },
        };
        let (progress, digest) = (Arc::clone(&self.progress), blob.digest.clone());
        let mut done = offset;
        Ok(Some(BlobReader::new(reader.inspect(move |chunk| {
            if let Ok(chunk) = chunk {
                done += chunk.len() as u64;
                progress.event(CopyEvent::BlobProgress { digest: digest.clone(), done });
            }
        }))))
    }
}

impl fmt::Debug for Tracked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tracked").field(&self.blob.descriptor).finish()
    }
}
