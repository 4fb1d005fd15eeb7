//! References: what a user writes to name an image.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::digest::{Digest, DigestError};
use crate::repository::{Repository, RepositoryError};
use crate::tag::{Tag, TagError};

/// An image as written: where it lies, and optionally its tag and digest.
///
/// `[host[:port]/]name[:tag][@digest]` is in a registry; `oci:DIR[:tag][@digest]`,
/// `oci-archive:FILE[:tag][@digest]` and `docker-archive:FILE[:tag][@digest]` are on disk.
/// A reference with both a tag and a digest means the digest; the tag is checked by grammar
/// and kept for display, as Docker does.
///
/// ```
/// # use plimsoll_registry::{Location, Reference};
/// let reference: Reference = "ghcr.io/acme/web:1.2.3".parse()?;
/// assert_eq!(reference.tag().map(|tag| tag.as_str()), Some("1.2.3"));
///
/// let layout: Reference = "oci:build/web:1.2.3".parse()?;
/// assert!(matches!(layout.location(), Location::Layout(path) if path.ends_with("web")));
/// # Ok::<(), plimsoll_registry::ReferenceError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    location: Location,
    tag: Option<Tag>,
    digest: Option<Digest>,
}

/// Where an image lies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Location {
    /// A repository of a registry.
    Registry(Repository),
    /// A directory in the OCI image layout.
    Layout(PathBuf),
    /// A tar archive of an OCI image layout.
    OciArchive(PathBuf),
    /// A tar archive as `docker save` writes it.
    DockerArchive(PathBuf),
}

/// A tag or a digest: what the distribution specification calls `<reference>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Selector {
    /// By tag.
    Tag(Tag),
    /// By digest.
    Digest(Digest),
}

/// A text that is no reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parse reference {reference:?}")]
pub struct ReferenceError {
    /// The text as given, at most its first 300 characters.
    pub reference: String,
    /// What is wrong with it.
    #[source]
    pub reason: ReferenceReason,
}

/// What is wrong with a reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceReason {
    /// The name.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The tag.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// The digest.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// Nothing after the transport.
    #[error("there is no path after {0:?}")]
    NoPath(String),
}

impl Reference {
    /// Where the image lies.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The tag, if one is written.
    #[must_use]
    pub fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref()
    }

    /// The digest, if one is written.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// What selects the image at its location: the digest, else the tag, else nothing.
    #[must_use]
    pub fn selector(&self) -> Option<Selector> {
        let by_tag = || self.tag.clone().map(Selector::Tag);
        self.digest.clone().map(Selector::Digest).or_else(by_tag)
    }

    /// The same location under `tag`, as `docker buildx build -t` takes it.
    #[must_use]
    pub fn with_tag(&self, tag: &Tag) -> Self {
        Self { location: self.location.clone(), tag: Some(tag.clone()), digest: None }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    /// Linear in the length of the text.
    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        parse(text).map_err(|reason| ReferenceError {
            reference: text.chars().take(300).collect(),
            reason,
        })
    }
}

fn parse(text: &str) -> Result<Reference, ReferenceReason> {
    for transport in ["oci:", "oci-archive:", "docker-archive:"] {
        if let Some(rest) = text.strip_prefix(transport) {
            let (path, tag, digest) = split(rest)?;
            if path.is_empty() {
                return Err(ReferenceReason::NoPath(transport.to_owned()));
            }
            let path = PathBuf::from(path);
            let location = match transport {
                "oci:" => Location::Layout(path),
                "oci-archive:" => Location::OciArchive(path),
                _ => Location::DockerArchive(path),
            };
            return Ok(Reference { location, tag, digest });
        }
    }
    let (name, tag, digest) = split(text)?;
    Ok(Reference { location: Location::Registry(name.parse()?), tag, digest })
}

/// Splits `name[:tag][@digest]`. A colon belongs to a tag only after the last slash.
fn split(text: &str) -> Result<(&str, Option<Tag>, Option<Digest>), ReferenceReason> {
    let (rest, digest) = match text.split_once('@') {
        // A directory may have an at sign in its name; a digest has no slash.
        Some((rest, digest)) if !digest.contains('/') => (rest, Some(digest.parse()?)),
        _ => (text, None),
    };
    match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains(['/', ']']) && !rest.contains("://") => {
            Ok((name, Some(tag.parse()?), digest))
        }
        _ => Ok((rest, None, digest)),
    }
}

impl Location {
    /// The path on disk, for everything that is not a registry.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Registry(_) => None,
            Self::Layout(path) | Self::OciArchive(path) | Self::DockerArchive(path) => Some(path),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(repository) => repository.fmt(f),
            Self::Layout(path) => write!(f, "oci:{}", path.display()),
            Self::OciArchive(path) => write!(f, "oci-archive:{}", path.display()),
            Self::DockerArchive(path) => write!(f, "docker-archive:{}", path.display()),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.location.fmt(f)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

impl From<Tag> for Selector {
    fn from(tag: Tag) -> Self {
        Self::Tag(tag)
    }
}

impl From<Digest> for Selector {
    fn from(digest: Digest) -> Self {
        Self::Digest(digest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reference(text: &str) -> Reference {
        text.parse().unwrap_or_else(|error: ReferenceError| panic!("{error}: {}", error.reason))
    }

    #[test]
    fn edge_37_tag_and_digest_are_both_kept_and_the_digest_selects() {
        let digest = Digest::sha256(b"x");
        let both = reference(&format!("localhost:5000/a/b:1.2.3@{digest}"));
        assert_eq!(both.tag().map(Tag::as_str), Some("1.2.3"));
        assert_eq!(both.selector(), Some(Selector::Digest(digest)));
    }

    #[test]
    fn edge_37_a_port_is_not_a_tag() {
        let plain = reference("localhost:5000/web");
        assert_eq!(plain.tag(), None);
        assert_eq!(reference("web:5000").tag().map(Tag::as_str), Some("5000"));
        assert_eq!(reference("[::1]:5000/web:1").tag().map(Tag::as_str), Some("1"));
    }

    #[test]
    fn the_transports_take_a_path_and_a_tag() {
        for (text, path, tag) in [
            ("oci:dir", "dir", None),
            ("oci:dir:1.2.3", "dir", Some("1.2.3")),
            ("oci:/a:b/c", "/a:b/c", None),
            ("oci:/a@b/c:1", "/a@b/c", Some("1")),
            ("oci-archive:a.tar:x", "a.tar", Some("x")),
            ("docker-archive:./a.tar", "./a.tar", None),
        ] {
            let parsed = reference(text);
            assert_eq!(parsed.location().path(), Some(Path::new(path)), "{text}");
            assert_eq!(parsed.tag().map(Tag::as_str), tag, "{text}");
            assert_eq!(parsed.to_string(), text);
        }
        assert!("oci:".parse::<Reference>().is_err());
        assert!("oci::1.2.3".parse::<Reference>().is_err());
    }

    /// What docker-ci-deploy 0.3.0 accepted and refused; its two hangs are refusals here.
    #[test]
    fn the_parse_cases_of_docker_ci_deploy() {
        let longest = format!("img:{}", "a".repeat(128));
        for good in ["a---b", "a.b_c-d", "good", "test-image:abc", longest.as_str()] {
            assert_eq!(reference(good).to_string(), good);
        }
        let too_long = format!("img:{}", "a".repeat(129));
        let backtracking = format!("{}!", "a".repeat(40));
        for bad in [
            "this:is:invalid/user:test/name:tag/",
            "Foo",
            "foo/Bar",
            "Bad",
            "img:",
            "img:a b",
            "img:-dash",
            "img:té",
            "img:a:b",
            "img:1.2.3+build.5",
            "a___b",
            "a..b",
            "img/",
            "/img",
            "a//b",
            "https://reg.example.com/foo",
            "reg:port/foo",
            too_long.as_str(),
            backtracking.as_str(),
        ] {
            assert!(bad.parse::<Reference>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_megabyte_is_refused_as_fast_as_it_is_read() {
        for unit in ["a", "a-", "a/", ":", "@", "[", "a.b_"] {
            assert!(unit.repeat(1 << 20).parse::<Reference>().is_err(), "{unit}");
        }
    }

    proptest! {
        #[test]
        fn any_text_parses_or_is_refused_and_what_parses_displays_as_written(text in ".{0,60}") {
            if let Ok(parsed) = text.parse::<Reference>() {
                prop_assert_eq!(parsed.to_string(), text.clone());
                prop_assert_eq!(text.parse::<Reference>(), Ok(parsed));
            }
        }

        #[test]
        fn what_the_grammar_generates_parses(
            host in "([a-z0-9]{1,8}\\.){1,2}[a-z]{2,4}(:[1-9][0-9]{0,3})?/|localhost/",
            path in "[a-z0-9]{1,5}((\\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}(/[a-z0-9]{1,5}){0,2}",
            tag in "[A-Za-z0-9_][A-Za-z0-9._-]{0,20}",
        ) {
            let text = format!("{host}{path}:{tag}");
            let parsed: Reference = text.parse().expect("generated from the grammar");
            prop_assert_eq!(parsed.to_string(), text);
        }
    }
}
