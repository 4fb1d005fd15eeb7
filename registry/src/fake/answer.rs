//! What the fake registry answers.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use bytes::Bytes;
use serde_json::json;

/// A whole HTTP answer, as data: of the registry itself, or to be given in its stead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Answer {
    /// An answer without headers or body.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new() }
    }

    /// A proxy's error page: HTML where JSON was asked for.
    #[must_use]
    pub fn html(status: u16) -> Self {
        Self::new(status).body("text/html", "<html><body><h1>Bad Gateway</h1></body></html>")
    }

    /// An error as the distribution specification writes it.
    #[must_use]
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self::error_about(status, code, message, &serde_json::Value::Null)
    }

    /// Adds a header; headers of the same name add up.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Sets the body and its media type.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.with("Content-Type", content_type)
    }

    pub(super) fn json(status: u16, value: &serde_json::Value) -> Self {
        Self::new(status).body("application/json", value.to_string())
    }

    /// [`Answer::error`] with the `detail` that names the object.
    pub(super) fn error_about(
        status: u16,
        code: &str,
        message: &str,
        detail: &serde_json::Value,
    ) -> Self {
        let error = json!({ "code": code, "message": message, "detail": detail });
        Self::json(status, &json!({ "errors": [error] }))
    }

    /// Replaces every header of that name.
    pub(super) fn with(self, name: &str, value: impl Into<String>) -> Self {
        self.without(name).header(name, value)
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
        self
    }

    /// The same length, and another byte in the middle.
    pub(super) fn with_wrong_byte(mut self) -> Self {
        let mut bytes = self.body.to_vec();
        let middle = bytes.len() / 2;
        if let Some(byte) = bytes.get_mut(middle) {
            *byte ^= 1;
        }
        self.body = bytes.into();
        self
    }

    pub(super) fn without_last_byte(mut self) -> Self {
        self.body.truncate(self.body.len().saturating_sub(1));
        self
    }

    pub(super) fn status(&self) -> u16 {
        self.status
    }

    pub(super) fn bytes(&self) -> &Bytes {
        &self.body
    }

    /// The response that carries it, with `body` on the wire.
    ///
    /// A status or header that HTTP does not allow becomes a 500 that says so: the answer is
    /// a test's own, and the test's client should show it.
    pub(super) fn into_response(self, body: Body) -> Response<Body> {
        let mut response = Response::new(body);
        let Ok(status) = StatusCode::from_u16(self.status) else {
            return refused(&format!("{} is no HTTP status", self.status));
        };
        *response.status_mut() = status;
        for (name, value) in self.headers {
            match (name.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
                (Ok(name), Ok(value)) => drop(response.headers_mut().append(name, value)),
                _ => return refused(&format!("{name}: {value} is no HTTP header")),
            }
        }
        response
    }
}

fn refused(reason: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(reason.to_owned()));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_add_up_until_they_are_replaced() {
        let answer = Answer::new(200).header("Link", "<a>").header("link", "<b>");
        let twice = answer.clone().into_response(Body::empty());
        assert_eq!(twice.headers().get_all("link").iter().count(), 2);
        let once = answer.with("LINK", "<c>").into_response(Body::empty());
        assert_eq!(once.headers().get_all("link").iter().count(), 1);
    }

    #[test]
    fn what_http_does_not_allow_is_a_500() {
        for bad in [Answer::new(7), Answer::new(200).header("a b", "c")] {
            assert_eq!(bad.into_response(Body::empty()).status(), 500);
        }
    }
}
