//! The content of manifests: what they list.

#[cfg(test)]
mod tests;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::digest::{Digest, DigestError};
use crate::manifest::{Descriptor, Manifest, MediaType};
use crate::platform::Platform;

/// What a manifest lists: read from its bytes, which are never written again from this.
///
/// Types that are not known here are read by their shape, whatever they are called: a list of
/// `manifests`; or a `config`, `layers` and `blobs`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// The manifests of an index.
    pub children: Vec<Child>,
    /// The configuration, layers and blobs of an image or artifact.
    pub blobs: Vec<Part>,
    /// What it is attached to, such as the image that it signs.
    pub subject: Option<Descriptor>,
}

/// One entry of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// What it is.
    pub descriptor: Descriptor,
    /// What it runs on, if the index says so.
    pub platform: Option<Platform>,
    /// Its content in base64, unverified, if the index brings it.
    pub data: Option<String>,
}

/// One blob of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub descriptor: Descriptor,
    /// Its content in base64, unverified, if the manifest brings it.
    pub data: Option<String>,
    /// Whether it is a layer that registries do not distribute: its media type says so. That
    /// there are URLs says nothing (docs/edges.md, edge 8).
    pub foreign: bool,
}

/// Why it cannot be said what a manifest lists.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// It is not JSON, or a field that lists something is not of the specified form.
    #[error("read what {manifest} lists")]
    Syntax {
        /// The manifest.
        manifest: Digest,
        /// Where and what.
        #[source]
        source: serde_json::Error,
    },
    /// A descriptor in it has no valid digest.
    #[error("read what {manifest} lists")]
    Digest {
        /// The manifest.
        manifest: Digest,
        /// What is wrong.
        #[source]
        source: DigestError,
    },
    /// It lists manifests and layers at once: clients would disagree about what it is.
    #[error("{manifest} is both an index and an image: it lists manifests and layers")]
    Ambiguous {
        /// The manifest.
        manifest: Digest,
    },
    /// It lists what its media type has no place for.
    #[error("{manifest} is sent as {media_type}, but lists what that type cannot")]
    Contradiction {
        /// The manifest.
        manifest: Digest,
        /// Its media type.
        media_type: MediaType,
    },
    /// Neither type nor shape is known, so what belongs to it cannot be found.
    #[error("{manifest} is of the unknown type {media_type}, and lists nothing known")]
    Unknown {
        /// The manifest.
        manifest: Digest,
        /// Its media type.
        media_type: MediaType,
    },
}

impl ContentError {
    /// What the user can do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "copy it with the tool that made it",
            _ => "build the image again with a tool that writes valid manifests",
        }
    }
}

/// A manifest by shape. Go writes lists without members as `null`.
#[derive(Deserialize)]
struct Shape {
    manifests: Option<Vec<Entry>>,
    config: Option<Entry>,
    layers: Option<Vec<Entry>>,
    blobs: Option<Vec<Entry>>,
    subject: Option<Entry>,
    /// Of schema 1, whose layers are elsewhere.
    #[serde(rename = "fsLayers")]
    fs_layers: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    media_type: Option<String>,
    digest: String,
    size: u64,
    data: Option<String>,
    platform: Option<RawPlatform>,
}

#[derive(Deserialize)]
struct RawPlatform {
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
}

impl Content {
    /// What `manifest` lists.
    ///
    /// # Errors
    /// When it is not certain what it lists: then it can be moved, but not copied.
    pub fn of(manifest: &Manifest) -> Result<Self, ContentError> {
        Self::parse(manifest.bytes(), manifest.descriptor())
    }

    /// What the manifest `bytes`, described by `of`, lists. For any bytes.
    pub(crate) fn parse(bytes: &[u8], of: &Descriptor) -> Result<Self, ContentError> {
        let (manifest, media_type) = (of.digest.clone(), of.media_type.clone());
        let kind = Kind::of(&media_type);
        let shape: Shape = match serde_json::from_slice(bytes) {
            Ok(shape) => shape,
            Err(source) => return Err(ContentError::Syntax { manifest, source }),
        };
        let lists_manifests = shape.manifests.is_some();
        let lists_blobs = shape.config.is_some() || shape.layers.is_some() || shape.blobs.is_some();
        match kind {
            _ if lists_manifests && lists_blobs => {
                return Err(ContentError::Ambiguous { manifest });
            }
            Kind::Index if lists_blobs => {
                return Err(ContentError::Contradiction { manifest, media_type });
            }
            Kind::Image if lists_manifests => {
                return Err(ContentError::Contradiction { manifest, media_type });
            }
            _ if shape.fs_layers.is_some() => {
                return Err(ContentError::Contradiction { manifest, media_type });
            }
            Kind::Unknown if !lists_manifests && !lists_blobs => {
                return Err(ContentError::Unknown { manifest, media_type });
            }
            _ => {}
        }
        shape.content().map_err(|source| ContentError::Digest { manifest, source })
    }
}

/// What a media type says of the shape.
#[derive(Clone, Copy)]
enum Kind {
    Index,
    Image,
    Unknown,
}

impl Kind {
    fn of(media_type: &MediaType) -> Self {
        match media_type.as_str() {
            MediaType::OCI_INDEX | MediaType::DOCKER_LIST => Self::Index,
            MediaType::OCI_MANIFEST | MediaType::DOCKER_MANIFEST => Self::Image,
            _ => Self::Unknown,
        }
    }
}

#[cfg(feature = "client")]
impl MediaType {
    /// Whether it is a type of manifests that is known here.
    pub(crate) fn is_manifest(&self) -> bool {
        !matches!(Kind::of(self), Kind::Unknown)
    }

    /// Whether it is a type of layers and configurations, which some indexes list among their
    /// manifests: build caches do.
    pub(crate) fn is_blob(&self) -> bool {
        const STARTS: [&str; 5] = [
            "application/vnd.oci.image.layer.",
            "application/vnd.oci.image.config.",
            "application/vnd.docker.image.rootfs.",
            "application/vnd.docker.container.image.",
            "application/vnd.buildkit.cacheconfig.",
        ];
        STARTS.iter().any(|start| self.as_str().starts_with(start))
    }
}

impl MediaType {
    /// Whether it is a layer that registries are not to distribute.
    fn is_foreign(&self) -> bool {
        self.as_str().starts_with("application/vnd.oci.image.layer.nondistributable.")
            || self.as_str().starts_with("application/vnd.docker.image.rootfs.foreign.")
    }
}

impl Shape {
    fn content(self) -> Result<Content, DigestError> {
        let children = self.manifests.unwrap_or_default().into_iter().map(Entry::child);
        let config = self.config.into_iter().map(Entry::part);
        let layers = self.layers.into_iter().chain(self.blobs).flatten().map(|entry| {
            let part = entry.part()?;
            let foreign = part.descriptor.media_type.is_foreign();
            Ok(Part { foreign, ..part })
        });
        Ok(Content {
            children: children.collect::<Result<_, _>>()?,
            blobs: config.chain(layers).collect::<Result<_, _>>()?,
            subject: self.subject.map(|subject| subject.descriptor()).transpose()?,
        })
    }
}

impl Entry {
    fn descriptor(&self) -> Result<Descriptor, DigestError> {
        let media_type = MediaType::new(self.media_type.as_deref().unwrap_or_default());
        Ok(Descriptor { media_type, digest: self.digest.parse()?, size: self.size })
    }

    fn child(self) -> Result<Child, DigestError> {
        let platform = self.platform.as_ref().and_then(|platform| {
            let (os, architecture) = (platform.os.as_deref()?, platform.architecture.as_deref()?);
            Some(Platform::new(os, architecture, platform.variant.as_deref()))
        });
        Ok(Child { descriptor: self.descriptor()?, platform, data: self.data })
    }

    fn part(self) -> Result<Part, DigestError> {
        Ok(Part { descriptor: self.descriptor()?, data: self.data, foreign: false })
    }
}
