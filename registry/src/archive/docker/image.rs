//! The manifest of an image that was saved without one.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::archive::contents::Contents;
use crate::archive::docker::saved::SavedImage;
use crate::archive::error;
use crate::archive::tar::Entry;
use crate::digest::Digest;
use crate::manifest::{Descriptor, Manifest, MediaType};
use crate::store::StoreError;

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const GZIP_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const ZSTD_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

/// The manifest that is made for a saved image. Field by field it is what newer engines save,
/// so that one image has one digest whoever saved it, as far as that can be.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Made<'a> {
    schema_version: u32,
    media_type: &'static str,
    config: &'a Descriptor,
    layers: &'a [Descriptor],
}

/// A file of an image, as its manifest lists it and where it lies.
pub(super) struct Part<'a> {
    pub(super) descriptor: Descriptor,
    pub(super) entry: &'a Entry,
}

/// Config and layers of `image`, which are read once to be hashed.
pub(super) fn parts<'a>(
    contents: &'a Contents,
    image: &SavedImage,
) -> Result<Vec<Part<'a>>, StoreError> {
    let part = |name: &str, media_type| {
        let found = contents.tar.linked_file(name);
        let found = found.map_err(|error| error::tar(contents.path(), error))?;
        let entry = found.ok_or_else(|| {
            error::damaged(contents.path(), &format!("{name:?}"), "it is missing")
        })?;
        let descriptor = contents.describe(entry, media_type)?;
        Ok(Part { descriptor, entry })
    };
    let config = part(&image.config, |_| CONFIG);
    let layers = image.layers.iter().map(|name| part(name, layer_type));
    std::iter::once(config).chain(layers).collect()
}

/// The manifest of `image`. Its digest depends on the content of the files and nothing else.
pub(super) fn manifest(contents: &Contents, image: &SavedImage) -> Result<Manifest, StoreError> {
    let parts = parts(contents, image)?;
    check(contents, image, &parts)?;
    let mut descriptors = parts.into_iter().map(|part| part.descriptor);
    let config = descriptors.next().expect("the config is the first part");
    let layers: Vec<Descriptor> = descriptors.collect();
    let media_type = MediaType::OCI_MANIFEST;
    let made = Made { schema_version: 2, media_type, config: &config, layers: &layers };
    let bytes = serde_json::to_vec(&made).expect("it has no maps");
    Manifest::received(Bytes::from(bytes), media_type, None).map_err(|error| {
        StoreError::manifest(format!("make a manifest of {}", image.config), error)
    })
}

/// Compares the files with what is known of them: a config is named by its digest, and names
/// those of its layers, uncompressed.
fn check(contents: &Contents, image: &SavedImage, parts: &[Part<'_>]) -> Result<(), StoreError> {
    let damaged = |name: &str, reason: String| {
        Err(error::damaged(contents.path(), &format!("{name:?}"), &reason))
    };
    let (config, layers) = parts.split_first().expect("the config is the first part");
    let name = image.config.rsplit('/').next().unwrap_or_default().trim_end_matches(".json");
    let actual = &config.descriptor.digest;
    if let Ok(named) = format!("sha256:{name}").parse::<Digest>()
        && named != *actual
    {
        return damaged(&image.config, format!("its content is {actual}"));
    }
    let promised = diff_ids(&contents.bytes(config.entry)?)
        .map_err(|error| error::file(contents.path(), &format!("{:?}", image.config), error))?;
    if promised.len() != layers.len() {
        let reason =
            format!("it promises {} layers, manifest.json lists {}", promised.len(), layers.len());
        return damaged(&image.config, reason);
    }
    for ((name, layer), promised) in image.layers.iter().zip(layers).zip(promised) {
        let Descriptor { media_type, digest, .. } = &layer.descriptor;
        if media_type.as_str() == LAYER && *digest != promised {
            return damaged(name, format!("its content is {digest}, its config says {promised}"));
        }
    }
    Ok(())
}

/// The digests of the uncompressed layers, as a config says them.
pub(super) fn diff_ids(config: &[u8]) -> Result<Vec<Digest>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Config {
        rootfs: RootFs,
    }
    #[derive(Deserialize)]
    struct RootFs {
        diff_ids: Option<Vec<Digest>>,
    }
    let config: Config = serde_json::from_slice(config)?;
    Ok(config.rootfs.diff_ids.unwrap_or_default())
}

/// What a layer is by how it starts: docker load takes compressed ones as well, and other tools
/// than docker save write them.
fn layer_type(start: &[u8]) -> &'static str {
    if start.starts_with(b"\x1f\x8b") {
        GZIP_LAYER
    } else if start.starts_with(b"\x28\xb5\x2f\xfd") {
        ZSTD_LAYER
    } else {
        LAYER
    }
}
