//! Refusals: an answer that is not the one hoped for, as an error.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::StatusCode;
use serde::Deserialize;

use super::request::{Answer, Request};
use super::text::{printable, redacted};
use crate::store::{Blame, StoreError};

/// What a registry says is wrong: the `errors` of the distribution specification.
#[derive(Debug, Default)]
pub(super) struct Refusal {
    /// The first code, such as `NAME_UNKNOWN`; empty when the body is not in that form.
    pub(super) code: String,
    /// Everything there is to read, in one line.
    pub(super) text: String,
    /// Whether the body is in the form of the specification.
    pub(super) is_standard: bool,
}

/// The error for an answer that ends the matter.
pub(super) fn error(request: &Request, answer: &Answer) -> StoreError {
    let blame = match answer.status.as_u16() {
        401 | 403 | 407 => Blame::Denied,
        404 if is_denial(request, answer) => Blame::Denied,
        404 | 410 => Blame::NotFound,
        409 | 412 => Blame::Conflict,
        405 | 501 => Blame::Unsupported,
        _ => Blame::Registry,
    };
    let error = StoreError::new(blame, message(request, answer));
    match remedy(answer) {
        Some(remedy) => error.with_remedy(remedy),
        None => error,
    }
}

/// Whether a refusal is about rights, whatever its status: some registries hide what they deny
/// behind a 404, and say so all the same.
pub(super) fn is_denial(request: &Request, answer: &Answer) -> bool {
    let code = read(request, answer).code;
    matches!(answer.status.as_u16(), 401 | 403)
        || matches!(code.as_str(), "DENIED" | "UNAUTHORIZED")
}

/// The error for an answer that is not what a registry's API answers.
pub(super) fn not_an_api(request: &Request, answer: &Answer, problem: &str) -> StoreError {
    let status = answer.status.as_u16();
    let start = start(request, answer);
    StoreError::new(Blame::Registry, format!("{start}: {status}: {problem}"))
        .with_remedy("check the host: a proxy, a login page or a web server may be in its place")
}

/// "answered with text/html, which is not a registry API"
pub(super) fn html_problem(answer: &Answer) -> String {
    let kind = match printable(answer.content_type()) {
        empty if empty.is_empty() => "no media type".to_owned(),
        kind => kind.split(';').next().unwrap_or_default().to_owned(),
    };
    format!("answered with {kind}, which is not a registry API")
}

/// What `answer` says is wrong.
pub(super) fn read(request: &Request, answer: &Answer) -> Refusal {
    let mut refusal = read_body(&answer.body);
    if answer.is_html() {
        refusal = Refusal { text: html_problem(answer), ..Refusal::default() };
    }
    refusal.text = printable(&scrub(&refusal.text, request, answer));
    refusal.code = printable(&scrub(&refusal.code, request, answer));
    refusal
}

fn message(request: &Request, answer: &Answer) -> String {
    let refusal = read(request, answer);
    let status = status_line(answer.status);
    let start = start(request, answer);
    match refusal.text.as_str() {
        "" => format!("{start}: {status}"),
        text => format!("{start}: {status}: {text}"),
    }
}

fn start(request: &Request, answer: &Answer) -> String {
    format!("{}: {} {}", request.purpose, request.method, redacted(&answer.url))
}

fn status_line(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

fn remedy(answer: &Answer) -> Option<String> {
    let status = answer.status.as_u16();
    let wait = answer.header("retry-after").map(printable);
    let wait = wait.filter(|wait| wait.bytes().all(|b| b.is_ascii_digit()) && !wait.is_empty());
    match (status, wait) {
        (429, Some(seconds)) => {
            Some(format!("wait {seconds} seconds, or log in for a higher limit"))
        }
        (429, None) => Some("wait, or log in for a higher limit".to_owned()),
        (503, Some(seconds)) => Some(format!("the registry asks to wait {seconds} seconds")),
        (407, _) => Some("the proxy wants credentials: put them into HTTPS_PROXY".to_owned()),
        (400, _) if answer.url.scheme() == "http" && body_speaks_of_https(answer) => {
            Some("this port speaks https: name the registry's authority by --ca-file".to_owned())
        }
        // The answer to a HEAD does not say.
        (400, _) if answer.url.scheme() == "http" && answer.body.is_empty() => {
            let remedy = "if this port speaks https, name the registry's authority by --ca-file";
            Some(remedy.to_owned())
        }
        _ => None,
    }
}

/// Go's and nginx's answer to http on their https port.
fn body_speaks_of_https(answer: &Answer) -> bool {
    let body = String::from_utf8_lossy(&answer.body);
    body.contains("HTTPS server") || body.contains("HTTPS port")
}

fn read_body(body: &[u8]) -> Refusal {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Body {
        errors: Option<Vec<Item>>,
        message: serde_json::Value,
        details: serde_json::Value,
        error: serde_json::Value,
        error_description: serde_json::Value,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Item {
        code: serde_json::Value,
        message: serde_json::Value,
    }
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let Ok(body) = serde_json::from_slice::<Body>(body) else {
        let text = String::from_utf8_lossy(body).into_owned();
        return Refusal { text, ..Refusal::default() };
    };
    let Some(items) = body.errors else {
        // What issuers of tokens answer (RFC 6749, section 5.2), and Docker Hub's.
        let parts = [&body.error, &body.error_description, &body.message, &body.details];
        return Refusal { text: join(parts.map(text)), ..Refusal::default() };
    };
    let code = items.first().map(|item| text(&item.code)).unwrap_or_default();
    let all = items.iter().take(3).map(|item| join([text(&item.code), text(&item.message)]));
    let text = all.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
    Refusal { code, text, is_standard: true }
}

fn join<const N: usize>(parts: [String; N]) -> String {
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(": ")
}

/// `text` without the secrets of the request that it answers.
fn scrub(text: &str, request: &Request, answer: &Answer) -> String {
    let mut secrets = Vec::new();
    if let Some(shown) = answer.shown.as_ref().and_then(|value| value.to_str().ok()) {
        let (_, credentials) = shown.split_once(' ').unwrap_or(("", shown));
        secrets.push(credentials.to_owned());
        if let Ok(Ok(pair)) = STANDARD.decode(credentials).map(String::from_utf8)
            && let Some((_, password)) = pair.split_once(':')
        {
            secrets.push(password.to_owned());
        }
    }
    secrets.extend(request.secret.iter().map(|secret| secret.expose().to_owned()));
    secrets.retain(|secret| !secret.is_empty());
    secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "<redacted>"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use reqwest::Method;
    use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

    use super::*;

    fn request() -> Request {
        let url = "https://reg/v2/a/tags/list?n=5".parse().expect("a URL");
        Request::new(Method::GET, url, "list tags of reg/a")
    }

    fn answer(status: u16, kind: &'static str, body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).expect("a status"),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]),
            url: "https://me:pw@reg/v2/a/tags/list?n=5&token=t".parse().expect("a URL"),
            body: Bytes::copy_from_slice(body.as_bytes()),
            shown: None,
        }
    }

    #[test]
    fn a_refusal_names_purpose_method_url_status_code_and_message() {
        let body = r#"{"errors":[{"code":"DENIED","message":"no","detail":{"x":1}}]}"#;
        let error = error(&request(), &answer(403, "application/json", body));
        let expected = "list tags of reg/a: GET https://reg/v2/a/tags/list?n=5&token=redacted: \
                        403 Forbidden: DENIED: no";
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.blame(), Blame::Denied);
    }

    #[test]
    fn other_forms_of_refusal_are_read_too() {
        for (body, expected) in [
            (r#"{"details":"wrong password"}"#, "wrong password"),
            (r#"{"error":"invalid_grant","error_description":"old"}"#, "invalid_grant: old"),
            (r#"{"errors":[]}"#, ""),
            (r#"{"errors":[{"code":7}]}"#, ""),
            ("plain", "plain"),
            ("7", "7"),
            ("", ""),
        ] {
            assert_eq!(read(&request(), &answer(400, "text/plain", body)).text, expected);
        }
        let html = read(&request(), &answer(404, "text/html; charset=x", "<html>"));
        assert_eq!(html.text, "answered with text/html, which is not a registry API");
    }

    #[test]
    fn edge_39_what_a_server_repeats_of_our_secrets_is_removed() {
        let basic = format!("Basic {}", STANDARD.encode("me:hunter2"));
        for (shown, body) in [
            ("Bearer tok3n", "bad token tok3n"),
            (basic.as_str(), "bad password hunter2"),
            (basic.as_str(), basic.as_str()),
        ] {
            let mut answer = answer(401, "text/plain", body);
            answer.shown = HeaderValue::from_str(shown).ok();
            let text = error(&request(), &answer).to_string();
            assert!(text.contains("<redacted>"), "{text}");
            for secret in ["tok3n", "hunter2", &basic[6..]] {
                assert!(!text.contains(secret), "{text}");
            }
        }
    }

    #[test]
    fn edge_39_terminal_sequences_do_not_pass() {
        let text = error(&request(), &answer(500, "text/plain", "a\x1b[2Jb\n::stop::")).to_string();
        assert!(text.ends_with("a [2Jb : :stop: :"), "{text}");
    }

    #[test]
    fn http_on_an_https_port_has_a_remedy() {
        let mut wrong =
            answer(400, "text/plain", "Client sent an HTTP request to an HTTPS server.\n");
        wrong.url = "http://localhost:5000/v2/".parse().expect("a URL");
        assert!(error(&request(), &wrong).remedy().is_some_and(|text| text.contains("https")));
        wrong.body = Bytes::new();
        assert!(error(&request(), &wrong).remedy().is_some_and(|text| text.contains("https")));
    }
}
