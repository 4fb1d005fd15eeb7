//! Opened answers: the head is there, the body is still to be read.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::CONTENT_LENGTH;
use reqwest::{Method, Version};
use tokio::time::timeout;

use super::request::{Answer, Failure, REFUSAL_LIMIT, Request};
use super::text::redacted;
use super::unreachable;
use crate::store::{Blame, StoreError};

/// An answer of which the head has come.
pub(super) struct Opened {
    /// The answer without its body.
    pub(super) head: Answer,
    response: reqwest::Response,
    /// The longest to wait for the next bytes.
    patience: Duration,
}

impl Opened {
    pub(super) fn new(head: Answer, response: reqwest::Response, patience: Duration) -> Self {
        Self { head, response, patience }
    }

    /// The next bytes of the body of the answer to `request`; `None` at its end.
    pub(super) async fn chunk(&mut self, request: &Request) -> Result<Option<Bytes>, Failure> {
        match timeout(self.patience, self.response.chunk()).await {
            Ok(chunk) => {
                chunk.map_err(|error| unreachable::failure(request, &self.head.url, error))
            }
            Err(_) => Err(unreachable::silence(request, &self.head.url)),
        }
    }

    /// Whether `came` is less than was announced. Over HTTP/2 a stream that its server resets
    /// without an error ends like any other.
    fn is_short(&self, came: usize) -> bool {
        let announced = self.head.header(CONTENT_LENGTH).and_then(|text| text.trim().parse().ok());
        self.response.version() == Version::HTTP_2
            && announced.is_some_and(|announced: usize| came < announced)
    }

    /// The whole answer to `request`, up to its limit; of a refusal, as much as comes.
    pub(super) async fn read(mut self, request: &Request) -> Result<Answer, Failure> {
        if request.method == Method::HEAD {
            return Ok(self.head);
        }
        let is_refusal = !self.head.status.is_success();
        let limit = if is_refusal { REFUSAL_LIMIT } else { request.limit };
        if !is_refusal && self.response.content_length().is_some_and(|length| length > limit) {
            return Err(too_large(request, &self.head, limit));
        }
        let mut body = BytesMut::new();
        loop {
            match self.chunk(request).await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) if !is_refusal && self.is_short(body.len()) => {
                    return Err(unreachable::truncation(request, &self.head.url));
                }
                Ok(None) => break,
                Err(_) if is_refusal => break,
                Err(failure) => return Err(failure),
            }
            if body.len() as u64 > limit {
                if is_refusal {
                    body.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
                    break;
                }
                return Err(too_large(request, &self.head, limit));
            }
        }
        self.head.body = body.freeze();
        Ok(self.head)
    }
}

impl AsRef<Answer> for Opened {
    fn as_ref(&self) -> &Answer {
        &self.head
    }
}

fn too_large(request: &Request, answer: &Answer, limit: u64) -> Failure {
    let url = redacted(&answer.url);
    let message = format!(
        "{}: {} {url}: the answer is larger than {limit} bytes",
        request.purpose, request.method
    );
    Failure::lasting(
        StoreError::new(Blame::Registry, message)
            .with_remedy("raise the limit for manifests if this one is meant to be that large"),
    )
}
