//! One request, read: method, endpoint, parameters, body.

use axum::http::{HeaderMap, Method, Uri};
use bytes::Bytes;

use crate::repository::Repository;

/// A request with its body.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) endpoint: Endpoint,
    pub(super) query: Form,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// What a path names; repositories are without host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Base,
    Token,
    Manifest { repository: String, reference: String },
    Tags { repository: String },
    Blob { repository: String, digest: String },
    Uploads { repository: String },
    Upload { repository: String, id: String },
    Referrers { repository: String, digest: String },
    BadName(String),
    Unknown,
}

/// Makes an endpoint of a repository and the path's last part.
type Named = fn(String, String) -> Endpoint;

/// Decoded `name=value&...`, of a query or a form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Form(Vec<(String, String)>);

impl Call {
    pub(super) fn new(method: Method, uri: &Uri, headers: HeaderMap, body: Bytes) -> Self {
        let endpoint = Endpoint::of(uri.path());
        let query = Form::parse(uri.query().unwrap_or_default());
        Self { method, endpoint, query, headers, body }
    }

    /// The same call, with a line end behind its body.
    pub(super) fn with_line_end(&self) -> Self {
        let body = [&self.body[..], b"\n"].concat().into();
        let Self { method, endpoint, query, headers, body: _ } = self;
        let (method, endpoint) = (method.clone(), endpoint.clone());
        Self { method, endpoint, query: query.clone(), headers: headers.clone(), body }
    }

    /// Whether there is a header of that name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }

    /// The header of that name, when there is one and it is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Endpoint {
    /// Repository names have slashes, so the end of the path decides.
    fn of(path: &str) -> Self {
        if path == "/token" {
            return Self::Token;
        }
        let Some(rest) = path.strip_prefix("/v2") else { return Self::Unknown };
        let parts: Vec<String> = rest.split('/').skip(1).map(decode).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let (name, endpoint): (&[&str], Named) = match parts.as_slice() {
            [] | [""] => return Self::Base,
            [name @ .., "tags", "list"] => (name, |repository, _| Self::Tags { repository }),
            [name @ .., "blobs", "uploads", ""] | [name @ .., "blobs", "uploads"] => {
                (name, |repository, _| Self::Uploads { repository })
            }
            [name @ .., "blobs", "uploads", _] => {
                (name, |repository, id| Self::Upload { repository, id })
            }
            [name @ .., "blobs", _] => {
                (name, |repository, digest| Self::Blob { repository, digest })
            }
            [name @ .., "manifests", _] => {
                (name, |repository, reference| Self::Manifest { repository, reference })
            }
            [name @ .., "referrers", _] => {
                (name, |repository, digest| Self::Referrers { repository, digest })
            }
            _ => return Self::Unknown,
        };
        let (name, last) = (name.join("/"), parts.last().copied().unwrap_or_default());
        // The host only makes it a full name: Docker Hub's would gain a `library/`.
        match format!("localhost/{name}").parse::<Repository>() {
            Ok(_) => endpoint(name, last.to_owned()),
            Err(_) => Self::BadName(name),
        }
    }

    /// The repository it is about.
    pub(super) fn repository(&self) -> Option<&str> {
        match self {
            Self::Base | Self::Token | Self::BadName(_) | Self::Unknown => None,
            Self::Manifest { repository, .. }
            | Self::Tags { repository }
            | Self::Blob { repository, .. }
            | Self::Uploads { repository }
            | Self::Upload { repository, .. }
            | Self::Referrers { repository, .. } => Some(repository),
        }
    }
}

impl Form {
    pub(super) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let decoded = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(&name.replace('+', " ")), decode(&value.replace('+', " ")))
        });
        Self(decoded.collect())
    }

    /// The first value of that name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Every value of that name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.0.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// Percent-decoding; a `%` without two digits stands for itself.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        // Only digits: the conversion below would take a sign.
        let digits = bytes.get(at + 1..at + 3).filter(|two| two.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let value = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match value {
            Some(value) if byte == b'%' => {
                decoded.push(value);
                at += 3;
            }
            _ => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> String {
        "acme/web".to_owned()
    }

    #[test]
    fn the_end_of_the_path_names_the_endpoint() {
        let upload = Endpoint::Upload { repository: name(), id: "17".to_owned() };
        let manifest = Endpoint::Manifest { repository: name(), reference: "1.2".to_owned() };
        let blob = Endpoint::Blob { repository: name(), digest: "sha256:ab".to_owned() };
        for (path, endpoint) in [
            ("/v2/", Endpoint::Base),
            ("/v2", Endpoint::Base),
            ("/token", Endpoint::Token),
            ("/v2/acme/web/tags/list", Endpoint::Tags { repository: name() }),
            ("/v2/acme/web/manifests/1.2", manifest),
            ("/v2/acme/web/blobs/sha256%3Aab", blob),
            ("/v2/acme/web/blobs/uploads/", Endpoint::Uploads { repository: name() }),
            ("/v2/acme/web/blobs/uploads/17", upload),
            ("/v2/Acme/tags/list", Endpoint::BadName("Acme".to_owned())),
            ("/v2/tags/list", Endpoint::BadName(String::new())),
            ("/v2/acme/web", Endpoint::Unknown),
            ("/v3/", Endpoint::Unknown),
        ] {
            assert_eq!(Endpoint::of(path), endpoint, "{path}");
        }
    }

    #[test]
    fn forms_are_decoded_and_names_may_repeat() {
        let form = Form::parse("scope=a%3Ab+c&scope=d&empty=&last=100%25%");
        assert_eq!(form.all("scope").collect::<Vec<_>>(), ["a:b c", "d"]);
        assert_eq!(form.get("empty"), Some(""));
        assert_eq!(form.get("last"), Some("100%%"));
        assert_eq!(form.get("none"), None);
    }
}
