//! What can go wrong with an archive, and what to do about it.

use std::error::Error;
use std::io;
use std::path::Path;

use crate::archive::tar::TarError;
use crate::digest::Digest;
use crate::layout::index::{Ambiguous, IndexError};
use crate::store::{Blame, StoreError};

/// A file that cannot be read or written; `attempt` names it.
pub(super) fn local(attempt: String, error: io::Error) -> StoreError {
    let remedy = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "give this user the right to read the archive and to write its directory"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "the file system is read-only; copy the archive to a writable directory"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free space for a second copy of the archive; the archive is as it was"
        }
        io::ErrorKind::TimedOut => "wait for the other process that writes this archive, or end it",
        io::ErrorKind::Unsupported => {
            "the file system cannot lock files; copy the archive to a local directory"
        }
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            "make its directory first, and check the path; a relative one starts at the working \
             directory"
        }
        io::ErrorKind::UnexpectedEof => "do not change the archive while it is read",
        _ => return StoreError::new(Blame::Local, attempt).with_source(error),
    };
    StoreError::new(Blame::Local, attempt).with_remedy(remedy).with_source(error)
}

/// A file that is no tar file, or one that is not read.
pub(super) fn tar(path: &Path, error: TarError) -> StoreError {
    let attempt = format!("read archive {}", path.display());
    let error = match error {
        TarError::Io(error) => return local(attempt, error),
        error => error,
    };
    let (blame, remedy) = match error {
        TarError::Compressed(by) => {
            (Blame::Unsupported, format!("decompress it first: {by} -d FILE"))
        }
        TarError::Truncated { .. } => {
            (Blame::Local, String::from("copy or write the archive again, to its end"))
        }
        _ => (Blame::Local, String::from("write the archive again, with docker, skopeo or ocitag")),
    };
    StoreError::new(blame, attempt).with_remedy(remedy).with_source(error)
}

/// There is no file.
pub(super) fn missing(path: &Path) -> StoreError {
    let message = format!("open archive {}: there is no such file", path.display());
    StoreError::new(Blame::NotFound, message)
        .with_remedy("check the path; a relative one starts at the working directory")
}

/// An archive of something else.
pub(super) fn wrong_kind(path: &Path, reason: &str, remedy: &str) -> StoreError {
    let message = format!("open archive {}: {reason}", path.display());
    StoreError::new(Blame::Local, message).with_remedy(remedy)
}

/// A file of the archive that is not what it should be.
pub(super) fn file(
    path: &Path,
    name: &str,
    error: impl Into<Box<dyn Error + Send + Sync>>,
) -> StoreError {
    StoreError::new(Blame::Local, format!("read {name} of archive {}", path.display()))
        .with_remedy("write the archive again")
        .with_source(error)
}

/// Content of the archive that is not what it promises elsewhere.
pub(super) fn damaged(path: &Path, name: &str, reason: &str) -> StoreError {
    let message = format!("read {name} of archive {}: {reason}", path.display());
    StoreError::new(Blame::Registry, message).with_remedy("write the archive again")
}

/// An `index.json` that is not what the specification says.
pub(super) fn index(path: &Path, error: IndexError) -> StoreError {
    file(path, "index.json", error)
}

/// A tag that means two things.
pub(super) fn ambiguous(path: &Path, error: Ambiguous) -> StoreError {
    let remedy = format!("name the image by its digest, or untag {}", error.tag);
    StoreError::new(Blame::Conflict, format!("read archive {}", path.display()))
        .with_remedy(remedy)
        .with_source(error)
}

/// Several images, and nothing that says which.
pub(super) fn several(path: &Path, images: &[String]) -> StoreError {
    let listed = images.iter().take(20).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if images.len() > 20 { ", …" } else { "" };
    let path = path.display();
    let message = format!("choose an image of archive {path}, which has several: {listed}{more}");
    StoreError::new(Blame::Local, message)
        .with_remedy("name one of them, as in FILE:TAG or FILE@DIGEST")
}

/// No image at all.
pub(super) fn none(path: &Path) -> StoreError {
    let message = format!("choose an image of archive {}: it has none", path.display());
    StoreError::new(Blame::NotFound, message)
}

/// An image without one of its parts.
pub(super) fn incomplete(path: &Path, part: &str, digest: &Digest) -> StoreError {
    let message = format!("write archive {}: it lacks the {part} {digest}", path.display());
    StoreError::new(Blame::NotFound, message).with_remedy("write the blobs before the manifest")
}
