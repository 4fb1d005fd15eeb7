//! Links from one entry to another: docker save 1.10 to 24 links to a layer that is there twice.

use crate::archive::tar::path::normal;
use crate::archive::tar::{Entry, Kind, Tar, TarError};

/// More than anybody follows.
const LONGEST_CHAIN: usize = 64;

impl Tar {
    /// The file that `path` means when links are followed. They lead to entries of this archive
    /// and to nothing else.
    pub(in crate::archive) fn linked_file(&self, path: &str) -> Result<Option<&Entry>, TarError> {
        let Some(mut entry) = self.get(path) else { return Ok(None) };
        for _ in 0..LONGEST_CHAIN {
            let (target, next) = match &entry.kind {
                Kind::Symbolic(target) => (target, relative(&entry.path, target)),
                Kind::Hard(target) => (target, normal(target).ok()),
                _ => return self.file(&entry.path),
            };
            entry = next.and_then(|path| self.get(&path)).ok_or_else(|| {
                let (path, target) = (entry.path.clone(), target.clone());
                TarError::Astray { path, target }
            })?;
        }
        Err(TarError::Loop(path.to_owned()))
    }
}

/// What the symbolic link at `link` means by `target`; `None` when that is not in the archive.
fn relative(link: &str, target: &str) -> Option<String> {
    if target.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = link.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
