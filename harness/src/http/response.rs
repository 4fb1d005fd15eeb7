//! The answer of a container.

use std::borrow::Cow;

use reqwest::header::HeaderMap;
use serde::de::DeserializeOwned;

use super::HttpError;

/// How much of a body an error shows.
const SHOWN: usize = 500;

/// The answer of a container, read to its end.
#[derive(Clone, Debug)]
pub struct HttpResponse {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: bytes::Bytes,
}

impl HttpResponse {
    /// Its status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Where it came from.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A header, if there is one that is text; the first if there are several.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// All values of a header that are text.
    pub fn header_all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let values: Vec<_> = self.headers.get_all(name).into_iter().collect();
        values.into_iter().filter_map(|value| value.to_str().ok())
    }

    /// The names and values of the headers, in lower case and as text.
    pub fn headers(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        let text = |value: &'_ reqwest::header::HeaderValue| {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        };
        self.headers.iter().map(move |(name, value)| (name.as_str(), Cow::Owned(text(value))))
    }

    /// The body.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// The body as text, with what is not UTF-8 replaced.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The body as JSON.
    ///
    /// # Errors
    ///
    /// It is none, or not of this shape.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, HttpError> {
        serde_json::from_slice(&self.body).map_err(|source| HttpError::Json {
            method: self.method.clone(),
            url: self.url.clone(),
            excerpt: self.excerpt(),
            source,
        })
    }

    /// Itself, if its status is this one.
    ///
    /// # Errors
    ///
    /// It is another; the error shows the beginning of the body.
    pub fn assert_status(self, expected: u16) -> Result<Self, HttpError> {
        if self.status == expected {
            return Ok(self);
        }
        let excerpt = self.excerpt();
        let Self { method, url, status, .. } = self;
        Err(HttpError::Status { method, url, expected, status, excerpt })
    }

    /// The beginning of the body.
    pub(crate) fn excerpt(&self) -> String {
        let text = self.text();
        match text.char_indices().nth(SHOWN) {
            _ if text.is_empty() => "no body".to_owned(),
            Some((end, _)) => format!("{}… ({} bytes)", &text[..end], self.body.len()),
            None => text.trim_end().to_owned(),
        }
    }

    #[cfg(test)]
    pub(crate) fn for_tests(
        status: u16,
        headers: &[(&'static str, &'static str)],
        body: &'static str,
    ) -> Self {
        let headers = headers.iter().map(|(name, value)| {
            (
                reqwest::header::HeaderName::from_static(name),
                reqwest::header::HeaderValue::from_static(value),
            )
        });
        Self {
            method: "GET".to_owned(),
            url: "http://192.0.2.1:80/".to_owned(),
            status,
            headers: headers.collect(),
            body: body.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_status_is_an_error_that_shows_the_body() {
        let response = HttpResponse::for_tests(500, &[], "Traceback\n");
        let error = response.clone().assert_status(200).unwrap_err().to_string();
        let expected = "get 200 from GET http://192.0.2.1:80/: it answered with 500: Traceback";
        assert_eq!(error, expected);
        assert_eq!(response.assert_status(500).unwrap().text(), "Traceback\n");
    }

    #[test]
    fn json_of_another_shape_is_an_error() {
        let response = HttpResponse::for_tests(200, &[], r#"{"up": true}"#);
        assert!(response.json::<serde_json::Value>().unwrap()["up"].as_bool().unwrap());
        let error = response.json::<Vec<u8>>().unwrap_err().to_string();
        assert!(error.ends_with(r#": {"up": true}"#), "{error}");
    }
}
