//! The two forms of an archive that `docker save` writes.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::archive::contents::{Contents, blob_name};
use crate::archive::docker::saved::{Saved, SavedImage};
use crate::archive::error;
use crate::digest::Digest;
use crate::manifest::{Descriptor, MediaType};
use crate::reference::Selector;
use crate::store::StoreError;

/// How the images of an archive are read.
pub(super) enum Form {
    /// Engine 26 and later, and what is written here: `manifest.json` beside an OCI layout,
    /// which has the manifests.
    Layout(Saved),
    /// Before: `manifest.json` and the files it names, and no manifest.
    Files(Saved),
}

impl Form {
    /// What `contents` are.
    pub(super) fn of(contents: &Contents) -> Result<Self, StoreError> {
        let Some(text) = contents.text("manifest.json")? else {
            let (reason, remedy) = if contents.is_layout() {
                ("it has no manifest.json, but an OCI layout", "name it as oci-archive:FILE")
            } else if contents.tar.get("repositories").is_some() {
                let reason = "it has no manifest.json: Docker before 1.10 wrote it";
                (reason, "load it with docker, and save it again")
            } else {
                ("it has no manifest.json", "name a file that docker save wrote")
            };
            return Err(error::wrong_kind(contents.path(), reason, remedy));
        };
        let saved = Saved::parse(text)
            .map_err(|error| error::file(contents.path(), "manifest.json", error))?;
        if contents.is_layout() {
            contents.check_layout()?;
            if is_sound(contents, &saved)? {
                return Ok(Self::Layout(saved));
            }
        }
        Ok(Self::Files(saved))
    }

    pub(super) fn saved(&self) -> &Saved {
        match self {
            Self::Layout(saved) | Self::Files(saved) => saved,
        }
    }
}

/// Whether the layout has every image that `manifest.json` has, whole and under its tags.
/// Engine 25 wrote manifests without layers, and no index entry for an image saved by its ID
/// (moby#47065, moby#47210, moby#51389).
fn is_sound(contents: &Contents, saved: &Saved) -> Result<bool, StoreError> {
    let index = contents.index()?;
    let layers = count_layers(contents, index.descriptors().cloned().collect())?;
    let whole = |image: &SavedImage| layers.get(&image.config) == Some(&image.layers.len());
    let tagged = match (saved.tags(), index.tags()) {
        (Ok(saved), Ok(tags)) => saved.is_subset(&tags),
        // One tag on several images: the index says so just as well.
        (Err(_), Err(_)) => true,
        _ => false,
    };
    Ok(tagged && saved.images.iter().all(whole))
}

/// How many layers every image has that is listed or below an index that is, by the name of its
/// config.
fn count_layers(
    contents: &Contents,
    mut listed: Vec<Descriptor>,
) -> Result<HashMap<String, usize>, StoreError> {
    #[derive(Deserialize)]
    struct Parsed {
        config: Option<Descriptor>,
        layers: Option<Vec<IgnoredAny>>,
        manifests: Option<Vec<Descriptor>>,
    }
    let mut layers = HashMap::new();
    let mut seen = HashSet::new();
    while let Some(Descriptor { digest, .. }) = listed.pop() {
        if !seen.insert(digest.clone()) {
            continue;
        }
        // A platform that was not saved is missing.
        let Some(bytes) = contents.blob_bytes(&digest)? else { continue };
        let Ok(parsed) = serde_json::from_slice::<Parsed>(&bytes) else { continue };
        if let Some(config) = parsed.config {
            let count = parsed.layers.unwrap_or_default().len();
            layers.insert(blob_name(&config.digest), count);
        }
        listed.extend(parsed.manifests.unwrap_or_default());
    }
    Ok(layers)
}

/// Whether a manifest of that type lists others, and is no image itself.
pub(super) fn is_index(media_type: &MediaType) -> bool {
    [MediaType::OCI_INDEX, MediaType::DOCKER_LIST].contains(&media_type.as_str())
}

/// The one image of `saved`, which has no manifests.
pub(super) fn only_image(
    contents: &Contents,
    saved: &Saved,
    digest: impl Fn(&SavedImage) -> Result<Digest, StoreError>,
) -> Result<Selector, StoreError> {
    let files: BTreeSet<_> =
        saved.images.iter().map(|image| (&image.config, &image.layers)).collect();
    match (saved.images.first(), files.len()) {
        (None, _) => Err(error::none(contents.path())),
        (Some(only), 1) => digest(only).map(Selector::Digest),
        _ => {
            let name = |image: &SavedImage| match image.names.is_empty() {
                true => vec![image.config.clone()],
                false => image.names.clone(),
            };
            let names = saved.images.iter().flat_map(name);
            let names: Vec<String> = names.map(|name| name.escape_debug().to_string()).collect();
            Err(error::several(contents.path(), &names))
        }
    }
}
