//! Blobs on their way into an archive: entries of a tar file that is none yet.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tempfile::NamedTempFile;

use crate::archive::contents::blob_name;
use crate::archive::tar::Header;
use crate::digest::Digest;
use crate::layout::file;
use crate::manifest::Descriptor;

/// A temporary file of tar entries. Each blob has its place before its content comes, so that
/// several are written at once; it goes when nobody needs it any more.
#[derive(Debug)]
pub(super) struct Staging {
    temporary: NamedTempFile,
    file: Arc<File>,
    places: Mutex<Places>,
}

#[derive(Debug, Default)]
struct Places {
    end: u64,
    whole: BTreeMap<Digest, Place>,
    /// How many are being written.
    open: usize,
}

/// Where the entry of a blob lies.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Headers, content and padding.
    pub(super) span: Range<u64>,
    /// The content.
    pub(super) data: Range<u64>,
}

/// Writes one blob to its place.
pub(super) struct PlaceWriter {
    staging: Arc<Staging>,
    digest: Digest,
    place: Place,
    at: u64,
}

impl Staging {
    /// An empty one in `directory`.
    pub(super) fn new(directory: &Path) -> io::Result<Arc<Self>> {
        let temporary = file::temporary(directory)?;
        let file = Arc::new(temporary.as_file().try_clone()?);
        Ok(Arc::new(Self { temporary, file, places: Mutex::default() }))
    }

    pub(super) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Where the temporary file lies.
    pub(super) fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// Writes the header of `blob`, and keeps the place behind it.
    pub(super) fn reserve(self: &Arc<Self>, blob: &Descriptor) -> io::Result<PlaceWriter> {
        let headers = Header::of_file(&blob_name(&blob.digest), blob.size);
        let place = {
            let mut places = self.places();
            let start = places.end;
            let data = start + headers.len() as u64;
            let end = data
                .checked_add(blob.size)
                .and_then(|end| end.checked_next_multiple_of(512))
                .filter(|end| i64::try_from(*end).is_ok())
                .ok_or(io::ErrorKind::FileTooLarge)?;
            // So long that the padding is there, which nobody writes.
            self.file.set_len(end)?;
            places.end = end;
            places.open += 1;
            Place { span: start..end, data: data..data + blob.size }
        };
        let (staging, digest, at) = (Arc::clone(self), blob.digest.clone(), place.span.start);
        let mut writer = PlaceWriter { staging, digest, place, at };
        writer.write_all(&headers)?;
        Ok(writer)
    }

    /// Where the content of `blob` lies, when all of it is there.
    pub(super) fn whole(&self, blob: &Descriptor) -> Option<Place> {
        let places = self.places();
        let place = places.whole.get(&blob.digest);
        place.filter(|place| place.data.end - place.data.start == blob.size).cloned()
    }

    /// All blobs that are whole, in the order of their places.
    pub(super) fn all(&self) -> Vec<(Digest, Place)> {
        let places = self.places();
        let mut all: Vec<(Digest, Place)> =
            places.whole.iter().map(|(digest, place)| (digest.clone(), place.clone())).collect();
        all.sort_by_key(|(_, place)| place.span.start);
        all
    }

    /// Forgets what is in the archive now; says whether nothing else is here or to come.
    pub(super) fn forget(&self, blobs: &[(Digest, Place)]) -> bool {
        let mut places = self.places();
        places.whole.retain(|digest, _| blobs.iter().all(|(gone, _)| gone != digest));
        places.open == 0 && places.whole.is_empty()
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PlaceWriter {
    /// The content is all there, and right.
    pub(super) fn finish(self) {
        let mut places = self.staging.places();
        places.whole.insert(self.digest.clone(), self.place.clone());
    }
}

impl Drop for PlaceWriter {
    fn drop(&mut self) {
        // A place that was not finished stays empty: nothing ever refers to it.
        self.staging.places().open -= 1;
    }
}

impl Write for PlaceWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.at + bytes.len() as u64 > self.place.data.end {
            // The blob behind this one would be overwritten.
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let count = write_at(&self.staging.file, bytes, self.at)?;
        self.at += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::write_at(file, bytes, offset)
}

#[cfg(windows)]
fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_write(file, bytes, offset)
}
