//! Requests and answers as plain values.

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode, Url};

use crate::secret::Secret;
use crate::store::StoreError;

/// How much of the body of a refusal is read, in bytes: enough for what the registry says.
pub(super) const REFUSAL_LIMIT: u64 = 8 << 10;

/// One request, complete but for its credentials.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// What it is for, to follow "failed to": `list tags of ghcr.io/acme/web`.
    pub(super) purpose: String,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// The largest body of an answer to accept, in bytes.
    pub(super) limit: u64,
    /// What is secret in the body, lest an answer repeats it.
    pub(super) secret: Option<Secret>,
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Where it came from, after redirects.
    pub(super) url: Url,
    /// All of the body if `status` is a success, else at most [`REFUSAL_LIMIT`] of it.
    pub(super) body: Bytes,
    /// The credentials shown to whoever answered.
    pub(super) shown: Option<HeaderValue>,
}

/// A request without an answer.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: StoreError,
    pub(super) again: Again,
}

/// Whether a failed request may be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// It would fail again.
    Never,
    /// It never arrived.
    Safe,
    /// It may have arrived and been obeyed: a write is tried again only after a look.
    Unclear,
}

impl Request {
    pub(super) fn new(method: Method, url: Url, purpose: impl Into<String>) -> Self {
        Self {
            purpose: purpose.into(),
            method,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            limit: REFUSAL_LIMIT,
            secret: None,
        }
    }

    pub(super) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    pub(super) fn with_body(mut self, media_type: HeaderValue, body: Bytes) -> Self {
        self.headers.insert(CONTENT_TYPE, media_type);
        self.body = body;
        self
    }

    /// Accepts answers of up to `bytes`.
    pub(super) fn with_limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// Whether it changes the registry.
    pub(super) fn is_write(&self) -> bool {
        ![Method::GET, Method::HEAD].contains(&self.method)
    }
}

impl Answer {
    /// The value of a header, if it is text.
    pub(super) fn header(&self, name: impl AsRef<str>) -> Option<&str> {
        self.headers.get(name.as_ref()).and_then(|value| value.to_str().ok())
    }

    /// The values of all headers of one name that are text.
    pub(super) fn header_lines(&self, name: HeaderName) -> impl Iterator<Item = &str> {
        self.headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok())
    }

    /// The `Content-Type` as sent; empty when there is none.
    pub(super) fn content_type(&self) -> &str {
        self.header(CONTENT_TYPE).unwrap_or_default()
    }

    /// Whether it is a web page: what a proxy, a portal or a wrong host answers.
    pub(super) fn is_html(&self) -> bool {
        let essence = self.content_type().split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("text/html")
            || essence.eq_ignore_ascii_case("application/xhtml+xml")
    }
}

impl AsRef<Self> for Answer {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl Failure {
    /// One that would come again.
    pub(super) fn lasting(error: StoreError) -> Self {
        Self { error, again: Again::Never }
    }
}
