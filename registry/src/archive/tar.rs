//! Tar files: where their entries lie. Nothing is unpacked, and nothing else is read.
//!
//! Readers of tar differ in what they make of odd archives. What two of them could read as two
//! different trees is refused here, not guessed.

mod header;
mod link;
mod path;
mod pax;
mod reader;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::collections::hash_map;
use std::io;
use std::ops::Range;

pub(super) use header::Header;
pub(super) use reader::ReadAt;

use path::PathError;
use pax::PaxError;
use reader::Reader;

/// More entries than any image has; each costs memory.
const MOST_ENTRIES: usize = 1 << 17;

/// Where the entries of a tar file lie.
#[derive(Debug)]
pub(super) struct Tar {
    entries: Vec<Entry>,
    by_path: HashMap<String, usize>,
    /// Where the mark is that ends the archive.
    end: u64,
}

/// One entry of a tar file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The name, relative to the archive, without dots and doubled slashes.
    pub(super) path: String,
    pub(super) kind: Kind,
    /// Where its own header lies; headers that extend it come before.
    pub(super) header: u64,
    /// Everything of it: headers, content, padding.
    pub(super) span: Range<u64>,
    /// Its content.
    pub(super) data: Range<u64>,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
    /// A symbolic link, to a path relative to its own directory.
    Symbolic(String),
    /// Another name of the entry at that path.
    Hard(String),
    /// A device, pipe or whatever else.
    Other,
}

/// A file that is no tar file, or not one that can be trusted.
#[derive(Debug, thiserror::Error)]
pub(super) enum TarError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it is compressed with {0}")]
    Compressed(&'static str),
    #[error("it is no tar file")]
    NoTar,
    #[error("the header at byte {0} is damaged")]
    Header(u64),
    #[error("it is cut off: it has {length} bytes, and {what} goes to byte {end}")]
    Truncated { what: String, end: u64, length: u64 },
    #[error("the entry at byte {at} has an illegal name")]
    Path { at: u64, source: PathError },
    #[error("the extended header at byte {at} is damaged")]
    Pax { at: u64, source: PaxError },
    #[error("the entry at byte {0} has two names")]
    TwoNames(u64),
    #[error("the entry at byte {at} has a name of {size} bytes")]
    LongName { at: u64, size: u64 },
    #[error("{0:?} is there twice")]
    Twice(String),
    #[error("{0:?} has content, and is no file")]
    Content(String),
    #[error("{0:?} is a sparse file")]
    Sparse(String),
    #[error("it has more than {MOST_ENTRIES} entries")]
    TooMany,
    #[error("{path:?} is a link to {target:?}, which is not in the archive")]
    Astray { path: String, target: String },
    #[error("{0:?} is a link that leads to itself")]
    Loop(String),
    #[error("{path:?} is {what}, not a file")]
    NoFile { path: String, what: &'static str },
}

impl Tar {
    /// Reads all headers of `file`, and no content.
    pub(super) fn read(file: &(impl ReadAt + ?Sized)) -> Result<Self, TarError> {
        let length = file.length()?;
        check_magic(file)?;
        let mut tar = Self { entries: Vec::new(), by_path: HashMap::new(), end: 0 };
        let mut reader = Reader::new(file, length);
        while let Some(entry) = reader.entry()? {
            tar.end = entry.span.end;
            tar.add(entry)?;
        }
        Ok(tar)
    }

    /// All entries, in their order.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Where the mark is that ends the archive.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// The entry of that name, whatever it is.
    pub(super) fn get(&self, path: &str) -> Option<&Entry> {
        self.by_path.get(path).map(|at| &self.entries[*at])
    }

    /// The file of that name; anything else of that name is an error.
    pub(super) fn file(&self, path: &str) -> Result<Option<&Entry>, TarError> {
        let Some(entry) = self.get(path) else { return Ok(None) };
        let what = match entry.kind {
            Kind::File => return Ok(Some(entry)),
            Kind::Directory => "a directory",
            Kind::Symbolic(_) => "a symbolic link",
            Kind::Hard(_) => "a hard link",
            Kind::Other => "something special",
        };
        Err(TarError::NoFile { path: path.to_owned(), what })
    }

    fn add(&mut self, entry: Entry) -> Result<(), TarError> {
        if self.entries.len() == MOST_ENTRIES {
            return Err(TarError::TooMany);
        }
        match self.by_path.entry(entry.path.clone()) {
            hash_map::Entry::Vacant(vacant) => {
                vacant.insert(self.entries.len());
            }
            // A directory has nothing that could differ.
            hash_map::Entry::Occupied(other)
                if entry.kind == Kind::Directory
                    && self.entries[*other.get()].kind == Kind::Directory => {}
            hash_map::Entry::Occupied(_) => return Err(TarError::Twice(entry.path)),
        }
        self.entries.push(entry);
        Ok(())
    }
}

/// Tells compressed files from tar files.
fn check_magic(file: &(impl ReadAt + ?Sized)) -> Result<(), TarError> {
    let mut start = [0; 6];
    let mut filled = 0;
    while filled < start.len() {
        match file.read_at(&mut start[filled..], filled as u64)? {
            0 => break,
            count => filled += count,
        }
    }
    let magics: [(&[u8], &str); 4] = [
        (b"\x1f\x8b", "gzip"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\xfd7zXZ\0", "xz"),
        (b"BZh", "bzip2"),
    ];
    match magics.iter().find(|(magic, _)| start.starts_with(magic)) {
        Some((_, name)) => Err(TarError::Compressed(name)),
        None => Ok(()),
    }
}
