//! New layouts.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::layout::index::EMPTY;
use crate::layout::{Layout, error, file, version};
use crate::store::{Blame, StoreError};

impl Layout {
    /// Opens the layout at `path`. Where nothing is, or an empty directory, it is an empty layout
    /// that the first write makes. What is there and is no layout stays as it is.
    ///
    /// # Errors
    /// As [`Layout::open`].
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let root: PathBuf = path.into();
        match std::fs::read_dir(&root).map(|mut entries| entries.next().is_none()) {
            Ok(true) => Ok(Self { root, is_new: true }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Self { root, is_new: true })
            }
            // A layout; or no directory, and opening says what it is.
            Ok(false) | Err(_) => Self::open(root),
        }
    }

    /// Makes the layout, if it is a new one, before something is written.
    pub(super) fn make(&self) -> Result<(), StoreError> {
        if !self.is_new {
            return Ok(());
        }
        let make = || {
            file::create_directory(&self.root)?;
            // The version last: until it is there, this is no layout.
            write_new(&self.index_path(), EMPTY)?;
            write_new(&self.version_path(), &version::text())
        };
        make().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                let message = format!("create layout {}", self.root.display());
                StoreError::new(Blame::Local, message)
                    .with_remedy("name a directory that can be made there")
                    .with_source(error)
            }
            _ => error::local(format!("create layout {}", self.root.display()), error),
        })
    }
}

/// Writes a file, unless another process did so first.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let mut file = file::temporary(file::parent(path))?;
    file.write_all(text.as_bytes())?;
    match file::persist_new(file, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        written => written,
    }
}
