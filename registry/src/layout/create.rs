//! New layouts.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::layout::index::EMPTY;
use crate::layout::{Layout, error, file, version};
use crate::store::StoreError;

impl Layout {
    /// Opens the layout at `path`; makes an empty one when nothing is there, or an empty
    /// directory. What is there and is no layout stays as it is.
    ///
    /// # Errors
    /// As [`Layout::open`], and when the directory cannot be made or written.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let root: PathBuf = path.into();
        let failed = |error| error::local(format!("create layout {}", root.display()), error);
        match std::fs::read_dir(&root).map(|mut entries| entries.next().is_none()) {
            Ok(false) => return Self::open(root),
            Ok(true) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                file::create_directory(&root).map_err(failed)?;
            }
            // No directory: opening says what it is.
            Err(_) => return Self::open(root),
        }
        // The version last: until it is there, this is no layout.
        write_new(&root.join("index.json"), EMPTY).map_err(failed)?;
        write_new(&root.join("oci-layout"), &version::text()).map_err(failed)?;
        Self::open(root)
    }
}

/// Writes a file, unless another process did so first.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = file::temporary(file::parent(path))?;
    file.write_all(text.as_bytes())?;
    match file::persist_new(file, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        written => written,
    }
}
