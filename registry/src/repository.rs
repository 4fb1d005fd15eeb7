//! Repository names.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use crate::host::{Host, HostError};

/// A repository in a registry: `[host[:port]/]path`.
///
/// It displays as it was written (`nginx`), and compares by what it means
/// (`docker.io/library/nginx`).
///
/// ```
/// # use plimsoll_registry::Repository;
/// let nginx: Repository = "nginx".parse()?;
/// assert_eq!(nginx.to_string(), "nginx");
/// assert_eq!(nginx.path(), "library/nginx");
/// assert_eq!(nginx, "docker.io/library/nginx".parse()?);
/// # Ok::<(), plimsoll_registry::RepositoryError>(())
/// ```
#[derive(Clone)]
pub struct Repository {
    host: Host,
    path: String,
    written: String,
}

/// Why a text is no repository name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RepositoryError {
    /// Its host part is wrong.
    #[error(transparent)]
    Host(#[from] HostError),
    /// There is no name, or nothing between two slashes, or one at an edge.
    #[error("repository name {0:?} has an empty part; write [host[:port]/]name[/name...]")]
    EmptyPart(String),
    /// Upper-case letters outside the host.
    #[error("repository name {name:?} must be lower-case: {suggestion:?}")]
    UpperCase {
        /// The name as given.
        name: String,
        /// The same in lower case.
        suggestion: String,
    },
    /// A part that the grammar does not allow.
    #[error(
        "part {part:?} of repository name {name:?} is not allowed: lower-case letters and digits, \
         joined by '.', '_', '__' or dashes"
    )]
    Part {
        /// The name as given.
        name: String,
        /// The offending part.
        part: String,
    },
    /// More than 255 characters.
    #[error("repository name {start:?}… has {length} characters; the limit is 255")]
    TooLong {
        /// The first characters of it.
        start: String,
        /// How many there are.
        length: usize,
    },
    /// 64 hexadecimal digits: Docker reads that as an image ID.
    #[error("{0:?} is an image ID of a local engine, not a repository in a registry")]
    ImageId(String),
}

/// The longest a repository path may be, in bytes.
const LIMIT: usize = 255;

impl Repository {
    /// The registry that holds it.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The name within the registry, as it stands in the API's URLs (`library/nginx`).
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl FromStr for Repository {
    type Err = RepositoryError;

    /// One pass over the text: linear, whatever it holds.
    fn from_str(text: &str) -> Result<Self, RepositoryError> {
        if text.contains("://") {
            return Err(HostError::Scheme(text.chars().take(LIMIT).collect()).into());
        }
        if text.len() > 2 * LIMIT {
            return Err(too_long(text));
        }
        let (host, path) = match text.split_once('/') {
            Some((first, rest)) if is_host(first) => (first.parse()?, rest),
            _ => (Host::docker_hub(), text),
        };
        check_path(text, path)?;
        let official = host.is_docker_hub() && !path.contains('/');
        let path = if official { format!("library/{path}") } else { path.to_owned() };
        if path.len() > LIMIT {
            return Err(too_long(&path));
        }
        Ok(Self { host, path, written: text.to_owned() })
    }
}

/// Docker's rule: the first component is a host only if it has a dot or a colon, or is
/// `localhost`; `acme/web` is a repository of Docker Hub.
fn is_host(first: &str) -> bool {
    first.contains(['.', ':', '[']) || first == "localhost"
}

fn too_long(text: &str) -> RepositoryError {
    let start = text.chars().take(24).collect();
    RepositoryError::TooLong { start, length: text.chars().count() }
}

fn check_path(text: &str, path: &str) -> Result<(), RepositoryError> {
    if path.len() == 64 && path.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(RepositoryError::ImageId(text.to_owned()));
    }
    if path.bytes().any(|b| b.is_ascii_uppercase()) {
        let suggestion = text.to_ascii_lowercase();
        return Err(RepositoryError::UpperCase { name: text.to_owned(), suggestion });
    }
    for part in path.split('/') {
        if part.is_empty() {
            return Err(RepositoryError::EmptyPart(text.to_owned()));
        }
        if !is_component(part) {
            let part = part.to_owned();
            return Err(RepositoryError::Part { name: text.to_owned(), part });
        }
    }
    Ok(())
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(part: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let mut bytes = part.bytes().peekable();
    let mut after_separator = true;
    while let Some(byte) = bytes.next() {
        if alphanumeric(byte) {
            after_separator = false;
            continue;
        }
        if after_separator {
            return false;
        }
        match byte {
            b'.' => {}
            b'_' => drop(bytes.next_if_eq(&b'_')),
            b'-' => while bytes.next_if_eq(&b'-').is_some() {},
            _ => return false,
        }
        after_separator = true;
    }
    !after_separator
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)
    }
}

impl PartialEq for Repository {
    fn eq(&self, other: &Self) -> bool {
        (&self.host, &self.path) == (&other.host, &other.path)
    }
}

impl Eq for Repository {}

impl Hash for Repository {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.host, &self.path).hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edge_37_the_first_component_is_a_host_by_docker_s_rule() {
        for (text, host, path) in [
            ("nginx", "docker.io", "library/nginx"),
            ("acme/web", "docker.io", "acme/web"),
            ("docker.io/nginx", "docker.io", "library/nginx"),
            ("index.docker.io/acme/web", "docker.io", "acme/web"),
            ("localhost/web", "localhost", "web"),
            ("ghcr.io/acme/web", "ghcr.io", "acme/web"),
            ("reg:5000/web", "reg:5000", "web"),
            ("[::1]:5000/a/b", "[::1]:5000", "a/b"),
            ("a---b", "docker.io", "library/a---b"),
            ("a.b_c__d-e", "docker.io", "library/a.b_c__d-e"),
        ] {
            let repository: Repository = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!((repository.host().to_string().as_str(), repository.path()), (host, path));
            assert_eq!(repository.to_string(), text);
        }
    }

    #[test]
    fn edge_25_what_is_no_repository_is_refused() {
        for bad in ["", "img/", "/img", "a//b", "a___b", "a..b", "-a", "a-", "a._b", "a b", "té"] {
            assert!(bad.parse::<Repository>().is_err(), "{bad}");
        }
        assert!(matches!("Foo".parse::<Repository>(), Err(RepositoryError::UpperCase { .. })));
        assert!(matches!("Foo/bar".parse::<Repository>(), Err(RepositoryError::UpperCase { .. })));
        assert!(matches!("a".repeat(64).parse::<Repository>(), Err(RepositoryError::ImageId(_))));
        assert!(matches!(
            "g".repeat(249).parse::<Repository>(),
            Err(RepositoryError::TooLong { .. })
        ));
        assert!("g".repeat(247).parse::<Repository>().is_ok());
    }
}
