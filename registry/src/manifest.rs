//! Manifests and descriptors, as opaque bytes with a name.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::digest::{Digest, DigestError};

/// What a tag points at: media type, digest and size.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The media type of the content.
    pub media_type: MediaType,
    /// The digest of the content.
    pub digest: Digest,
    /// The size of the content in bytes.
    pub size: u64,
}

/// A media type as a registry or layout states it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MediaType(String);

/// The longest legal media type, in characters ([RFC 6838][rfc], section 4.2).
///
/// [rfc]: https://www.rfc-editor.org/rfc/rfc6838#section-4.2
const LONGEST_TYPE: usize = 255;

/// A manifest exactly as received: its bytes are never re-serialised.
///
/// It holds only bytes that hash to its digest.
#[derive(Clone, PartialEq, Eq)]
pub struct Manifest {
    descriptor: Descriptor,
    bytes: Bytes,
}

/// Bytes that cannot be handled as a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// They are not what was asked for.
    #[error("the manifest received is not the one asked for")]
    Digest(#[from] DigestError),
    /// Docker's schema 1, whose digest is not that of its bytes.
    #[error(
        "{digest} is a Docker schema 1 manifest ({media_type}); rebuild the image: \
         registries drop that format, and its signature does not survive a copy"
    )]
    Schema1 {
        /// Its digest.
        digest: Digest,
        /// Its media type.
        media_type: MediaType,
    },
    /// The registry's header and the manifest's own `mediaType` name two types.
    #[error("{digest} is sent as {header} but says it is {body}")]
    MediaTypes {
        /// Its digest.
        digest: Digest,
        /// What the `Content-Type` header says.
        header: MediaType,
        /// What the `mediaType` field says.
        body: MediaType,
    },
    /// Neither the header nor the manifest names a type that says what it is.
    #[error("{digest} has no media type: the registry sent {header:?}")]
    NoMediaType {
        /// Its digest.
        digest: Digest,
        /// What the `Content-Type` header says.
        header: String,
    },
}

impl MediaType {
    /// An OCI image index.
    pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// An OCI image manifest.
    pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// A Docker manifest list.
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// A Docker image manifest, schema 2.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

    /// Every type asked for, indexes first: without the whole list a registry may answer
    /// with one platform's child, or convert the manifest
    /// (distribution-spec#207; docs/edges.md, edge 5).
    pub const ACCEPT: [&str; 4] =
        [Self::OCI_INDEX, Self::DOCKER_LIST, Self::OCI_MANIFEST, Self::DOCKER_MANIFEST];

    /// The type without its parameters (`; charset=utf-8`), trimmed.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let essence = text.split(';').next().unwrap_or_default();
        Self(essence.trim().to_owned())
    }

    /// The type as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it says nothing about the content.
    pub(crate) fn is_generic(&self) -> bool {
        const GENERIC: [&str; 4] =
            ["", "application/json", "application/octet-stream", "text/plain"];
        GENERIC.contains(&self.0.as_str())
    }

    pub(crate) fn is_schema1(&self) -> bool {
        self.0.starts_with("application/vnd.docker.distribution.manifest.v1+")
    }
}

impl Manifest {
    /// A manifest as received: `header` is the `Content-Type`, or the media type of the
    /// descriptor it was found by; `expected` the digest it must have, when one is known.
    ///
    /// # Errors
    /// When the bytes do not hash to `expected`, when the media type is missing or
    /// contradicts the one in the manifest, and for Docker schema 1.
    pub fn received(
        bytes: Bytes,
        header: &str,
        expected: Option<&Digest>,
    ) -> Result<Self, ManifestError> {
        let digest = match expected {
            Some(digest) => {
                digest.verify(&bytes)?;
                digest.clone()
            }
            None => Digest::sha256(&bytes),
        };
        let media_type = decide_media_type(&bytes, header, &digest)?;
        let size = bytes.len() as u64;
        Ok(Self { descriptor: Descriptor { media_type, digest, size }, bytes })
    }

    /// Media type, digest and size.
    #[must_use]
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The digest of the bytes.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.descriptor.digest
    }

    /// The media type.
    #[must_use]
    pub fn media_type(&self) -> &MediaType {
        &self.descriptor.media_type
    }

    /// The bytes as received.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// Header, unless it is generic; else the body's own field; never a contradiction of the two
/// (docs/edges.md, edge 1).
fn decide_media_type(
    bytes: &[u8],
    header: &str,
    digest: &Digest,
) -> Result<MediaType, ManifestError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Typed {
        media_type: Option<String>,
        schema_version: Option<u64>,
    }
    let sent = MediaType::new(header);
    // An artifact manifest of a type unknown here need not even be JSON: then the header rules.
    let typed: Option<Typed> = serde_json::from_slice(bytes).ok();
    let own = typed.as_ref().and_then(|typed| typed.media_type.as_deref()).map(MediaType::new);
    let old = typed.is_some_and(|typed| typed.schema_version == Some(1));
    let media_type = match own {
        Some(own) if !sent.is_generic() && sent != own => {
            return Err(ManifestError::MediaTypes {
                digest: digest.clone(),
                header: sent,
                body: own,
            });
        }
        Some(own) if !own.is_generic() => own,
        _ => sent,
    };
    if media_type.is_schema1() || old {
        return Err(ManifestError::Schema1 { digest: digest.clone(), media_type });
    }
    if media_type.is_generic() {
        let header = header.to_owned();
        return Err(ManifestError::NoMediaType { digest: digest.clone(), header });
    }
    Ok(media_type)
}

impl fmt::Display for MediaType {
    /// For people: a manifest may call itself anything, and no terminal is to obey it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escaped = self.0.chars().take(LONGEST_TYPE).flat_map(char::escape_debug);
        f.write_str(&escaped.collect::<String>())?;
        match self.0.chars().nth(LONGEST_TYPE) {
            Some(_) => f.write_str("…"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Manifest").field(&self.descriptor).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(body: &str, header: &str) -> Result<Manifest, ManifestError> {
        Manifest::received(Bytes::copy_from_slice(body.as_bytes()), header, None)
    }

    #[test]
    fn edge_1_a_generic_header_yields_to_the_body() {
        let body = format!(r#"{{"mediaType":"{}"}}"#, MediaType::OCI_INDEX);
        for header in ["application/json; charset=utf-8", "", "text/plain", MediaType::OCI_INDEX] {
            let manifest = received(&body, header).expect("the body says what it is");
            assert_eq!(manifest.media_type().as_str(), MediaType::OCI_INDEX);
            assert_eq!(manifest.bytes(), body.as_bytes());
        }
    }

    #[test]
    fn edge_1_two_contradicting_types_stop() {
        let body = format!(r#"{{"mediaType":"{}"}}"#, MediaType::OCI_INDEX);
        let error = received(&body, MediaType::OCI_MANIFEST).expect_err("two types");
        assert!(matches!(error, ManifestError::MediaTypes { .. }));
        let untyped = received("{}", "application/json").expect_err("no type at all");
        assert!(matches!(untyped, ManifestError::NoMediaType { .. }));
    }

    #[test]
    fn edge_6_schema_1_is_refused_by_name() {
        for header in
            ["application/vnd.docker.distribution.manifest.v1+prettyjws", "application/json"]
        {
            let error = received(r#"{"schemaVersion":1}"#, header).expect_err("schema 1");
            assert!(error.to_string().contains("schema 1"), "{error}");
        }
    }

    #[test]
    fn edge_7_an_unknown_type_passes_untouched() {
        let manifest = received("not json at all", "application/vnd.acme.thing").expect("opaque");
        assert_eq!(manifest.bytes().as_ref(), b"not json at all");
    }

    #[test]
    fn edge_39_a_media_type_is_shown_without_what_a_terminal_obeys() {
        assert_eq!(MediaType::new(MediaType::OCI_INDEX).to_string(), MediaType::OCI_INDEX);
        let shown = MediaType::new("a/\x1b[31m\0\u{202e}b").to_string();
        assert_eq!(shown, r"a/\u{1b}[31m\0\u{202e}b");
        assert_eq!(MediaType::new(&"a".repeat(1000)).to_string().chars().count(), 256);
    }

    #[test]
    fn bytes_that_are_not_the_ones_asked_for_stop() {
        let other = Digest::sha256(b"other");
        let result =
            Manifest::received(Bytes::from_static(b"{}"), MediaType::OCI_INDEX, Some(&other));
        assert!(matches!(result, Err(ManifestError::Digest(_))));
    }
}
