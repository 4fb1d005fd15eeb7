//! Locations: where an upload goes on.

use reqwest::Url;

use crate::digest::Digest;

/// A `Location` that an upload cannot go on at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum LocationError {
    /// There is none, or it is no URL of a server.
    #[error("the registry names no place to upload to")]
    None,
    /// What is encrypted stays encrypted.
    #[error("the upload would go on unencrypted, at {0}")]
    Downgrade(String),
}

/// Where `location`, in the answer to a request at `from`, leads.
///
/// A registry behind a proxy may write its own name with the scheme that it sees itself; then
/// the last request's is kept. Another host is legal: some registries leave uploads to it.
pub(super) fn resolve(from: &Url, location: Option<&str>) -> Result<Url, LocationError> {
    let location = location.ok_or(LocationError::None)?;
    let mut to = from.join(location).map_err(|_| LocationError::None)?;
    let host = to.host_str().ok_or(LocationError::None)?.to_owned();
    if !matches!(to.scheme(), "http" | "https") {
        return Err(LocationError::None);
    }
    if from.scheme() == "https" && to.scheme() == "http" {
        if to.host() != from.host() {
            return Err(LocationError::Downgrade(host));
        }
        let mut same = from.clone();
        same.set_path(to.path());
        same.set_query(to.query());
        to = same;
    }
    // A user and password in it would be sent as an Authorization that nobody asked for.
    let _ = to.set_username("");
    let _ = to.set_password(None);
    to.set_fragment(None);
    Ok(to)
}

/// `location` with the digest that ends the upload. The query that is there is the registry's
/// and goes back as it is.
pub(super) fn with_digest(location: &Url, digest: &Digest) -> Url {
    let mut url = location.clone();
    let query = match location.query() {
        Some(query) if !query.is_empty() => format!("{query}&digest={digest}"),
        _ => format!("digest={digest}"),
    };
    url.set_query(Some(&query));
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(location: &str) -> Result<String, LocationError> {
        let from = "https://reg:5000/v2/a/blobs/uploads/".parse().expect("a URL");
        resolve(&from, Some(location)).map(Into::into)
    }

    #[test]
    fn edge_31_a_location_is_relative_or_absolute() {
        for (location, expected) in [
            ("/v2/a/blobs/uploads/7?_state=x", "https://reg:5000/v2/a/blobs/uploads/7?_state=x"),
            ("7", "https://reg:5000/v2/a/blobs/uploads/7"),
            ("https://reg:5000/up", "https://reg:5000/up"),
            ("http://reg/up?s=1", "https://reg:5000/up?s=1"),
            ("https://u:p@storage/up#f", "https://storage/up"),
        ] {
            assert_eq!(at(location).as_deref(), Ok(expected));
        }
        assert!(matches!(at("http://storage/up"), Err(LocationError::Downgrade(_))));
        assert_eq!(at("ftp://reg/up"), Err(LocationError::None));
        assert_eq!(at("https://"), Err(LocationError::None));
    }

    #[test]
    fn edge_31_the_digest_is_added_to_the_query_as_it_is() {
        let digest = Digest::sha256(b"");
        for (location, expected) in [
            ("https://r/u", format!("https://r/u?digest={digest}")),
            ("https://r/u?", format!("https://r/u?digest={digest}")),
            ("https://r/u?_state=a%2Fb=&x", format!("https://r/u?_state=a%2Fb=&x&digest={digest}")),
        ] {
            let location = location.parse().expect("a URL");
            assert_eq!(with_digest(&location, &digest).as_str(), expected);
        }
    }
}
