//! What somebody wants to look at after its process has ended.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::PathBuf;

/// Keeps a container, network or volume, by its id: no process of this user removes it any more,
/// be it the one that made it, its reaper, or a later one that sweeps. Who removes it is the user.
///
/// # Errors
///
/// The mark cannot be made: the directory of marks is someone else's, or the disk is full.
pub fn keep(id: &str) -> io::Result<()> {
    let directory = directory()?;
    DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
    if fs::symlink_metadata(&directory)?.uid() != user()? {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is another user's"));
    }
    File::create(directory.join(id)).map(drop)
}

/// Whether it is to be kept.
#[must_use]
pub fn is_kept(id: &str) -> bool {
    directory().is_ok_and(|directory| directory.join(id).exists())
}

/// All that is to be kept.
#[must_use]
pub fn kept() -> Vec<String> {
    let entries = directory().and_then(fs::read_dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// Keeps it no more: it is gone.
///
/// # Errors
///
/// The mark cannot be removed.
pub fn forget(id: &str) -> io::Result<()> {
    fs::remove_file(directory()?.join(id))
}

/// The same for every process of the user: a reaper has hardly an environment, and a later test
/// another one.
fn directory() -> io::Result<PathBuf> {
    Ok(PathBuf::from(format!("/tmp/plimsoll-kept-{}", user()?)))
}

fn user() -> io::Result<u32> {
    Ok(fs::metadata("/proc/self").or_else(|_| fs::metadata(std::env::temp_dir()))?.uid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_kept_by_its_id() {
        let id = format!("test-{}", std::process::id());
        assert!(!is_kept(&id));
        keep(&id).unwrap();
        assert!(is_kept(&id) && !is_kept("another"));
        assert!(kept().contains(&id));
        forget(&id).unwrap();
        assert!(!is_kept(&id));
    }
}
