//! Feeds: the content of a blob on its way into an upload, checked as it goes.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;

use super::payload::{Payload, Pulse};
use crate::blob::{BlobReader, BlobSource, Verifier};
use crate::manifest::Descriptor;
use crate::store::{Blame, StoreError};

/// Gives the content of one blob to one request after the other.
///
/// It reads on where the last request stopped, and opens the source anew only when an upload
/// has to go back. Content that is not what the blob promises never comes to its end.
pub(super) struct Feed {
    blob: Descriptor,
    state: Arc<Mutex<State>>,
    pulse: Arc<Pulse>,
}

/// What outlives a request.
struct State {
    /// It has seen every byte that was given so far, once.
    verifier: Verifier,
    /// Why the source, or its content, failed.
    failure: Option<StoreError>,
    parked: Option<Content>,
}

/// Open content, before its byte `at`.
struct Content {
    reader: BlobReader,
    /// What the reader gave and no request has taken.
    left: Bytes,
    at: u64,
}

/// A source of a blob that can be read only once.
pub(super) struct Once(Mutex<Option<BlobReader>>);

impl Feed {
    /// `limit` is how long a request may stand still.
    pub(super) fn new(blob: &Descriptor, limit: Duration) -> Result<Self, StoreError> {
        let verifier = Verifier::new(blob)?;
        if blob.size == 0 {
            verifier.clone().finish()?;
        }
        let state = State { verifier, failure: None, parked: None };
        let (state, pulse) = (Arc::new(Mutex::new(state)), Arc::new(Pulse::new(limit)));
        Ok(Self { blob: blob.clone(), state, pulse })
    }

    /// Goes to byte `offset` of the content, which is not behind [`Feed::checked`].
    pub(super) async fn seek(
        &self,
        source: &dyn BlobSource,
        offset: u64,
    ) -> Result<(), StoreError> {
        let parked = self.with_state(|state| state.parked.take());
        let content = match parked.filter(|content| content.at == offset) {
            Some(content) => content,
            None => {
                let reader = source.open_blob_at(&self.blob, offset).await?;
                let reader = reader.ok_or_else(|| StoreError::missing_blob(&self.blob))?;
                Content { reader, left: Bytes::new(), at: offset }
            }
        };
        self.with_state(|state| state.parked = Some(content));
        Ok(())
    }

    /// The content from where it is up to byte `end`.
    pub(super) fn payload(&self, end: u64) -> Payload {
        let content = self.with_state(|state| state.parked.take());
        let (state, pulse) = (Arc::clone(&self.state), Arc::clone(&self.pulse));
        let size = self.blob.size;
        let chunks = stream::unfold(content, move |content| {
            let (state, pulse) = (Arc::clone(&state), Arc::clone(&pulse));
            async move {
                let mut content = content.filter(|content| content.at < end)?;
                let result = content.next(end, size, &state, &pulse).await;
                let mut state = state.lock().expect("no holder of this lock panics");
                match result {
                    Ok(chunk) if content.at == end => {
                        // The request has all it needs, and does not ask again.
                        state.parked = Some(content);
                        Some((Ok(chunk), None))
                    }
                    Ok(chunk) => Some((Ok(chunk), Some(content))),
                    Err(error) => {
                        state.failure = Some(error);
                        Some((Err(io::Error::other("the content failed")), None))
                    }
                }
            }
        });
        Payload { body: reqwest::Body::wrap_stream(chunks), pulse: Arc::clone(&self.pulse) }
    }

    /// How many bytes were given so far, however often.
    pub(super) fn checked(&self) -> u64 {
        self.with_state(|state| state.verifier.seen())
    }

    /// Why the content came to no end, if it is to blame.
    pub(super) fn failure(&self) -> Option<StoreError> {
        self.with_state(|state| state.failure.take())
    }

    fn with_state<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().expect("no holder of this lock panics"))
    }
}

impl Content {
    /// The next bytes before byte `end` of `size`; the last are given only when all are right.
    async fn next(
        &mut self,
        end: u64,
        size: u64,
        state: &Mutex<State>,
        pulse: &Pulse,
    ) -> Result<Bytes, StoreError> {
        pulse.starve();
        while self.left.is_empty() {
            let Some(chunk) = self.reader.chunk().await? else {
                let verifier =
                    state.lock().expect("no holder of this lock panics").verifier.clone();
                verifier.finish()?;
                let message =
                    format!("write the last {} bytes of a blob: they end", size - self.at);
                return Err(StoreError::new(Blame::Local, message));
            };
            self.left = chunk;
        }
        pulse.feed();
        let wanted = usize::try_from(end - self.at).unwrap_or(usize::MAX);
        let chunk = self.left.split_to(wanted.min(self.left.len()));
        let mut state = state.lock().expect("no holder of this lock panics");
        let verifier = &mut state.verifier;
        let known = usize::try_from(verifier.seen() - self.at).unwrap_or(usize::MAX);
        if let Some(fresh) = chunk.get(known..) {
            verifier.update(fresh)?;
        }
        self.at += chunk.len() as u64;
        if self.at == size {
            // More than was promised is not what was promised either.
            verifier.update(&self.left)?;
            verifier.clone().finish()?;
        }
        Ok(chunk)
    }
}

impl Once {
    pub(super) fn new(reader: BlobReader) -> Self {
        Self(Mutex::new(Some(reader)))
    }
}

#[async_trait]
impl BlobSource for Once {
    async fn open_blob_at(
        &self,
        blob: &Descriptor,
        offset: u64,
    ) -> Result<Option<BlobReader>, StoreError> {
        let reader = self.0.lock().expect("no holder of this lock panics").take();
        match reader.filter(|_| offset == 0) {
            Some(reader) => Ok(Some(reader)),
            None => {
                let message = format!("read blob {} again: it was given once", blob.digest);
                Err(StoreError::new(Blame::Local, message))
            }
        }
    }
}
