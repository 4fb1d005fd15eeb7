//! What has to hold of what a server sends, whatever that is.

use std::time::{Duration, SystemTime};

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, StatusCode, Url};

use super::challenge::{self as challenges, Challenge};
use super::link as links;
use super::location as locations;
use super::quota::Quota;
use super::redirect;
use super::refusal as refusals;
use super::request::{Answer, Request};
use super::retry::{retry_after, wait_in};
use super::tags;
use super::text::{printable, redacted};
use super::token as tokens;
use super::transport::warning_text;
use super::{download, upload};
use crate::digest::Digest;
use crate::fuzzing::{check_message, head};
use crate::secret::Secret;
use crate::tag::Tag;

/// A password that no server may make anybody print.
const PASSWORD: &str = "hunter2-hunter2";

fn page() -> Url {
    "https://reg:5000/v2/a/tags/list?n=1000".parse().expect("a URL")
}

/// `WWW-Authenticate`, one field a line: what is read takes no more room than it had, is read
/// again as it is written by the grammar, and leads to no issuer in the clear.
pub fn challenge(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let found = challenges::parse(text.lines());
    let mut length = 0;
    for challenge in &found {
        let written = written(challenge);
        let again = challenges::parse([written.as_str()]);
        assert_eq!(again, std::slice::from_ref(challenge), "{written:?}");
        if let Challenge::Bearer(bearer) = challenge {
            let texts = [Some(&bearer.realm), bearer.service.as_ref(), bearer.scope.as_ref()];
            length += texts.into_iter().flatten().map(String::len).sum::<usize>();
            match tokens::issuer(bearer, |_| false) {
                Ok(issuer) => {
                    assert_eq!(issuer.scheme(), "https");
                    assert!(issuer.username().is_empty() && issuer.password().is_none());
                    let scope = bearer.scope.as_deref().unwrap_or_default();
                    let request = tokens::get("get a token", issuer.clone(), bearer, scope);
                    assert_eq!(request.url.host(), issuer.host());
                }
                Err(error) => check_message(&error),
            }
        }
    }
    assert!(length <= text.len());
    let count = found.len();
    assert!(challenges::choose(found).is_some() == (count > 0));
}

/// A challenge as RFC 9110 writes it.
fn written(challenge: &Challenge) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    match challenge {
        Challenge::Basic => "Basic".to_owned(),
        Challenge::Other(scheme) => scheme.clone(),
        Challenge::Bearer(bearer) => {
            let mut field = format!("Bearer realm={}", quoted(&bearer.realm));
            let others = [("service", &bearer.service), ("scope", &bearer.scope)];
            for (name, value) in others {
                if let Some(value) = value {
                    field.push_str(&format!(", {name}={}", quoted(value)));
                }
            }
            field
        }
    }
}

/// `Link`, one field a line: it leads to no other host, and is read again as it is written.
pub fn link(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Some(target) = links::next(text.lines()) else { return };
    assert!(target.len() <= text.len());
    let again = format!("<{target}>; title=\"<a>; rel=prev\"; rel=\"last next\"");
    assert_eq!(links::next([again.as_str()]).as_ref(), Some(&target));
    match links::resolve(&page(), &target) {
        Ok(next) => {
            assert_eq!(next.origin(), page().origin());
            assert!(next.username().is_empty() && next.password().is_none());
        }
        Err(error) => check_message(&error),
    }
}

/// `Location`, of an upload and of a redirect: neither leaves https, and neither brings a
/// password.
pub fn location(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let is_safe = |url: &Url| {
        url.scheme() == "https" && url.username().is_empty() && url.password().is_none()
    };
    match locations::resolve(&page(), Some(text)) {
        Ok(to) => {
            assert!(is_safe(&to), "{to}");
            let digest = Digest::sha256(data);
            let end = locations::with_digest(&to, &digest);
            let last = end.query_pairs().last().map(|(_, value)| value.into_owned());
            assert_eq!(last.as_deref(), Some(digest.as_str()));
            assert!(end.query().unwrap_or_default().starts_with(to.query().unwrap_or_default()));
            assert_eq!(end.path(), to.path());
        }
        Err(error) => check_message(&error),
    }
    for method in [Method::GET, Method::PUT] {
        let found = redirect::target(&method, &page(), StatusCode::TEMPORARY_REDIRECT, Some(text));
        match found {
            Ok(to) => {
                assert!(is_safe(&to), "{to}");
                assert!(method == Method::GET || redirect::is_same_host(&page(), &to));
            }
            Err(error) => check_message(&error),
        }
    }
}

/// Any text as the value of each header that is a number, a time or a text for people.
pub fn header(data: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(data) else { return };
    let of =
        |name: &'static str| HeaderMap::from_iter([(HeaderName::from_static(name), value.clone())]);
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 30);
    let asked = retry_after(&of(RETRY_AFTER.as_str()), now);
    let quota = Quota::default();
    quota.note(&of("ratelimit-remaining"));
    let least = upload::least_chunk(&of("oci-chunk-min-length"));
    let Ok(text) = value.to_str() else { return };
    // It comes to an end with whatever is said.
    let _ = wait_in(&format!("retry-after: {text}"));
    let number = text.trim().parse::<u64>();
    if let Ok(seconds) = number {
        assert_eq!(asked, Some(Duration::from_secs(seconds)));
        assert_eq!(quota.is_spent(), seconds == 0);
    }
    assert_eq!(least, number.unwrap_or(0));
    if let Some((first, size)) = download::content_range(text) {
        let written = size.map_or_else(|| "*".to_owned(), |size| size.to_string());
        let again = format!("bytes {first}-{first}/{written}");
        assert_eq!(download::content_range(&again), Some((first, size)));
    }
    let received = upload::received(Some(text));
    assert!(received == 0 || text.bytes().any(|byte| byte.is_ascii_digit()));
    if let Some(warning) = warning_text(text) {
        check_line(&warning);
    }
}

/// A page of tags: what is asked for next is the last of them, as it is.
pub fn tag_list(data: &[u8]) {
    let Ok(Some(names)) = tags::names(data) else { return };
    assert!(names.iter().map(String::len).sum::<usize>() <= data.len());
    for name in &names {
        match name.parse::<Tag>() {
            Ok(tag) => assert_eq!(tag.as_str(), name),
            Err(error) => check_message(&error),
        }
    }
    if let Some(last) = names.last() {
        let next = tags::after(&page(), last);
        assert!(tags::is_guess(&next, &page()));
        assert_eq!(next.query_pairs().last().expect("a pair").1, last.as_str());
    }
}

/// A status and a media type in the first line, the body of a refusal in the rest: its error is
/// one short line without the password that was shown.
pub fn refusal(data: &[u8]) {
    let (first, body) = head(data);
    let (status, kind) = first.split_once(' ').unwrap_or((&first, ""));
    let Ok(status) = status.parse::<u16>() else { return };
    let Ok(status) = StatusCode::from_u16(status) else { return };
    let Ok(kind) = HeaderValue::from_str(kind) else { return };
    let mut request = Request::new(Method::GET, page(), "list tags of reg/a");
    request.secret = Some(Secret::new(PASSWORD));
    let answer = Answer {
        status,
        headers: HeaderMap::from_iter([(CONTENT_TYPE, kind.clone()), (RETRY_AFTER, kind)]),
        url: page(),
        body: bytes::Bytes::copy_from_slice(body),
        shown: None,
    };
    let error = refusals::error(&request, &answer);
    check_message(&error);
    let refusal = refusals::read(&request, &answer);
    check_line(&refusal.text);
    check_line(&refusal.code);
    for text in [error.to_string(), error.remedy().unwrap_or_default().to_owned(), refusal.code] {
        assert!(!text.contains(PASSWORD), "{text}");
    }
}

/// An issuer's answer: the token is there, lives, and is not printed.
pub fn token(data: &[u8]) {
    let Some(token) = tokens::read(data) else { return };
    assert!(!token.secret.is_empty() && token.secret.expose().len() <= data.len());
    assert!(token.use_for > Duration::ZERO && token.use_for <= Duration::from_secs(31_536_000));
    assert_eq!(format!("{:?}", token.secret), "<redacted>");
    if let Some(value) = tokens::bearer(&token.secret) {
        assert!(value.is_sensitive());
    }
}

/// Any text, and any URL, as it is shown to people.
pub fn text(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    check_line(&printable(&text));
    let Ok(url) = text.parse::<Url>() else { return };
    let shown = redacted(&url);
    let again: Url = shown.parse().expect("it is still a URL");
    assert!(again.username().is_empty() && again.password().is_none());
    assert_eq!(again.fragment(), None);
    let is_kept = |pair: &str| url.query().is_some_and(|query| query.split('&').any(|p| p == pair));
    for pair in again.query().into_iter().flat_map(|query| query.split('&')) {
        assert!(pair.ends_with("=redacted") || is_kept(pair), "{shown}");
    }
}

/// One line that no terminal and no CI runner obeys.
fn check_line(line: &str) {
    assert!(!line.chars().any(char::is_control), "{line:?}");
    assert!(!line.contains("::") && !line.contains("##["), "{line:?}");
    assert!(line.chars().count() <= 301, "{} characters", line.chars().count());
}
