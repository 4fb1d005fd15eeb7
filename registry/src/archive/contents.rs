//! An archive as it was at one moment.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;

use crate::archive::error;
use crate::archive::tar::{Entry, ReadAt as _, Tar, TarError};
use crate::blob::{BlobReader, Hasher, chunks};
use crate::digest::Digest;
use crate::manifest::{Descriptor, MediaType};
use crate::store::{Blame, StoreError};

/// More than any manifest or index has: what is read into memory is no layer.
const LARGEST_TEXT: u64 = 32 << 20;

/// An open archive and where its entries lie. A writer replaces the file and changes none, so
/// that this stays true while it is open.
#[derive(Debug)]
pub(super) struct Contents {
    path: PathBuf,
    file: Arc<File>,
    stamp: Stamp,
    pub(super) tar: Tar,
    /// What was hashed so far, by name: docker save names nothing by its digest.
    described: Mutex<HashMap<String, Descriptor>>,
}

/// What tells one file at a path from the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
    /// Device and number, where there are such.
    id: Option<(u64, u64)>,
}

impl Stamp {
    pub(super) fn of(found: &Metadata) -> Self {
        #[cfg(unix)]
        let id = {
            use std::os::unix::fs::MetadataExt as _;
            Some((found.dev(), found.ino()))
        };
        #[cfg(not(unix))]
        let id = None;
        Self { length: found.len(), modified: found.modified().ok(), id }
    }

    /// Whether both are the same file, whatever was done to it.
    pub(super) fn is_same_file(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

/// Where the content of `digest` lies in a layout.
pub(super) fn blob_name(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.encoded())
}

impl Contents {
    /// Reads all headers of the archive at `path`; `None` when nothing is there.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, StoreError> {
        let failed = |error| error::local(format!("open archive {}", path.display()), error);
        // Before it is opened: opening a pipe would wait for whoever writes to it.
        let found = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            found => found.map_err(failed)?,
        };
        if found.is_dir() {
            let remedy = "name a layout in a directory as oci:DIR";
            return Err(error::wrong_kind(path, "it is a directory", remedy));
        }
        if !found.is_file() {
            let remedy = "write it to a file first: archives are read in no order";
            return Err(error::wrong_kind(path, "it is no file", remedy));
        }
        let file = File::open(path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?;
        let tar = Tar::read(&file).map_err(|error| error::tar(path, error))?;
        let (path, file, stamp) = (path.to_owned(), Arc::new(file), Stamp::of(&found));
        Ok(Some(Self { path, file, stamp, tar, described: Mutex::default() }))
    }

    /// The path it was opened by.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self) -> &Arc<File> {
        &self.file
    }

    pub(super) fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// The text of the file `name`; `None` when there is none.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, StoreError> {
        let failed = |error| error::tar(&self.path, error);
        let Some(entry) = self.tar.file(name).map_err(failed)? else { return Ok(None) };
        let text = String::from_utf8(self.bytes(entry)?.to_vec());
        text.map(Some).map_err(|error| error::file(&self.path, name, error))
    }

    /// The whole content of `entry`, which must not be a layer.
    pub(super) fn bytes(&self, entry: &Entry) -> Result<Bytes, StoreError> {
        let size = entry.data.end - entry.data.start;
        if size > LARGEST_TEXT {
            let message = format!(
                "read {:?} of archive {}: no manifest has {size} bytes",
                entry.path,
                self.path.display()
            );
            return Err(StoreError::new(Blame::Unsupported, message));
        }
        let mut bytes = vec![0; usize::try_from(size).expect("a small number")];
        let read = self.file.read_exact_at(&mut bytes, entry.data.start);
        read.map_err(|error| error::tar(&self.path, TarError::Io(error)))?;
        Ok(Bytes::from(bytes))
    }

    /// Media type, digest and size of `entry`, which is read once for it. `media_type` says what
    /// it is by how it starts.
    pub(super) fn describe(
        &self,
        entry: &Entry,
        media_type: fn(&[u8]) -> &'static str,
    ) -> Result<Descriptor, StoreError> {
        let described = || self.described.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = described().get(&entry.path) {
            return Ok(known.clone());
        }
        let failed = |error| error::tar(&self.path, TarError::Io(error));
        let mut hasher = Hasher::new("sha256").expect("sha256 is known");
        let mut buffer = vec![0; 256 << 10];
        let mut found = None;
        let mut at = entry.data.start;
        while at < entry.data.end || found.is_none() {
            let length = (entry.data.end - at).min(buffer.len() as u64);
            let chunk = &mut buffer[..usize::try_from(length).expect("no more than the buffer")];
            self.file.read_exact_at(chunk, at).map_err(failed)?;
            found.get_or_insert_with(|| media_type(chunk));
            hasher.update(chunk);
            at += length;
        }
        let media_type = MediaType::new(found.unwrap_or_default());
        let size = entry.data.end - entry.data.start;
        let descriptor = Descriptor { media_type, digest: hasher.finish(), size };
        described().insert(entry.path.clone(), descriptor.clone());
        Ok(descriptor)
    }

    /// Where the blob of `digest` lies, by its name.
    pub(super) fn blob(&self, digest: &Digest) -> Result<Option<&Entry>, StoreError> {
        self.tar.file(&blob_name(digest)).map_err(|error| error::tar(&self.path, error))
    }

    /// The content of `entry` from `offset` on.
    pub(super) fn reader(&self, entry: &Entry, offset: u64) -> BlobReader {
        let start = entry.data.start + offset;
        let name = format!("{} of archive {}", entry.path, self.path.display());
        chunks(Arc::clone(&self.file), start..entry.data.end, name)
    }
}
