//! Paths of requests.

use super::HttpError;

/// The path as it goes into the URL. An absolute one replaces the base, a relative one follows
/// it. Double and trailing slashes are the service's affair, and kept.
pub(crate) fn absolute(base: &str, path: &str) -> Result<String, HttpError> {
    if path.contains('#') {
        // A fragment never reaches a server.
        return Err(HttpError::Fragment { path: path.to_owned() });
    }
    let base = base.trim_start_matches('/');
    Ok(match path {
        "" => format!("/{base}"),
        path if path.starts_with('/') => path.to_owned(),
        path if path.starts_with('?') || base.is_empty() || base.ends_with('/') => {
            format!("/{base}{path}")
        }
        path => format!("/{base}/{path}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_follow_the_base_and_absolute_ones_replace_it() {
        for (base, path, expected) in [
            ("/", "", "/"),
            ("/", "/", "/"),
            ("/", "a/b/", "/a/b/"),
            ("/", "/a//b/", "/a//b/"),
            ("/", "?x=1", "/?x=1"),
            ("/api/", "users?page=2", "/api/users?page=2"),
            ("/api", "users", "/api/users"),
            ("api", "users", "/api/users"),
            ("/api", "/users", "/users"),
            ("/api", "", "/api"),
            ("/api", "?x", "/api?x"),
        ] {
            assert_eq!(absolute(base, path).unwrap(), expected, "{base} {path}");
        }
    }

    #[test]
    fn a_fragment_is_refused() {
        let error = absolute("/", "/a#b").unwrap_err().to_string();
        assert!(error.starts_with("request `/a#b`: "), "{error}");
    }
}
