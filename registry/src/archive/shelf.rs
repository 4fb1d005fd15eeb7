//! The place of an archive: what is there now, and what shall be.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::archive::contents::{Contents, Stamp, blob_name};
use crate::archive::error;
use crate::archive::staging::{Place, PlaceWriter, Staging};
use crate::archive::tar::{Header, ReadAt as _};
use crate::blob::{BlobReader, chunks, write_verified};
use crate::blocking::blocking;
use crate::digest::Digest;
use crate::layout::file;
use crate::manifest::{Descriptor, Manifest};
use crate::store::StoreError;

/// How long another process may hold the lock: it copies the whole archive.
const PATIENCE: Duration = Duration::from_secs(600);

/// The blocks that end a tar file.
const END: [u8; 1024] = [0; 1024];

/// The path of an archive, what was last found there, and blobs that are to be added.
#[derive(Debug)]
pub(super) struct Shelf {
    path: PathBuf,
    seen: Mutex<Option<Arc<Contents>>>,
    staged: Mutex<Option<Arc<Staging>>>,
    /// Writers of this process, which no lock on a file keeps apart while there is none.
    turn: Mutex<()>,
}

/// Files that an archive shall have, whatever it had under their names.
pub(super) type Files = Vec<(&'static str, String)>;

impl Shelf {
    pub(super) fn new(path: PathBuf) -> Self {
        let (seen, staged, turn) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { path, seen, staged, turn }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What is at the path now; `None` when nothing is.
    pub(super) fn current(&self) -> Result<Option<Arc<Contents>>, StoreError> {
        let mut seen = locked(&self.seen);
        let found = fs::metadata(&self.path).ok().map(|found| Stamp::of(&found));
        if let (Some(seen), Some(found)) = (&*seen, &found)
            && seen.stamp() == found
        {
            return Ok(Some(Arc::clone(seen)));
        }
        *seen = Contents::open(&self.path)?.map(Arc::new);
        Ok(seen.clone())
    }

    /// What is at the path now, which must be something.
    pub(super) fn existing(&self) -> Result<Arc<Contents>, StoreError> {
        self.current()?.ok_or_else(|| error::missing(&self.path))
    }

    /// A blob that is to be added, from `offset` on.
    pub(super) fn staged(&self, blob: &Descriptor, offset: u64) -> Option<BlobReader> {
        let staging = locked(&self.staged).clone()?;
        let place = staging.whole(blob)?;
        let name = format!("{}", staging.path().display());
        let file = Arc::clone(staging.file());
        Some(chunks(file, place.data.start + offset..place.data.end, name))
    }

    /// Whether nothing is to be added.
    pub(super) fn is_idle(&self) -> bool {
        locked(&self.staged).as_ref().is_none_or(|staging| staging.all().is_empty())
    }

    /// Whether a blob is there, or to be added.
    pub(super) fn has(&self, blob: &Descriptor) -> Result<bool, StoreError> {
        if locked(&self.staged).as_ref().is_some_and(|staging| staging.whole(blob).is_some()) {
            return Ok(true);
        }
        let Some(contents) = self.current()? else { return Ok(false) };
        let size = |range: &Range<u64>| range.end - range.start;
        Ok(contents.blob(&blob.digest)?.is_some_and(|entry| size(&entry.data) == blob.size))
    }

    /// Takes in a blob that is to be added.
    pub(super) async fn write_blob(
        self: &Arc<Self>,
        blob: &Descriptor,
        reader: BlobReader,
    ) -> Result<(), StoreError> {
        let (shelf, wanted) = (Arc::clone(self), blob.clone());
        let reserved = blocking(self.attempt(), move || {
            if shelf.has(&wanted)? { Ok(None) } else { shelf.reserve(&wanted).map(Some) }
        });
        let Some(writer) = reserved.await? else { return Ok(()) };
        write_verified(blob, reader, writer, self.attempt(), error::local).await?.finish();
        Ok(())
    }

    /// Takes in a manifest that is to be added.
    pub(super) fn write_manifest(&self, manifest: &Manifest) -> Result<(), StoreError> {
        let blob = manifest.descriptor();
        if self.holds(manifest)? {
            return Ok(());
        }
        let mut writer = self.reserve(blob)?;
        let written = writer.write_all(manifest.bytes());
        written.map_err(|error| error::local(self.attempt(), error))?;
        writer.finish();
        Ok(())
    }

    /// Whether the very bytes are there: unlike those of a layer, they are read in no time.
    fn holds(&self, manifest: &Manifest) -> Result<bool, StoreError> {
        let blob = manifest.descriptor();
        if self.staged(blob, 0).is_some() {
            return Ok(true);
        }
        let Some(contents) = self.current()? else { return Ok(false) };
        Ok(self.has(blob)? && contents.blob_bytes(&blob.digest)?.as_ref() == Some(manifest.bytes()))
    }

    fn reserve(&self, blob: &Descriptor) -> Result<PlaceWriter, StoreError> {
        let failed = |error| error::local(self.attempt(), error);
        // Held until the place is taken: a commit could drop what looks empty.
        let mut staged = locked(&self.staged);
        let staging = match &*staged {
            Some(staging) => Arc::clone(staging),
            None => {
                let target = self.target().map_err(failed)?;
                let new = Staging::new(file::parent(&target)).map_err(failed)?;
                Arc::clone(staged.insert(new))
            }
        };
        staging.reserve(blob).map_err(failed)
    }

    /// Writes the archive anew: what is there, what is to be added, and the files that `edit`
    /// makes of what is there. Nothing is written when none of this changes it.
    ///
    /// `edit` is asked again when another process was faster.
    pub(super) fn commit(
        &self,
        edit: impl Fn(Option<&Contents>) -> Result<Files, StoreError>,
    ) -> Result<(), StoreError> {
        let failed = |error| error::local(self.attempt(), error);
        let _turn = locked(&self.turn);
        loop {
            let _lock = self.lock().map_err(failed)?;
            let current = self.current()?;
            let files = edit(current.as_deref())?;
            let staging = locked(&self.staged).clone();
            let blobs = staging.as_ref().map(|staging| staging.all()).unwrap_or_default();
            if files.is_empty() && blobs.is_empty() {
                return Ok(());
            }
            let rewrite = Rewrite { current: current.as_deref(), files: &files, blobs: &blobs };
            let target = self.target().map_err(failed)?;
            let mut new = file::temporary(file::parent(&target)).map_err(failed)?;
            rewrite.write(staging.as_deref(), new.as_file_mut()).map_err(failed)?;
            let placed = match current {
                Some(_) => file::persist(new, &target),
                None => file::persist_new(new, &target),
            };
            match placed {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                placed => {
                    placed.map_err(failed)?;
                    self.forget(&blobs);
                    return Ok(());
                }
            }
        }
    }

    fn forget(&self, blobs: &[(Digest, Place)]) {
        let mut staged = locked(&self.staged);
        if staged.as_ref().is_some_and(|staging| staging.forget(blobs)) {
            *staged = None;
        }
    }

    /// Takes the lock of the archive that is at the path; nothing when none is.
    fn lock(&self) -> io::Result<Option<File>> {
        loop {
            let lock = match file::lock(&self.path, PATIENCE) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                lock => lock?,
            };
            // Whoever had it may have put another file in its place.
            let locked = Stamp::of(&lock.metadata()?);
            match fs::metadata(&self.path) {
                Ok(found) if Stamp::of(&found).is_same_file(&locked) => return Ok(Some(lock)),
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }

    /// The file to replace: what a symbolic link points at.
    fn target(&self) -> io::Result<PathBuf> {
        match self.path.canonicalize() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(self.path.clone()),
            target => target,
        }
    }

    fn attempt(&self) -> String {
        format!("write archive {}", self.path.display())
    }
}

/// What goes into a new archive.
struct Rewrite<'a> {
    current: Option<&'a Contents>,
    files: &'a Files,
    blobs: &'a [(Digest, Place)],
}

impl Rewrite<'_> {
    /// What changes most often comes last, so that the start can be shared with the old file
    /// where the file system does that.
    fn write(&self, staging: Option<&Staging>, to: &mut File) -> io::Result<()> {
        if let Some(current) = self.current {
            for range in self.kept(current) {
                copy(current.file(), range, to)?;
            }
        }
        if let Some(staging) = staging {
            for (_, place) in self.blobs {
                copy(staging.file(), place.span.clone(), to)?;
            }
        }
        for (name, content) in self.files {
            let size = content.len() as u64;
            match self.current.and_then(|current| Some((current, current.tar.get(name)?))) {
                Some((current, old)) => {
                    let mut block = [0; 512];
                    current.file().read_exact_at(&mut block, old.header)?;
                    to.write_all(Header::from(block).renewed(name, size).bytes())?;
                }
                None => to.write_all(&Header::of_file(name, size))?,
            }
            to.write_all(content.as_bytes())?;
            to.write_all(&END[..content.len().next_multiple_of(512) - content.len()])?;
        }
        to.write_all(&END)
    }

    /// The parts of the current archive that stay, as few as possible.
    fn kept(&self, current: &Contents) -> Vec<Range<u64>> {
        let blobs: Vec<String> = self.blobs.iter().map(|(digest, _)| blob_name(digest)).collect();
        let mut kept = Vec::new();
        let mut start = 0;
        for entry in current.tar.entries() {
            let replaced = self.files.iter().any(|(name, _)| *name == entry.path)
                || blobs.contains(&entry.path);
            if replaced {
                kept.push(start..entry.span.start);
                start = entry.span.end;
            }
        }
        kept.push(start..current.tar.end());
        kept
    }
}

/// Appends a part of one file to another, within the kernel where it can.
fn copy(from: &File, range: Range<u64>, to: &mut File) -> io::Result<()> {
    let length = range.end.saturating_sub(range.start);
    let mut from = from;
    // The position is used here alone: everybody else reads and writes at offsets.
    from.seek(SeekFrom::Start(range.start))?;
    if io::copy(&mut from.take(length), to)? == length {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
