//! `oci-archive:FILE`: an OCI layout in a tar file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;

use crate::archive::contents::Contents;
use crate::archive::error;
use crate::archive::shelf::{Files, Shelf};
use crate::blob::{BlobReader, BlobSink, BlobSource};
use crate::blocking::blocking;
use crate::layout::index::{EMPTY, Index};
use crate::layout::version;
use crate::manifest::{Descriptor, Manifest};
use crate::reference::Selector;
use crate::store::{Blame, Store, StoreError};
use crate::tag::Tag;

/// A tar file of an [OCI image layout][spec], as `docker buildx build --output type=oci` and
/// skopeo's `oci-archive:` write it: one repository in one file.
///
/// It is read where its entries lie, and never unpacked. Its tags are those of a
/// [`Layout`](crate::Layout). Every tag that is put or removed writes the file anew, in one
/// step, with everything else it holds as it was; so does [`BlobSink::flush`]. Blobs and
/// manifests without a tag wait for one of these beside it, and go with the last clone of this
/// when none comes. Any number of processes may write one archive: they take turns.
///
/// [spec]: https://github.com/opencontainers/image-spec/blob/main/image-layout.md
#[derive(Clone, Debug)]
pub struct OciArchive {
    shelf: Arc<Shelf>,
}

impl OciArchive {
    /// Opens the archive at `path`, and reads its headers and its index.
    ///
    /// # Errors
    /// [`Blame::NotFound`] when there is nothing at `path`, [`Blame::Unsupported`] for another
    /// version of the layout or a compressed file; [`Blame::Local`] when it is no archive of a
    /// layout, or cannot be read.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let archive = Self { shelf: Arc::new(Shelf::new(path.into())) };
        checked(&*archive.shelf.existing()?)?;
        Ok(archive)
    }

    /// Opens the archive at `path`, or one that is empty until the first tag is put.
    ///
    /// # Errors
    /// As [`OciArchive::open`], but not when there is nothing at `path`.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let archive = Self { shelf: Arc::new(Shelf::new(path.into())) };
        if let Some(contents) = archive.shelf.current()? {
            checked(&contents)?;
        }
        Ok(archive)
    }

    /// The file, as it was given to [`OciArchive::open`].
    #[must_use]
    pub fn path(&self) -> &Path {
        self.shelf.path()
    }

    /// The image that is meant when no tag is given: the only one.
    ///
    /// # Errors
    /// When there is none or several; these are listed. As [`Store::tags`] besides.
    pub async fn only_image(&self) -> Result<Selector, StoreError> {
        self.read(Contents::only_image).await?.ok_or_else(|| error::none(self.path()))
    }

    /// What `work` reads of the archive; `None` when there is no file yet.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Contents) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<Option<T>, StoreError> {
        self.blocking(move |shelf| match shelf.current()? {
            None => Ok(None),
            Some(contents) => checked(&contents).and_then(work).map(Some),
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

/// `contents`, when they are a layout of the right version.
fn checked(contents: &Contents) -> Result<&Contents, StoreError> {
    contents.check_layout()?;
    contents.index()?;
    Ok(contents)
}

/// The files of a layout with that index, as far as `current` does not have them.
pub(super) fn layout_files(current: Option<&Contents>, index: &Index) -> Result<Files, StoreError> {
    let mut files = Files::new();
    match current {
        None => files.push(("oci-layout", version::text())),
        Some(current) if current.text("index.json")?.as_deref() == Some(index.text()) => {
            return Ok(files);
        }
        Some(_) => {}
    }
    files.push(("index.json", index.text().to_owned()));
    Ok(files)
}

/// The index of `current`, or an empty one.
pub(super) fn index_of(current: Option<&Contents>, path: &Path) -> Result<Index, StoreError> {
    match current {
        Some(current) => checked(current)?.index(),
        None => Index::parse(EMPTY.to_owned()).map_err(|error| error::index(path, error)),
    }
}

/// The reader of a blob at `offset`, from what is to be added or what is there.
pub(super) fn open_blob(
    shelf: &Shelf,
    blob: &Descriptor,
    offset: u64,
) -> Result<Option<BlobReader>, StoreError> {
    let path = shelf.path();
    if offset > blob.size {
        let message = format!(
            "read {} of archive {}: byte {offset} is behind its end",
            blob.digest,
            path.display()
        );
        return Err(StoreError::new(Blame::Local, message));
    }
    if let Some(reader) = shelf.staged(blob, offset) {
        return Ok(Some(reader));
    }
    let Some(contents) = shelf.current()? else { return Ok(None) };
    let Some(entry) = contents.blob(&blob.digest)? else { return Ok(None) };
    let size = entry.data.end - entry.data.start;
    if size != blob.size {
        let reason = format!("it has {size} bytes, its manifest says {}", blob.size);
        return Err(error::damaged(path, blob.digest.as_str(), &reason));
    }
    Ok(Some(contents.reader(entry, offset)))
}

#[async_trait]
impl Store for OciArchive {
    async fn tags(&self) -> Result<BTreeSet<Tag>, StoreError> {
        Ok(self.read(Contents::tags).await?.unwrap_or_default())
    }

    async fn head(&self, selector: &Selector) -> Result<Option<Descriptor>, StoreError> {
        let selector = selector.clone();
        Ok(self.read(move |contents| contents.head(&selector)).await?.flatten())
    }

    async fn get(&self, selector: &Selector) -> Result<Option<Manifest>, StoreError> {
        let selector = selector.clone();
        Ok(self.read(move |contents| contents.manifest(&selector)).await?.flatten())
    }

    async fn put(&self, tag: &Tag, manifest: &Manifest) -> Result<(), StoreError> {
        let (tag, manifest) = (tag.clone(), manifest.clone());
        let edit = move |current: Option<&Contents>, path: &Path, manifest: &Manifest| {
            let index = index_of(current, path)?;
            let new = manifest.descriptor();
            let old = index.tagged(&tag).map_err(|error| error::ambiguous(path, error))?;
            if old == Some(new) {
                return Ok(Files::new());
            }
            let index = index.with_tag(&tag, new).map_err(|error| error::index(path, error))?;
            layout_files(current, &index)
        };
        self.blocking(move |shelf| {
            // It waits with the blobs, and comes with the index that names it.
            shelf.write_manifest(&manifest)?;
            shelf.commit(|current| edit(current, shelf.path(), &manifest))
        })
        .await
    }

    async fn untag(&self, tag: &Tag) -> Result<(), StoreError> {
        let tag = tag.clone();
        self.blocking(move |shelf| {
            let path = shelf.path();
            shelf.commit(|current| {
                let Some(contents) = current else { return Ok(Files::new()) };
                let index = checked(contents)?.index()?;
                let index = index.without_tag(&tag).map_err(|error| error::index(path, error))?;
                layout_files(current, &index)
            })
        })
        .await
    }
}

#[async_trait]
impl BlobSource for OciArchive {
    async fn open_blob_at(
        &self,
        blob: &Descriptor,
        offset: u64,
    ) -> Result<Option<BlobReader>, StoreError> {
        let blob = blob.clone();
        self.blocking(move |shelf| open_blob(shelf, &blob, offset)).await
    }
}

#[async_trait]
impl BlobSink for OciArchive {
    async fn has_blob(&self, blob: &Descriptor) -> Result<bool, StoreError> {
        let blob = blob.clone();
        self.blocking(move |shelf| shelf.has(&blob)).await
    }

    async fn write_blob(&self, blob: &Descriptor, reader: BlobReader) -> Result<(), StoreError> {
        self.shelf.write_blob(blob, reader).await
    }

    async fn put_manifest(&self, manifest: &Manifest) -> Result<(), StoreError> {
        let manifest = manifest.clone();
        self.blocking(move |shelf| shelf.write_manifest(&manifest)).await
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.blocking(move |shelf| {
            if shelf.is_idle() {
                return Ok(());
            }
            shelf.commit(|current| layout_files(current, &index_of(current, shelf.path())?))
        })
        .await
    }
}
