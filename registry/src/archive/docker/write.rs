//! Writing what `docker load` takes.

use std::path::Path;

use serde::Deserialize;

use crate::archive::contents::{Contents, blob_name};
use crate::archive::docker::ambiguous;
use crate::archive::docker::form::{Form, is_index};
use crate::archive::docker::image;
use crate::archive::docker::saved::{Saved, SavedError};
use crate::archive::error;
use crate::archive::oci::{index_of, layout_files};
use crate::archive::shelf::{Files, Shelf};
use crate::manifest::{Descriptor, Manifest};
use crate::repository::{Repository, RepositoryError};
use crate::store::{Blame, StoreError};
use crate::tag::Tag;

/// What to do about a manifest that is no image, such as a signature.
const NO_IMAGE: &str = "leave what is attached to the image behind with --no-referrers, \
                        or write oci-archive:FILE, which takes everything";

/// What a manifest says of its image.
#[derive(Deserialize)]
pub(super) struct Image {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

/// Puts `tag` on `manifest`, whose blobs are there or to be added.
pub(super) fn put(
    shelf: &Shelf,
    tag: &Tag,
    manifest: &Manifest,
    name: Option<&Repository>,
) -> Result<(), StoreError> {
    let image = check(shelf.path(), manifest)?;
    let is_files = match shelf.current()? {
        Some(contents) => matches!(Form::of(&contents)?, Form::Files(_)),
        None => false,
    };
    if !is_files {
        let layers = image.layers.iter().map(|layer| ("layer", layer));
        for (part, blob) in std::iter::once(("config", &image.config)).chain(layers) {
            if !shelf.has(blob)? {
                return Err(error::incomplete(shelf.path(), part, &blob.digest));
            }
        }
        shelf.write_manifest(manifest)?;
    }
    let path = shelf.path();
    let new = New { path, tag, manifest, image: &image, name };
    shelf.commit(|current| match current {
        None => new.files(None, Saved::empty()),
        Some(contents) => match Form::of(contents)? {
            Form::Layout(saved) => new.files(current, saved),
            Form::Files(saved) => new.tagged(contents, saved),
        },
    })
}

/// A tag that is put on an image.
struct New<'a> {
    path: &'a Path,
    tag: &'a Tag,
    manifest: &'a Manifest,
    image: &'a Image,
    name: Option<&'a Repository>,
}

impl New<'_> {
    /// `manifest.json` and the layout, with the image under its tag.
    fn files(&self, current: Option<&Contents>, saved: Saved) -> Result<Files, StoreError> {
        let name = self.name(&saved)?;
        let index = index_of(current, self.path)?;
        let old = index.tagged(self.tag).map_err(|error| error::ambiguous(self.path, error))?;
        let failed = |error| error::index(self.path, error);
        let index = if old == Some(self.manifest.descriptor()) {
            index
        } else {
            // containerd, and so docker load with its image store, knows images by this.
            let (host, path) = (name.host(), name.path());
            let whole = format!("{host}/{path}:{}", self.tag);
            let index = index.with_tag(self.tag, self.manifest.descriptor()).map_err(failed)?;
            index.with_image_name(self.tag, &whole).map_err(failed)?
        };
        let mut files = layout_files(current, &index)?;
        let config = blob_name(&self.image.config.digest);
        let layers = self.image.layers.iter().map(|layer| blob_name(&layer.digest));
        let before = current.map(|_| saved.text().to_owned());
        let saved = saved
            .with_tag((&config, &layers.collect::<Vec<_>>()), &name.to_string(), self.tag)
            .map_err(|error| manifest_json(self.path, error))?;
        if before.as_deref() != Some(saved.text()) {
            files.push(("manifest.json", saved.text().to_owned()));
        }
        Ok(files)
    }

    /// `manifest.json` of an archive without manifests, with another tag on one of its images.
    fn tagged(&self, contents: &Contents, saved: Saved) -> Result<Files, StoreError> {
        // A tag on several images is not moved, as nothing says which of them it is on.
        saved.tagged(self.tag).map_err(|error| ambiguous(self.path, error))?;
        let name = self.name(&saved)?;
        for image in &saved.images {
            if image::manifest(contents, image)?.digest() != self.manifest.digest() {
                continue;
            }
            let (config, layers) = (image.config.clone(), image.layers.clone());
            let before = saved.text().to_owned();
            let saved = saved
                .with_tag((&config, &layers), &name.to_string(), self.tag)
                .map_err(|error| manifest_json(self.path, error))?;
            let changed = saved.text() != before;
            return Ok(if changed {
                vec![("manifest.json", saved.text().to_owned())]
            } else {
                vec![]
            });
        }
        let message = format!(
            "write archive {}: it has no manifests, and {} is none of its images",
            self.path.display(),
            self.manifest.digest()
        );
        Err(StoreError::new(Blame::Unsupported, message)
            .with_remedy("write to a new file, or copy the images of this one to a new one first"))
    }

    /// What docker load shall call the image.
    fn name(&self, saved: &Saved) -> Result<Repository, StoreError> {
        if let Some(name) = self.name {
            return Ok(name.clone());
        }
        if let Some(name) = saved.only_name().and_then(|name| name.parse().ok()) {
            return Ok(name);
        }
        let file = self.path.file_name().unwrap_or_default().to_string_lossy();
        let stem = file.split('.').next().unwrap_or_default().to_ascii_lowercase();
        stem.parse().map_err(|error: RepositoryError| {
            let message = format!("name the image in archive {}", self.path.display());
            StoreError::new(Blame::Local, message)
                .with_remedy("give the file the name of the image, such as web.tar")
                .with_source(error)
        })
    }
}

fn manifest_json(path: &Path, error: SavedError) -> StoreError {
    error::file(path, "manifest.json", error)
}

/// Takes `tag` away, if it is there.
pub(super) fn untag(shelf: &Shelf, tag: &Tag) -> Result<(), StoreError> {
    let path = shelf.path();
    shelf.commit(|current| {
        let Some(contents) = current else { return Ok(Files::new()) };
        let form = Form::of(contents)?;
        let saved = form.saved().text().to_owned();
        let without = Saved::parse(saved.clone()).and_then(|saved| saved.without_tag(tag));
        let without = without.map_err(|error| manifest_json(path, error))?;
        let mut files = Files::new();
        if let Form::Layout(_) = form {
            let index = contents.index()?.without_tag(tag);
            files = layout_files(current, &index.map_err(|error| error::index(path, error))?)?;
        }
        if without.text() != saved {
            files.push(("manifest.json", without.text().to_owned()));
        }
        Ok(files)
    })
}

/// Makes what was written part of the archive, though no tag is put.
pub(super) fn flush(shelf: &Shelf) -> Result<(), StoreError> {
    if shelf.is_idle() {
        return Ok(());
    }
    shelf.commit(|current| {
        if current.is_some() {
            return Ok(Files::new());
        }
        let mut files = layout_files(None, &index_of(None, shelf.path())?)?;
        files.push(("manifest.json", Saved::empty().text().to_owned()));
        Ok(files)
    })
}

/// Refuses what is no image of one platform.
pub(super) fn check(path: &Path, manifest: &Manifest) -> Result<Image, StoreError> {
    let refused = |reason: String| {
        let message = format!("write archive {}: {reason}", path.display());
        StoreError::new(Blame::Unsupported, message)
    };
    let digest = manifest.digest();
    if is_index(manifest.media_type()) {
        let reason = format!("{digest} is an index, and docker load takes one platform");
        return Err(refused(reason).with_remedy(
            "choose one with --platform, or write oci-archive:FILE, which takes all",
        ));
    }
    let image: Image = serde_json::from_slice(manifest.bytes()).map_err(|error| {
        refused(format!("{digest} is no image")).with_remedy(NO_IMAGE).with_source(error)
    })?;
    let config = image.config.media_type.as_str();
    if !config.contains(".image.config.") && !config.contains(".container.image.") {
        let reason = format!("{digest} is no image: its config is {config:?}");
        return Err(refused(reason).with_remedy(NO_IMAGE));
    }
    Ok(image)
}
