//! Redirects: followed by hand, since each may lead credentials astray.

use reqwest::{Method, StatusCode, Url};

/// How many redirects are followed for one request.
pub(super) const LIMIT: usize = 10;

/// A redirect that is not followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RedirectError {
    /// It names no target.
    #[error("the redirect names no target that is a URL")]
    NoTarget,
    /// What is encrypted stays encrypted.
    #[error("the redirect leads from https to {scheme} at {host}")]
    Downgrade {
        /// The scheme it leads to.
        scheme: String,
        /// The host it leads to.
        host: String,
    },
    /// A write is sent again only where it was meant to go, and as what it was.
    #[error("the redirect would send a write to {host}")]
    Write {
        /// The host it leads to.
        host: String,
    },
    /// They may be a loop.
    #[error("there are more than {LIMIT} redirects")]
    TooMany,
}

/// Whether an answer with `status` sends the client elsewhere.
pub(super) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Where the redirect that answered `method` at `from` leads.
pub(super) fn target(
    method: &Method,
    from: &Url,
    status: StatusCode,
    location: Option<&str>,
) -> Result<Url, RedirectError> {
    let location = location.ok_or(RedirectError::NoTarget)?;
    let mut to = from.join(location).map_err(|_| RedirectError::NoTarget)?;
    let host = to.host_str().ok_or(RedirectError::NoTarget)?.to_owned();
    let allowed = match from.scheme() {
        "http" => matches!(to.scheme(), "http" | "https"),
        _ => to.scheme() == "https",
    };
    if !allowed {
        return Err(RedirectError::Downgrade { scheme: to.scheme().to_owned(), host });
    }
    let is_read = [Method::GET, Method::HEAD].contains(method);
    let is_repeatable = matches!(status.as_u16(), 307 | 308) && is_same_host(from, &to);
    if !is_read && !is_repeatable {
        return Err(RedirectError::Write { host });
    }
    // A user and password in the target would be sent as an Authorization that nobody asked for.
    let _ = to.set_username("");
    let _ = to.set_password(None);
    Ok(to)
}

/// Whether what may be shown at `a` may be shown at `b`: one host and port, or the step from
/// http to https on their usual ports.
pub(super) fn is_same_host(a: &Url, b: &Url) -> bool {
    let same_port = a.port_or_known_default() == b.port_or_known_default();
    let both_usual = a.port().is_none() && b.port().is_none();
    let no_downgrade = a.scheme() == b.scheme() || b.scheme() == "https";
    a.host() == b.host() && (same_port || both_usual) && no_downgrade
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(method: &Method, code: u16, from: &str, to: &str) -> Result<String, RedirectError> {
        let from: Url = from.parse().expect("a URL");
        let status = StatusCode::from_u16(code).expect("a status");
        target(method, &from, status, Some(to)).map(Into::into)
    }

    #[test]
    fn edge_30_reads_follow_anywhere_but_down_to_http() {
        for code in [301, 302, 303, 307, 308] {
            for method in [Method::GET, Method::HEAD] {
                let found = follow(&method, code, "https://reg/v2/a", "https://u:p@s3/x?sig=1");
                assert_eq!(found.as_deref(), Ok("https://s3/x?sig=1"));
                let down = follow(&method, code, "https://reg/v2/a", "http://reg/v2/a");
                assert!(matches!(down, Err(RedirectError::Downgrade { .. })));
            }
        }
        let relative = follow(&Method::GET, 307, "http://reg:5000/v2/a", "../b");
        assert_eq!(relative.as_deref(), Ok("http://reg:5000/b"));
        let file = follow(&Method::GET, 307, "http://reg:5000/v2/a", "file:///etc/passwd");
        assert!(file.is_err());
    }

    #[test]
    fn edge_30_a_write_is_sent_again_only_to_the_same_host() {
        let from = "https://reg/v2/a";
        for code in [307, 308] {
            assert!(follow(&Method::PUT, code, from, "/v2/b").is_ok());
            assert!(follow(&Method::PUT, code, from, "https://other/v2/b").is_err());
        }
        for code in [301, 302, 303] {
            assert!(follow(&Method::PUT, code, from, "/v2/b").is_err());
        }
    }

    #[test]
    fn edge_30_the_same_host_has_the_same_port() {
        let same = |a: &str, b: &str| is_same_host(&a.parse().unwrap(), &b.parse().unwrap());
        assert!(same("https://reg/a", "https://reg:443/b"));
        assert!(same("http://reg/a", "https://reg/b"));
        assert!(!same("https://reg/a", "http://reg/b"));
        assert!(!same("https://reg/a", "https://reg:444/b"));
        assert!(!same("https://reg/a", "https://reg.evil/b"));
        assert!(!same("http://reg:80/a", "http://reg:81/b"));
    }
}
