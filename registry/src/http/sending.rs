//! Sending: the content of a blob, into an upload, until the registry has all of it.

use std::time::{Duration, SystemTime};

use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, StatusCode};

use tokio::time::Instant;

use super::action::Action;
use super::feed::Feed;
use super::location;
use super::patience::Patience;
use super::refusal;
use super::repository::{RepositoryStore, content_digest};
use super::request::{Again, Answer, Failure, Request};
use super::retry;
use super::upload::{Progress, Upload};
use crate::blob::{BlobSink as _, BlobSource};
use crate::manifest::Descriptor;
use crate::store::{Blame, StoreError};

/// How large a chunk is where a registry does not take a blob at once, in bytes.
const CHUNK: u64 = 8 << 20;

/// No chunk is made smaller than this when a registry says that it is too large.
const LEAST_CHUNK: u64 = 64 << 10;

/// One blob on its way out.
pub(super) struct Sending<'a> {
    store: &'a RepositoryStore,
    blob: &'a Descriptor,
    source: &'a dyn BlobSource,
    /// Whether `source` can be read only once.
    is_once: bool,
    feed: Feed,
    upload: Upload,
    chunk: u64,
    /// A 401 was answered by a new token.
    is_renewed: bool,
    is_restarted: bool,
    /// When the last request went out.
    began: Instant,
}

/// What became of one request.
enum Step {
    /// The registry has the blob.
    Stored,
    /// It has so many bytes of it.
    At(u64),
    /// It refused, or may have any number of them.
    Broken(StoreError, Next),
}

/// What is next after a request that failed.
enum Next {
    /// To ask how far the registry is, and go on.
    GoOn,
    /// The same after a pause, of which the registry may have said how long it is.
    Wait(Option<Duration>),
    /// To begin again, after a pause: the upload is not what the registry thinks it is.
    Restart,
}

impl<'a> Sending<'a> {
    pub(super) fn new(
        store: &'a RepositoryStore,
        blob: &'a Descriptor,
        source: &'a dyn BlobSource,
        is_once: bool,
        upload: Upload,
    ) -> Result<Self, StoreError> {
        let feed = Feed::new(blob, store.registry().wire().timeout)?;
        let (is_renewed, is_restarted) = (false, false);
        let (chunk, began) = (CHUNK, Instant::now());
        Ok(Self {
            store,
            blob,
            source,
            is_once,
            feed,
            upload,
            chunk,
            is_renewed,
            is_restarted,
            began,
        })
    }

    /// Sends all of it. What fails is cancelled.
    pub(super) async fn run(mut self) -> Result<(), StoreError> {
        let result = self.send().await;
        match &result {
            Ok(()) => self.upload.close(),
            Err(_) => self.upload.abandon().await,
        }
        result
    }

    async fn send(&mut self) -> Result<(), StoreError> {
        let wire = self.store.registry().wire();
        let mut patience = Patience::new(wire);
        let mut offset = 0;
        loop {
            let (error, next) = match self.step(offset).await? {
                Step::Stored => return Ok(()),
                Step::At(next) => {
                    offset = next;
                    self.is_renewed = false;
                    continue;
                }
                Step::Broken(error, next) => (error, next),
            };
            let may_go_on = match next {
                Next::GoOn => true,
                Next::Wait(asked) => patience.pause(wire, offset, asked).await,
                Next::Restart => patience.pause(wire, 0, None).await,
            };
            if self.is_once || !may_go_on {
                return Err(error);
            }
            offset = match next {
                Next::Restart => self.restart().await?,
                Next::GoOn | Next::Wait(_) => match self.look().await? {
                    Some(at) => at,
                    None => return Ok(()),
                },
            };
        }
    }

    /// One request: all that is left, or one chunk where the registry wants chunks.
    async fn step(&mut self, offset: u64) -> Result<Step, StoreError> {
        let registry = self.store.registry();
        let size = self.blob.size;
        let is_chunk = registry.wants_chunks() && offset < size;
        let end = match is_chunk {
            true => size.min(offset + self.chunk.max(self.upload.least_chunk)),
            false => size,
        };
        let request = self.request(is_chunk, offset, end);
        let wire = registry.wire();
        let Some(began) = wire.pace.admit(Action::UploadContent, wire.deadline()).await else {
            let message = format!("{}: the registry asks to wait too long", request.purpose);
            return Err(StoreError::new(Blame::Registry, message));
        };
        self.began = began;
        if offset < end {
            self.feed.seek(self.source, offset).await?;
        }
        let payload = self.feed.payload(end);
        match registry.upload(&request, payload, self.store.scope(), 1).await {
            Ok(answer) => self.judge(&request, &answer, offset, end),
            Err(failure) => match self.feed.failure() {
                // The request failed because what it was to carry did.
                Some(error) => Err(error),
                None => unclear(failure),
            },
        }
    }

    fn request(&self, is_chunk: bool, offset: u64, end: u64) -> Request {
        let location = self.upload.location();
        let (method, url) = match is_chunk {
            true => (Method::PATCH, location.clone()),
            false => (Method::PUT, location::with_digest(location, &self.blob.digest)),
        };
        let is_part = is_chunk || (offset > 0 && offset < end);
        let mut request = Request::new(method, url, self.upload.purpose())
            .with_header(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))
            .with_header(CONTENT_LENGTH, HeaderValue::from(end - offset));
        if is_part {
            // Both ends included, and without a unit: the specification's own form.
            let range = HeaderValue::from_str(&format!("{offset}-{}", end - 1));
            request = request.with_header(CONTENT_RANGE, range.expect("digits are header text"));
        }
        request
    }

    fn judge(
        &mut self,
        request: &Request,
        answer: &Answer,
        offset: u64,
        end: u64,
    ) -> Result<Step, StoreError> {
        let registry = self.store.registry();
        let refusal = self.store.refusal(request, answer);
        let is_chunk = request.method == Method::PATCH;
        match answer.status.as_u16() {
            200 | 201 | 202 | 204 if answer.is_html() => {
                Err(refusal::not_an_api(request, answer, &refusal::html_problem(answer)))
            }
            200 | 201 | 202 | 204 if is_chunk => {
                // What `Range` says of it is not believed: it sticks at some registries.
                self.upload.follow(request, answer)?;
                Ok(Step::At(end))
            }
            200 | 201 | 202 | 204 => self.check(answer).map(|()| Step::Stored),
            401 if !self.is_renewed => {
                self.is_renewed = true;
                Ok(Step::Broken(refusal, Next::GoOn))
            }
            413 if !is_chunk => {
                registry.note_chunks();
                Ok(Step::Broken(refusal, Next::GoOn))
            }
            413 if self.chunk / 2 >= self.upload.least_chunk.max(LEAST_CHUNK) => {
                self.chunk /= 2;
                Ok(Step::Broken(refusal, Next::GoOn))
            }
            // A part that does not fit what the registry has.
            416 if offset == 0 => Ok(Step::Broken(refusal, Next::Restart)),
            400 if offset > 0 && !self.is_restarted => {
                self.is_restarted = true;
                Ok(Step::Broken(refusal, Next::Restart))
            }
            404 | 416 => Ok(Step::Broken(refusal, Next::Wait(None))),
            _ if retry::is_worth_retrying(answer.status) => {
                let asked = retry::asked(request, answer, SystemTime::now());
                let is_rate = answer.status == StatusCode::TOO_MANY_REQUESTS;
                let pace = &registry.wire().pace;
                pace.refused(Action::UploadContent, self.began, is_rate, asked);
                Ok(Step::Broken(refusal, Next::Wait(asked)))
            }
            _ => Err(refusal),
        }
    }

    /// How far the registry is; `None` when it has the whole blob.
    async fn look(&mut self) -> Result<Option<u64>, StoreError> {
        if let Ok(progress) = self.upload.progress().await {
            match progress {
                Progress::At(at) if at <= self.feed.checked() => return Ok(Some(at)),
                Progress::At(_) => {}
                // The answer to the last request may have been lost.
                Progress::Gone => {
                    self.upload.close();
                    if self.store.has_blob(self.blob).await? {
                        return Ok(None);
                    }
                }
            }
        }
        self.restart().await.map(Some)
    }

    /// Begins again, in an upload of its own.
    async fn restart(&mut self) -> Result<u64, StoreError> {
        self.upload.abandon().await;
        self.upload = Upload::open(self.store, self.blob).await?;
        Ok(0)
    }

    /// Whether what the registry says it stored is what was sent.
    fn check(&self, answer: &Answer) -> Result<(), StoreError> {
        let digest = &self.blob.digest;
        match content_digest(answer) {
            Some(stored) if stored.algorithm() == digest.algorithm() && stored != *digest => {
                let message =
                    format!("{}: the registry says it stored {stored}", self.upload.purpose());
                Err(StoreError::new(Blame::Registry, message))
            }
            _ => Ok(()),
        }
    }
}

fn unclear(failure: Failure) -> Result<Step, StoreError> {
    match failure.again {
        Again::Never => Err(failure.error),
        Again::Safe | Again::Unclear => Ok(Step::Broken(failure.error, Next::Wait(None))),
    }
}
