//! Waiting for an answer.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use regex::bytes::Regex;

use super::Wait;
use super::state::Note;
use crate::backoff::Backoff;
use crate::handle::ContainerHandle;
use crate::http::{ContainerHttp, HttpError, HttpResponse};
use crate::matcher::PatternError;

/// How long one attempt may take. A service that accepts early and answers late should not
/// use up the whole wait with its first connection.
const ATTEMPT_DEADLINE: Duration = Duration::from_secs(5);

/// A request that is repeated until it is answered as it should. Redirects are not followed.
///
/// ```
/// use plimsoll_harness::HttpWait;
///
/// let any_answer = HttpWait::get("/");
/// let healthy = HttpWait::get("/health")
///     .port(8000)
///     .status(200..=299)
///     .response_header("content-type", "^application/json")
///     .body(r#""database":\s*"up""#);
/// # let _ = (any_answer, healthy);
/// ```
#[derive(Clone, Debug)]
pub struct HttpWait {
    method: String,
    path: String,
    port: Option<u16>,
    headers: Vec<(String, String)>,
    statuses: Vec<RangeInclusive<u16>>,
    response_headers: Vec<(String, String)>,
    body: Option<String>,
}

/// A status, or a range of them.
#[derive(Clone, Debug)]
pub struct StatusRange(RangeInclusive<u16>);

impl From<u16> for StatusRange {
    fn from(status: u16) -> Self {
        Self(status..=status)
    }
}

impl From<RangeInclusive<u16>> for StatusRange {
    fn from(range: RangeInclusive<u16>) -> Self {
        Self(range)
    }
}

impl HttpWait {
    /// A GET request that any answer will do for. The path may have a query.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path)
    }

    /// A request that any answer will do for.
    pub fn new(method: impl Into<String>, path: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            path: path.into(),
            port: None,
            headers: Vec::new(),
            statuses: Vec::new(),
            response_headers: Vec::new(),
            body: None,
        }
    }

    /// The port of the container; its lowest published one unless said otherwise.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Sends a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Accepts this status, or a range of them. Said more than once, any of them will do.
    #[must_use]
    pub fn status(mut self, status: impl Into<StatusRange>) -> Self {
        self.statuses.push(status.into().0);
        self
    }

    /// Wants a header whose value matches a regular expression.
    #[must_use]
    pub fn response_header(mut self, name: impl Into<String>, regex: impl Into<String>) -> Self {
        self.response_headers.push((name.into(), regex.into()));
        self
    }

    /// Wants a body that matches a regular expression.
    #[must_use]
    pub fn body(mut self, regex: impl Into<String>) -> Self {
        self.body = Some(regex.into());
        self
    }

    /// Sets the deadline.
    #[must_use]
    pub fn within(self, deadline: Duration) -> Wait {
        Wait::from(self).within(deadline)
    }

    pub(crate) fn compile(self) -> Result<HttpCheck, PatternError> {
        let compile = |pattern: &String| {
            Regex::new(pattern).map_err(|source| PatternError { pattern: pattern.clone(), source })
        };
        let body = self.body.as_ref().map(compile).transpose()?;
        let headers = self.response_headers.iter();
        let headers = headers
            .map(|(name, regex)| Ok((name.clone(), compile(regex)?)))
            .collect::<Result<_, _>>()?;
        Ok(HttpCheck { body, headers, wait: self })
    }
}

impl fmt::Display for HttpWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, path, port, headers: _, statuses, response_headers, body } = self;
        write!(f, "{method} {path}")?;
        if let Some(port) = port {
            write!(f, " on port {port}")?;
        }
        let statuses: Vec<_> = statuses.iter().map(status_text).collect();
        match &statuses[..] {
            [] => f.write_str(" is answered")?,
            statuses => write!(f, " is answered with {}", statuses.join(" or "))?,
        }
        for (name, regex) in response_headers {
            write!(f, ", {name}: /{regex}/")?;
        }
        match body {
            Some(regex) => write!(f, ", body /{regex}/"),
            None => Ok(()),
        }
    }
}

fn status_text(range: &RangeInclusive<u16>) -> String {
    match (range.start(), range.end()) {
        (start, end) if start == end => start.to_string(),
        (start, end) => format!("{start} to {end}"),
    }
}

/// A wait with its patterns compiled.
#[derive(Debug)]
pub(crate) struct HttpCheck {
    wait: HttpWait,
    headers: Vec<(String, Regex)>,
    body: Option<Regex>,
}

impl HttpCheck {
    /// What is wrong with an answer.
    fn complaint(&self, response: &HttpResponse) -> Option<String> {
        let status = response.status();
        let statuses = &self.wait.statuses;
        if !statuses.is_empty() && !statuses.iter().any(|range| range.contains(&status)) {
            return Some(format!("answered with {status}: {}", response.excerpt()));
        }
        for (name, regex) in &self.headers {
            match response.header(name) {
                None => return Some(format!("answered with {status} and no {name}")),
                Some(value) if !regex.is_match(value.as_bytes()) => {
                    return Some(format!("answered with {status} and {name}: {value}"));
                }
                Some(_) => {}
            }
        }
        let body = self.body.as_ref().is_none_or(|regex| regex.is_match(response.bytes()));
        (!body).then(|| format!("answered with {status}: {}", response.excerpt()))
    }

    async fn ask(&self, http: &ContainerHttp) -> Result<HttpResponse, HttpError> {
        let request = http.request(&self.wait.method, &self.wait.path).within(ATTEMPT_DEADLINE);
        let add = |request: crate::http::HttpRequest, (name, value): &(String, String)| {
            request.header(name, value)
        };
        self.wait.headers.iter().fold(request, add).await
    }
}

/// Asks until the answer is right. What no repetition can heal ends it.
pub(crate) async fn watch(
    handle: &ContainerHandle,
    check: &HttpCheck,
    note: &Note,
) -> Result<(), String> {
    let mut backoff = Backoff::new();
    loop {
        // A new client each time: no connection that a service on its way up has left half
        // open, and no cookie from one that failed.
        let http = match check.wait.port {
            Some(port) => handle.http_on(port),
            None => handle.http(),
        };
        match check.ask(&http).await {
            Ok(response) => match check.complaint(&response) {
                None => return Ok(()),
                Some(complaint) => note.saw(complaint),
            },
            Err(error) if error.is_final() => return Err(error.in_full()),
            Err(error) => note.saw(error.in_full()),
        }
        backoff.pause().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(wait: HttpWait, status: u16) -> Option<String> {
        let headers = [("content-type", "text/plain")];
        let response = HttpResponse::for_tests(status, &headers, "database: down");
        wait.compile().unwrap().complaint(&response)
    }

    #[test]
    fn an_answer_is_right_or_says_what_is_wrong() {
        let get = || HttpWait::get("/health");
        assert_eq!(complaint(get(), 503), None);
        assert_eq!(complaint(get().status(200).status(500..=599), 503), None);
        let expected = Some("answered with 404: database: down".to_owned());
        assert_eq!(complaint(get().status(200..=299), 404), expected);
        assert_eq!(complaint(get().body("up$"), 404), expected);
        assert_eq!(complaint(get().body("down$"), 404), None);
        let header = |name| get().response_header(name, "^text/html");
        let expected = "answered with 200 and Content-Type: text/plain";
        assert_eq!(complaint(header("Content-Type"), 200).as_deref(), Some(expected));
        let expected = "answered with 200 and no etag";
        assert_eq!(complaint(header("etag"), 200).as_deref(), Some(expected));
    }

    #[test]
    fn a_wait_reads_like_a_sentence() {
        let wait =
            HttpWait::get("/health?deep").port(8000).status(200).status(300..=399).body("up");
        let expected =
            "GET /health?deep on port 8000 is answered with 200 or 300 to 399, body /up/";
        assert_eq!(wait.to_string(), expected);
        assert_eq!(HttpWait::get("/").to_string(), "GET / is answered");
    }
}
