//! `docker-archive:FILE`: what `docker save` writes and `docker load` takes.

mod form;
mod image;
mod saved;
mod write;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;

use crate::archive::contents::Contents;
use crate::archive::docker::form::Form;
use crate::archive::docker::saved::{SavedImage, SeveralTagged};
use crate::archive::oci;
use crate::archive::shelf::Shelf;
use crate::archive::{error, tar::Entry};
use crate::blob::{BlobReader, BlobSink, BlobSource};
use crate::blocking::blocking;
use crate::manifest::{Descriptor, Manifest};
use crate::reference::Selector;
use crate::repository::Repository;
use crate::store::{Blame, Store, StoreError};
use crate::tag::Tag;

/// A tar file as `docker save` writes it. Its tags are those of the names that it gives its
/// images; the name before the tag does not matter, unless two images have one tag.
///
/// Engine 26 and later save an OCI layout with the manifests of the images, and these are read
/// as they are. Before, an image was saved without a manifest. One is made for it, from its
/// config as it is and its layers as they are, uncompressed tar files mostly. **Its digest is
/// therefore made here**: no registry has seen it, and an image that was pushed and pulled has
/// another one. It is stable, as it depends on the bytes of the image alone.
///
/// What is written is both at once: `manifest.json` for every Docker since 1.10, and a layout
/// that keeps the manifest, and so the digest, as it was put. It holds images of one platform
/// each: an index is refused. As with an [`OciArchive`](crate::OciArchive), putting or removing
/// a tag writes the file anew in one step, and blobs wait for that. To an archive in the old
/// form tags of its own images can be added, and nothing else.
#[derive(Clone, Debug)]
pub struct DockerArchive {
    shelf: Arc<Shelf>,
    name: Option<Repository>,
}

impl DockerArchive {
    /// Opens the archive at `path`, and reads its headers and its list of images.
    ///
    /// # Errors
    /// [`Blame::NotFound`] when there is nothing at `path`, [`Blame::Unsupported`] for a
    /// compressed file; [`Blame::Local`] when it is no such archive, or cannot be read.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let archive = Self { shelf: Arc::new(Shelf::new(path.into())), name: None };
        Form::of(&*archive.shelf.existing()?)?;
        Ok(archive)
    }

    /// Opens the archive at `path`, or one that is empty until the first tag is put.
    ///
    /// # Errors
    /// As [`DockerArchive::open`], but not when there is nothing at `path`.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let archive = Self { shelf: Arc::new(Shelf::new(path.into())), name: None };
        if let Some(contents) = archive.shelf.current()? {
            Form::of(&contents)?;
        }
        Ok(archive)
    }

    /// Gives images that are put the name of `repository`, which `docker load` loads them
    /// under. Otherwise it is the one name of the images that are there, or that of the file.
    #[must_use]
    pub fn named(mut self, repository: Repository) -> Self {
        self.name = Some(repository);
        self
    }

    /// The file, as it was given to [`DockerArchive::open`].
    #[must_use]
    pub fn path(&self) -> &Path {
        self.shelf.path()
    }

    /// The image that is meant when no tag is given: the only one.
    ///
    /// # Errors
    /// When there is none or several; these are listed. As [`Store::get`] besides.
    pub async fn only_image(&self) -> Result<Selector, StoreError> {
        let only = self.read(|contents, form| match form {
            Form::Layout(_) => contents.only_image(),
            Form::Files(saved) => form::only_image(contents, saved, |image| {
                Ok(image::manifest(contents, image)?.digest().clone())
            }),
        });
        only.await?.ok_or_else(|| error::none(self.path()))
    }

    /// What `work` reads of the archive; `None` when there is no file yet.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Contents, &Form) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<Option<T>, StoreError> {
        self.blocking(move |shelf| match shelf.current()? {
            None => Ok(None),
            Some(contents) => work(&contents, &Form::of(&contents)?).map(Some),
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shelf) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shelf = Arc::clone(&self.shelf);
        blocking(format!("use archive {}", self.path().display()), move || work(&shelf)).await
    }
}

fn ambiguous(path: &Path, error: SeveralTagged) -> StoreError {
    let remedy = format!("name the image by its digest, or untag {}", error.tag);
    StoreError::new(Blame::Conflict, format!("read archive {}", path.display()))
        .with_remedy(remedy)
        .with_source(error)
}

/// The manifest that `selector` means in an archive without manifests.
fn find(
    contents: &Contents,
    images: &[SavedImage],
    tagged: Option<&SavedImage>,
    selector: &Selector,
) -> Result<Option<Manifest>, StoreError> {
    match selector {
        Selector::Tag(_) => tagged.map(|image| image::manifest(contents, image)).transpose(),
        Selector::Digest(digest) => {
            for image in images {
                let manifest = image::manifest(contents, image)?;
                if manifest.digest() == digest {
                    return Ok(Some(manifest));
                }
            }
            Ok(None)
        }
    }
}

fn manifest(
    contents: &Contents,
    form: &Form,
    selector: &Selector,
) -> Result<Option<Manifest>, StoreError> {
    let saved = match form {
        Form::Layout(_) => return contents.manifest(selector),
        Form::Files(saved) => saved,
    };
    let tagged = match selector {
        Selector::Tag(tag) => {
            saved.tagged(tag).map_err(|error| ambiguous(contents.path(), error))?
        }
        Selector::Digest(_) => None,
    };
    find(contents, &saved.images, tagged, selector)
}

/// Where a blob lies in an archive that names nothing by its digest. All of it is hashed, once.
fn file<'a>(
    contents: &'a Contents,
    images: &[SavedImage],
    blob: &Descriptor,
) -> Result<Option<&'a Entry>, StoreError> {
    for image in images {
        for part in image::parts(contents, image)? {
            if part.descriptor.digest == blob.digest && part.descriptor.size == blob.size {
                return Ok(Some(part.entry));
            }
        }
    }
    Ok(None)
}

#[async_trait]
impl Store for DockerArchive {
    async fn tags(&self) -> Result<BTreeSet<Tag>, StoreError> {
        let tags = self.read(|contents, form| match form {
            Form::Layout(_) => contents.tags(),
            Form::Files(saved) => saved.tags().map_err(|error| ambiguous(contents.path(), error)),
        });
        Ok(tags.await?.unwrap_or_default())
    }

    async fn head(&self, selector: &Selector) -> Result<Option<Descriptor>, StoreError> {
        let selector = selector.clone();
        let head = self.read(move |contents, form| match form {
            Form::Layout(_) => contents.head(&selector),
            Form::Files(_) => {
                let manifest = manifest(contents, form, &selector)?;
                Ok(manifest.map(|manifest| manifest.descriptor().clone()))
            }
        });
        Ok(head.await?.flatten())
    }

    async fn get(&self, selector: &Selector) -> Result<Option<Manifest>, StoreError> {
        let selector = selector.clone();
        let get = self.read(move |contents, form| manifest(contents, form, &selector));
        Ok(get.await?.flatten())
    }

    async fn put(&self, tag: &Tag, manifest: &Manifest) -> Result<(), StoreError> {
        let (tag, manifest, name) = (tag.clone(), manifest.clone(), self.name.clone());
        self.blocking(move |shelf| write::put(shelf, &tag, &manifest, name.as_ref())).await
    }

    async fn untag(&self, tag: &Tag) -> Result<(), StoreError> {
        let tag = tag.clone();
        self.blocking(move |shelf| write::untag(shelf, &tag)).await
    }
}

#[async_trait]
impl BlobSource for DockerArchive {
    async fn open_blob_at(
        &self,
        blob: &Descriptor,
        offset: u64,
    ) -> Result<Option<BlobReader>, StoreError> {
        let blob = blob.clone();
        self.blocking(move |shelf| {
            if let Some(reader) = oci::open_blob(shelf, &blob, offset)? {
                return Ok(Some(reader));
            }
            let Some(contents) = shelf.current()? else { return Ok(None) };
            let Form::Files(saved) = Form::of(&contents)? else { return Ok(None) };
            let file = file(&contents, &saved.images, &blob)?;
            Ok(file.map(|entry| contents.reader(entry, offset)))
        })
        .await
    }
}

#[async_trait]
impl BlobSink for DockerArchive {
    async fn has_blob(&self, blob: &Descriptor) -> Result<bool, StoreError> {
        let blob = blob.clone();
        self.blocking(move |shelf| has_blob(shelf, &blob)).await
    }

    async fn write_blob(&self, blob: &Descriptor, reader: BlobReader) -> Result<(), StoreError> {
        if self.has_blob(blob).await? {
            return Ok(());
        }
        self.shelf.write_blob(blob, reader).await
    }

    async fn put_manifest(&self, manifest: &Manifest) -> Result<(), StoreError> {
        let manifest = manifest.clone();
        self.blocking(move |shelf| {
            write::check(shelf.path(), &manifest)?;
            shelf.write_manifest(&manifest)
        })
        .await
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.blocking(write::flush).await
    }
}

fn has_blob(shelf: &Shelf, blob: &Descriptor) -> Result<bool, StoreError> {
    if shelf.has(blob)? {
        return Ok(true);
    }
    let Some(contents) = shelf.current()? else { return Ok(false) };
    match Form::of(&contents)? {
        Form::Layout(_) => Ok(false),
        Form::Files(saved) => Ok(file(&contents, &saved.images, blob)?.is_some()),
    }
}
