//! Files that are either as they were or as they shall be, whatever happens in between.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tempfile::NamedTempFile;

/// The start of the name of a file that is being written.
const PREFIX: &str = ".plimsoll-";

/// Takes the exclusive lock of the file at `path`, until the file returned is dropped.
///
/// The lock is the operating system's: it goes with the process that holds it.
pub(crate) fn lock(path: &Path, patience: Duration) -> io::Result<File> {
    // Over NFS an exclusive lock takes a writable file; elsewhere a readable one will do.
    let writable = OpenOptions::new().read(true).write(true).open(path);
    let file = writable.or_else(|_| File::open(path))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::Error(error)) => return Err(error),
        Err(TryLockError::WouldBlock) => {}
    }
    // Waiting for a lock cannot be given up, so a thread of its own waits; it ends with the
    // process or with the lock, which it then lets go.
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(file.lock().map(|()| file)));
    let held = || Err(io::Error::new(io::ErrorKind::TimedOut, "another process holds it"));
    receiver.recv_timeout(patience).unwrap_or_else(|_| held())
}

/// Puts `bytes` at `path` in one step, with the mode and owner of what was there.
///
/// A symbolic link is followed: what it points at is replaced.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = match path.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        path => path?,
    };
    let mut file = temporary(parent(&path))?;
    file.write_all(bytes)?;
    persist(file, &path)
}

/// A new file in `directory` that goes when it is dropped and not persisted.
pub(crate) fn temporary(directory: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX);
    #[cfg(unix)]
    let builder = {
        use std::os::unix::fs::PermissionsExt as _;
        // What any new file gets, less the umask; the default is for secrets.
        builder.permissions(fs::Permissions::from_mode(0o666))
    };
    builder.tempfile_in(directory)
}

/// Puts `file` at `path` in one step, with the mode and owner of what was there.
pub(crate) fn persist(file: NamedTempFile, path: &Path) -> io::Result<()> {
    if let Ok(old) = fs::metadata(path) {
        keep_owner(file.as_file(), &old);
        file.as_file().set_permissions(old.permissions())?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_directory(parent(path))
}

/// Puts `file` at `path` in one step, unless something is there: then it is dropped.
pub(crate) fn persist_new(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => sync_directory(parent(path)),
        Err(error) => Err(error.error),
    }
}

/// The directory that `path` lies in.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes `directory` and what is above it, so that they survive a crash.
pub(crate) fn create_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let parent = parent(directory);
    create_directory(parent)?;
    match fs::create_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => made?,
    }
    sync_directory(parent)
}

/// Root in a build container writes into its user's checkout; nobody else can give files away.
#[cfg(unix)]
fn keep_owner(file: &File, old: &fs::Metadata) {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    if let Ok(new) = file.metadata()
        && (new.uid(), new.gid()) != (old.uid(), old.gid())
    {
        let _ = fchown(file, Some(old.uid()), Some(old.gid()));
    }
}

#[cfg(not(unix))]
fn keep_owner(_: &File, _: &fs::Metadata) {}

/// A rename is lost in a crash until its directory is on disk; not all file systems can do it.
#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, Unsupported};
    match File::open(directory)?.sync_all() {
        Err(error) if matches!(error.kind(), InvalidInput | Unsupported) => Ok(()),
        synced => synced,
    }
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_lock_is_waited_for_and_then_refused() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("oci-layout");
        fs::write(&path, "{}").expect("written");
        let held = lock(&path, Duration::ZERO).expect("free");
        let error = lock(&path, Duration::ZERO).expect_err("held");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(held);
        lock(&path, Duration::ZERO).expect("free again");
    }

    #[test]
    fn a_bare_name_lies_in_the_working_directory() {
        assert_eq!(parent(Path::new("web")), Path::new("."));
        assert_eq!(parent(Path::new("build/web")), Path::new("build"));
    }

    #[test]
    fn what_cannot_be_put_in_place_leaves_nothing() {
        let dir = tempfile::tempdir().expect("temporary directory");
        // A directory in the way: the temporary file is written, its renaming fails.
        fs::create_dir_all(dir.path().join("index.json/full")).expect("made");
        replace(&dir.path().join("index.json"), b"{}").expect_err("a directory is in the way");
        assert_eq!(fs::read_dir(dir.path()).expect("readable").count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn mode_and_link_are_kept() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("temporary directory");
        let (real, link) = (dir.path().join("real/index.json"), dir.path().join("index.json"));
        create_directory(&dir.path().join("real")).expect("made");
        fs::write(&real, "old").expect("written");
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).expect("changed");
        std::os::unix::fs::symlink("real/index.json", &link).expect("linked");
        replace(&link, b"new").expect("replaced");
        assert!(link.is_symlink());
        assert_eq!(fs::read(&real).expect("readable"), b"new");
        let mode = fs::metadata(&real).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
    }
}
