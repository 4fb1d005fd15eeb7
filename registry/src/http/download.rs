//! Downloads: one blob as one stream, however often the way breaks.

use async_trait::async_trait;
use bytes::{Buf as _, Bytes};
use futures_util::stream;
use reqwest::Method;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderValue, RANGE};

use super::opened::Opened;
use super::patience::Patience;
use super::redirect;
use super::refusal;
use super::registry::Registry;
use super::repository::RepositoryStore;
use super::request::{Again, Failure, Request};
use super::scope::Scope;
use crate::blob::{BlobReader, BlobSink as _, BlobSource, Origin};
use crate::manifest::{Descriptor, MediaType};
use crate::store::{Blame, StoreError};

/// A blob on its way here. Each time the way breaks, the rest is asked for at the registry
/// again, never where it redirected to: that may have expired.
struct Download {
    place: Place,
    /// The registry itself, while `place` is a mirror of it.
    origin: Option<Place>,
    blob: Descriptor,
    /// How many bytes have come.
    at: u64,
    patience: Patience,
}

/// Where a blob is asked for.
struct Place {
    registry: Registry,
    scope: Scope,
    request: Request,
}

/// The answer that is being read.
struct Body {
    opened: Opened,
    /// How many of its bytes came before.
    skip: u64,
}

#[async_trait]
impl BlobSource for RepositoryStore {
    async fn open_blob_at(
        &self,
        blob: &Descriptor,
        offset: u64,
    ) -> Result<Option<BlobReader>, StoreError> {
        let request = self.blob_request(Method::GET, blob, "read");
        if offset > blob.size {
            let message = format!("{}: byte {offset} is behind its end", request.purpose);
            return Err(StoreError::new(Blame::Local, message));
        }
        if offset == blob.size && offset > 0 {
            let is_there = self.has_blob(blob).await?;
            return Ok(is_there.then(|| BlobReader::from(Bytes::new())));
        }
        let mirror = self.registry().mirror().and_then(|mirror| mirror.repository(self.path()));
        let own = Place::new(self, request);
        let (place, origin) = match mirror {
            Some(store) => {
                let request = store.blob_request(Method::GET, blob, "read");
                (Place::new(&store, request), Some(own))
            }
            None => (own, None),
        };
        let patience = Patience::new(place.registry.wire());
        let mut download = Download { place, origin, blob: blob.clone(), at: offset, patience };
        let Some(body) = download.open().await? else { return Ok(None) };
        let chunks = stream::try_unfold((download, body), |(mut download, mut body)| async {
            let chunk = download.next(&mut body).await?;
            Ok(chunk.map(|chunk| (chunk, (download, body))))
        });
        Ok(Some(BlobReader::new(chunks)))
    }

    fn origin(&self) -> Option<Origin<'_>> {
        Some(Origin { host: self.registry().host(), path: self.path() })
    }
}

impl Place {
    fn new(store: &RepositoryStore, request: Request) -> Self {
        Self { registry: store.registry().clone(), scope: store.scope().clone(), request }
    }
}

impl Download {
    /// Asks for what is left; `None` when the registry does not have the blob.
    async fn open(&mut self) -> Result<Option<Body>, StoreError> {
        loop {
            let opened = self.open_here().await;
            let is_given = matches!(opened, Ok(Some(_)));
            if is_given || !self.turn_to_origin(opened.as_ref().err()) {
                return opened;
            }
        }
    }

    /// Leaves the mirror; whether it was at one.
    fn turn_to_origin(&mut self, error: Option<&StoreError>) -> bool {
        let Some(origin) = self.origin.take() else { return false };
        if let (Some(mirror), Some(error)) = (origin.registry.mirror(), error) {
            mirror.failed(error);
        }
        self.patience = Patience::new(origin.registry.wire());
        self.place = origin;
        true
    }

    async fn open_here(&self) -> Result<Option<Body>, StoreError> {
        let Place { registry, scope, .. } = &self.place;
        let mut request = self.place.request.clone();
        if self.at > 0 {
            let range = HeaderValue::from_str(&format!("bytes={}-", self.at));
            request = request.with_header(RANGE, range.expect("digits are header text"));
        }
        let opened = registry.send_for_head(&request, scope).await?;
        let head = &opened.head;
        let is_own = redirect::is_same_host(&request.url, &head.url);
        let is_page = head.is_html() && self.blob.media_type != MediaType::new("text/html");
        match head.status.as_u16() {
            200 | 206 if is_page => {
                let problem = refusal::html_problem(head);
                Err(refusal::not_an_api(&request, head, &problem))
            }
            200 => {
                let length = head.header(CONTENT_LENGTH).and_then(|text| text.trim().parse().ok());
                self.check_size(length)?;
                // All of it, although a part was asked for: not every storage knows ranges.
                Ok(Some(Body { opened, skip: self.at }))
            }
            206 => {
                let skip = self.check_range(head.header(CONTENT_RANGE))?;
                Ok(Some(Body { opened, skip }))
            }
            404 if is_own && !head.is_html() => {
                let answer = opened.read(&request).await.map_err(|failure| failure.error)?;
                match refusal::is_denial(&request, &answer) {
                    true => Err(registry.refusal(&request, scope, &answer)),
                    false => Ok(None),
                }
            }
            _ => {
                let answer = opened.read(&request).await.map_err(|failure| failure.error)?;
                Err(registry.refusal(&request, scope, &answer))
            }
        }
    }

    /// The next bytes; `None` at the end of the blob.
    async fn next(&mut self, body: &mut Body) -> Result<Option<Bytes>, StoreError> {
        loop {
            let error = match self.next_here(body).await {
                Ok(chunk) => return Ok(chunk),
                Err(error) => error,
            };
            // More bytes than there are cannot be taken back.
            if self.at > self.blob.size || !self.turn_to_origin(Some(&error)) {
                return Err(error);
            }
            *body = self.open().await?.ok_or(error)?;
        }
    }

    async fn next_here(&mut self, body: &mut Body) -> Result<Option<Bytes>, StoreError> {
        loop {
            let failure = match body.opened.chunk(&self.place.request).await {
                Ok(Some(mut chunk)) => {
                    let known = body.skip.min(chunk.len() as u64);
                    body.skip -= known;
                    chunk.advance(usize::try_from(known).expect("at most the chunk's length"));
                    self.at += chunk.len() as u64;
                    self.check_size((self.at > self.blob.size).then_some(self.at))?;
                    if chunk.is_empty() {
                        continue;
                    }
                    return Ok(Some(chunk));
                }
                // What happens to the connection after the last byte is of no interest.
                _ if self.at == self.blob.size => return Ok(None),
                Ok(None) => None,
                Err(Failure { error, again: Again::Never }) => return Err(error),
                Err(failure) => Some(failure.error),
            };
            *body = self.resume(failure).await?;
        }
    }

    async fn resume(&mut self, failure: Option<StoreError>) -> Result<Body, StoreError> {
        let Self { place: Place { request, registry, .. }, blob, at, .. } = self;
        let message =
            format!("{}: it breaks off after {at} of {} bytes", request.purpose, blob.size);
        let broken = StoreError::new(Blame::Registry, message);
        if !self.patience.pause(registry.wire(), *at, None).await {
            return Err(match failure {
                Some(failure) => broken.with_source(failure),
                None => broken,
            });
        }
        // It was there a moment ago.
        self.open_here().await?.ok_or(broken)
    }

    /// Refuses a size that is not the promised one.
    fn check_size(&self, size: Option<u64>) -> Result<(), StoreError> {
        match size {
            Some(size) if size != self.blob.size => Err(self.damaged(&format!(
                "it has {size} bytes or more, its manifest says {}",
                self.blob.size
            ))),
            _ => Ok(()),
        }
    }

    /// How many bytes of the part in `Content-Range: bytes FIRST-LAST/SIZE` came before.
    fn check_range(&self, header: Option<&str>) -> Result<u64, StoreError> {
        let (first, size) = header
            .and_then(content_range)
            .ok_or_else(|| self.damaged("a part came that does not say which"))?;
        self.check_size(size)?;
        let missing =
            || self.damaged(&format!("from byte {} on was asked for, {first} came", self.at));
        self.at.checked_sub(first).ok_or_else(missing)
    }

    fn damaged(&self, problem: &str) -> StoreError {
        StoreError::new(Blame::Registry, format!("{}: {problem}", self.place.request.purpose))
    }
}

/// The first byte of `bytes FIRST-LAST/SIZE`, and the size, for which `*` may stand.
pub(super) fn content_range(value: &str) -> Option<(u64, Option<u64>)> {
    let (range, size) = value.trim().strip_prefix("bytes")?.trim().split_once('/')?;
    let first = range.split_once('-')?.0.trim().parse().ok()?;
    let size = match size.trim() {
        "*" => None,
        size => Some(size.parse().ok()?),
    };
    Some((first, size))
}
