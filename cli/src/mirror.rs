//! Mirrors: what `--mirror` names.

use std::str::FromStr;

use plimsoll_registry::{Host, HostError, Repository, RepositoryError};

/// `ORIGIN=[http://]HOST[:PORT][/PREFIX]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mirror {
    /// The registry whose content it has.
    pub(crate) origin: Host,
    pub(crate) host: Host,
    /// Below which path; empty for none.
    pub(crate) prefix: String,
    /// Whether it is spoken to in http.
    pub(crate) plain_http: bool,
}

/// A text that names no mirror.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MirrorError {
    #[error("{0:?} has no '=': write REGISTRY=MIRROR, as in docker.io=mirror.example/dockerhub")]
    NoOrigin(String),
    #[error("{0} cannot be its own mirror")]
    Itself(Host),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Prefix(#[from] RepositoryError),
}

impl FromStr for Mirror {
    type Err = MirrorError;

    fn from_str(text: &str) -> Result<Self, MirrorError> {
        let no_origin = || MirrorError::NoOrigin(text.to_owned());
        let (origin, mirror) = text.split_once('=').ok_or_else(no_origin)?;
        let (plain_http, mirror) = match mirror.strip_prefix("http://") {
            Some(rest) => (true, rest),
            None => (false, mirror.strip_prefix("https://").unwrap_or(mirror)),
        };
        let (host, prefix) = mirror.split_once('/').unwrap_or((mirror, ""));
        let (origin, host): (Host, Host) = (origin.parse()?, host.parse()?);
        let prefix = prefix.trim_end_matches('/').to_owned();
        if !prefix.is_empty() {
            // With a host before it, so that its first part is none.
            format!("localhost/{prefix}").parse::<Repository>()?;
        }
        match origin == host && prefix.is_empty() {
            true => Err(MirrorError::Itself(origin)),
            false => Ok(Self { origin, host, prefix, plain_http }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirror(text: &str) -> Option<(String, String, String, bool)> {
        let mirror: Mirror = text.parse().ok()?;
        let Mirror { origin, host, prefix, plain_http } = mirror;
        Some((origin.to_string(), host.to_string(), prefix, plain_http))
    }

    #[test]
    fn a_mirror_is_a_host_and_a_path_in_it() {
        for (text, host, prefix, plain) in [
            ("docker.io=mirror.example/dockerhub", "mirror.example", "dockerhub", false),
            ("index.docker.io=https://m:5000/a/b/", "m:5000", "a/b", false),
            ("docker.io=http://[::1]:5000", "[::1]:5000", "", true),
        ] {
            let expected = ("docker.io", host, prefix, plain);
            let (origin, host, prefix, plain) = mirror(text).expect(text);
            assert_eq!((origin.as_str(), host.as_str(), prefix.as_str(), plain), expected);
        }
    }

    #[test]
    fn what_names_no_mirror_is_refused() {
        for text in ["", "mirror", "=m", "a=", "a=m/UP", "a=m/x:1", "a=ftp://m", "a=a", "a b=m"] {
            assert_eq!(mirror(text), None, "{text}");
        }
    }
}
