//! OCI image layouts: a repository in a directory.

pub(crate) mod blob;
mod blobs;
mod create;
mod error;
pub(crate) mod file;
pub(crate) mod index;
pub(crate) mod json;
mod referrers;
pub(crate) mod version;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;

use crate::blocking::blocking;
use crate::digest::Digest;
use crate::layout::index::{Index, IndexError};
use crate::manifest::{Descriptor, Manifest};
use crate::reference::Selector;
use crate::store::{Blame, Store, StoreError};
use crate::tag::Tag;

/// A directory in the [OCI image layout][spec]: one repository, with no server.
///
/// Its tags are the `org.opencontainers.image.ref.name` annotations of `index.json`; a name
/// that is no legal tag is kept and ignored. A write changes the entries it concerns and leaves
/// every other byte of the file as it was. Any number of processes may write one layout at
/// once: they take turns by a lock on its `oci-layout` file, and readers see the index as it
/// was before a write or after it.
///
/// [spec]: https://github.com/opencontainers/image-spec/blob/main/image-layout.md
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
    /// There was nothing yet: the first write makes it, and until then it is empty.
    is_new: bool,
}

/// How long another process may hold the lock; writing an index takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

impl Layout {
    /// Opens the layout at `path`, and reads its index once to know that it can be read.
    ///
    /// # Errors
    /// [`Blame::NotFound`] when there is nothing at `path`, [`Blame::Unsupported`] for another
    /// version of the layout; [`Blame::Local`] when it is no layout or cannot be read.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let layout = Self { root: path.into(), is_new: false };
        let root = &layout.root;
        match fs::metadata(root) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => {
                let message = format!("open layout {}: it is no directory", root.display());
                return Err(StoreError::new(Blame::Local, message)
                    .with_remedy("name an archive as oci-archive:FILE or docker-archive:FILE"));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let message = format!("open layout {}: there is no such directory", root.display());
                return Err(StoreError::new(Blame::NotFound, message).with_remedy(
                    "check the path; a relative one starts at the working directory",
                ));
            }
            Err(error) => {
                return Err(error::local(format!("open layout {}", root.display()), error));
            }
        }
        layout.check_version()?;
        layout.index()?;
        Ok(layout)
    }

    /// The directory, as it was given to [`Layout::open`].
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Where the content of `digest` lies, if the layout has it.
    ///
    /// # Panics
    /// Never: a digest has no character that would lead out of the directory.
    #[must_use]
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        let relative = Path::new("blobs").join(digest.algorithm()).join(digest.encoded());
        let plain = |component| matches!(component, Component::Normal(_));
        assert!(relative.components().count() == 3 && relative.components().all(plain));
        self.root.join(relative)
    }

    fn version_path(&self) -> PathBuf {
        self.root.join("oci-layout")
    }

    fn index_path(&self) -> PathBuf {
        self.root.join("index.json")
    }

    fn check_version(&self) -> Result<(), StoreError> {
        let path = self.version_path();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(error::no_layout(&self.root, "it has no oci-layout file"));
            }
            Err(error) => return Err(error::local(format!("read {}", path.display()), error)),
        };
        let version =
            version::read(&text).map_err(|error| error::index(&path, IndexError::Syntax(error)))?;
        if version == version::VERSION {
            return Ok(());
        }
        let message = format!("open layout {}: it has version {version:?}", self.root.display());
        Err(StoreError::new(Blame::Unsupported, message)
            .with_remedy("write the layout again in version 1.0.0, the only one read here"))
    }

    fn index(&self) -> Result<Index, StoreError> {
        let path = self.index_path();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.is_new => {
                index::EMPTY.to_owned()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(error::no_layout(&self.root, "it has no index.json"));
            }
            Err(error) => return Err(error::local(format!("read {}", path.display()), error)),
        };
        Index::parse(text).map_err(|error| error::index(&path, error))
    }

    fn read_tags(&self) -> Result<BTreeSet<Tag>, StoreError> {
        self.index()?.tags().map_err(|error| error::ambiguous(&self.index_path(), error))
    }

    /// What the index says about `selector`.
    fn entry(&self, selector: &Selector) -> Result<Option<Descriptor>, StoreError> {
        let index = self.index()?;
        let entry = match selector {
            Selector::Digest(digest) => index.entry(digest),
            Selector::Tag(tag) => {
                index.tagged(tag).map_err(|error| error::ambiguous(&self.index_path(), error))?
            }
        };
        Ok(entry.cloned())
    }

    fn read_head(&self, selector: &Selector) -> Result<Option<Descriptor>, StoreError> {
        if let Some(descriptor) = self.entry(selector)? {
            return Ok(Some(descriptor));
        }
        // Not in the index: only the content says what it is.
        Ok(self.read_manifest(selector)?.map(|manifest| manifest.descriptor().clone()))
    }

    fn read_manifest(&self, selector: &Selector) -> Result<Option<Manifest>, StoreError> {
        let (digest, promised) = match (self.entry(selector)?, selector) {
            (Some(descriptor), _) => (descriptor.digest.clone(), Some(descriptor)),
            (None, Selector::Digest(digest)) => (digest.clone(), None),
            (None, Selector::Tag(_)) => return Ok(None),
        };
        let path = self.blob_path(&digest);
        let Some(bytes) = blob::read(&path, promised.as_ref())? else { return Ok(None) };
        let media_type = match &promised {
            Some(descriptor) => descriptor.media_type.as_str(),
            None => blob::media_type(&bytes),
        };
        let manifest = Manifest::received(bytes.clone(), media_type, Some(&digest));
        let failed = |error| StoreError::manifest(format!("read {}", path.display()), error);
        manifest.map(Some).map_err(failed)
    }

    /// Takes the lock that writers hold while they read and replace the index.
    fn lock(&self) -> Result<File, StoreError> {
        self.make()?;
        let path = self.version_path();
        file::lock(&path, PATIENCE)
            .map_err(|error| error::local(format!("lock {}", path.display()), error))
    }

    fn write_tag(&self, tag: &Tag, manifest: &Manifest) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        self.write_tag_locked(tag, manifest)
    }

    /// [`Layout::write_tag`] for who holds the lock.
    fn write_tag_locked(&self, tag: &Tag, manifest: &Manifest) -> Result<(), StoreError> {
        let new = manifest.descriptor();
        let index = self.index()?;
        let path = self.index_path();
        let old = index.tagged(tag).map_err(|error| error::ambiguous(&path, error))?;
        let same = old == Some(new);
        // The blob first: an index never names what is not there yet.
        self.write_manifest(manifest)?;
        if same {
            return Ok(());
        }
        let index = index.with_tag(tag, new).map_err(|error| error::index(&path, error))?;
        self.replace_index(&index)
    }

    fn write_manifest(&self, manifest: &Manifest) -> Result<(), StoreError> {
        let path = self.blob_path(manifest.digest());
        let same_size = |found: fs::Metadata| found.len() == manifest.descriptor().size;
        if fs::metadata(&path).is_ok_and(same_size)
            && fs::read(&path).is_ok_and(|found| found == *manifest.bytes())
        {
            return Ok(());
        }
        self.make()?;
        let failed = |error| error::local(format!("write {}", path.display()), error);
        let directory = path.parent().expect("a blob lies in a directory");
        file::create_directory(directory).map_err(failed)?;
        file::replace(&path, manifest.bytes()).map_err(failed)
    }

    fn remove_tag(&self, tag: &Tag) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        let index = self.index()?;
        let before = index.text().to_owned();
        let index =
            index.without_tag(tag).map_err(|error| error::index(&self.index_path(), error))?;
        if index.text() == before { Ok(()) } else { self.replace_index(&index) }
    }

    fn replace_index(&self, index: &Index) -> Result<(), StoreError> {
        let path = self.index_path();
        file::replace(&path, index.text().as_bytes())
            .map_err(|error| error::local(format!("replace {}", path.display()), error))
    }

    /// Does `work` where blocking is allowed. It runs to its end even if nobody waits for it.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let layout = self.clone();
        let attempt = format!("use layout {}", self.root.display());
        blocking(attempt, move || work(&layout)).await
    }
}

#[async_trait]
impl Store for Layout {
    async fn tags(&self) -> Result<BTreeSet<Tag>, StoreError> {
        self.blocking(Self::read_tags).await
    }

    async fn head(&self, selector: &Selector) -> Result<Option<Descriptor>, StoreError> {
        let selector = selector.clone();
        self.blocking(move |layout| layout.read_head(&selector)).await
    }

    async fn get(&self, selector: &Selector) -> Result<Option<Manifest>, StoreError> {
        let selector = selector.clone();
        self.blocking(move |layout| layout.read_manifest(&selector)).await
    }

    async fn put(&self, tag: &Tag, manifest: &Manifest) -> Result<(), StoreError> {
        let (tag, manifest) = (tag.clone(), manifest.clone());
        self.blocking(move |layout| layout.write_tag(&tag, &manifest)).await
    }

    async fn untag(&self, tag: &Tag) -> Result<(), StoreError> {
        let tag = tag.clone();
        self.blocking(move |layout| layout.remove_tag(&tag)).await
    }
}
