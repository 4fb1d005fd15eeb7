//! Small archives for tests, byte for byte as other tools write them.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::archive::tar::Header;

/// An entry as most tools write it.
pub(super) fn entry(path: &str, flag: u8, link: &str, content: &[u8]) -> Vec<u8> {
    let mut block = [0; 512];
    block.copy_from_slice(&Header::of_file(path, content.len() as u64)[..512]);
    block[156] = flag;
    block[157..157 + link.len()].copy_from_slice(link.as_bytes());
    padded(&sealed(block), content)
}

/// A block with its checksum.
pub(super) fn sealed(mut block: [u8; 512]) -> [u8; 512] {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

pub(super) fn padded(header: &[u8], content: &[u8]) -> Vec<u8> {
    let mut bytes = [header, content].concat();
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

pub(super) fn file(path: &str, content: &[u8]) -> Vec<u8> {
    entry(path, b'0', "", content)
}

pub(super) fn archive(entries: &[Vec<u8>]) -> Vec<u8> {
    [entries.concat(), vec![0; 1024]].concat()
}

/// A file in a temporary directory, which goes with it.
pub(super) struct Fixture {
    dir: TempDir,
}

impl Fixture {
    /// A directory without the file.
    pub(super) fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary directory") }
    }

    /// A tar file of these entries.
    pub(super) fn of(entries: &[Vec<u8>]) -> Self {
        let fixture = Self::new();
        fixture.write(&archive(entries));
        fixture
    }

    /// Where the file is, or shall be.
    pub(super) fn path(&self) -> PathBuf {
        self.dir.path().join("web.tar")
    }

    pub(super) fn write(&self, bytes: &[u8]) {
        std::fs::write(self.path(), bytes).expect("written");
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.path()).expect("readable")
    }

    /// The names of all files beside it, and its own.
    pub(super) fn names(&self) -> Vec<String> {
        names(self.dir.path())
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.expect("an entry").file_name();
    let mut names: Vec<String> =
        entries.map(|entry| name(entry).into_string().expect("text")).collect();
    names.sort();
    names
}
