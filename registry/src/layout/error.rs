//! What can go wrong with a layout, and what to do about it.

use std::io;
use std::path::Path;

use crate::layout::index::{Ambiguous, IndexError};
use crate::store::{Blame, StoreError};

/// A file that cannot be read or written; `attempt` names it.
pub(crate) fn local(attempt: String, error: io::Error) -> StoreError {
    let kind = error.kind();
    let failure = StoreError::new(Blame::Local, attempt).with_source(error);
    match remedy(kind) {
        Some(remedy) => failure.with_remedy(remedy),
        None => failure,
    }
}

fn remedy(kind: io::ErrorKind) -> Option<&'static str> {
    Some(match kind {
        io::ErrorKind::PermissionDenied => {
            "give this user the right to read and write the layout's files and directories"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "the file system is read-only; copy the layout to a writable directory"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space and run it again; the layout is as it was"
        }
        io::ErrorKind::TimedOut => "wait for the other process that writes this layout, or end it",
        io::ErrorKind::Unsupported => {
            "the file system cannot lock files; copy the layout to a local directory"
        }
        io::ErrorKind::InvalidData => "correct the file, or build or copy the layout again",
        io::ErrorKind::NotFound => "the layout is incomplete; build or copy it again",
        _ => return None,
    })
}

/// A directory that is no layout.
pub(crate) fn no_layout(path: &Path, reason: &str) -> StoreError {
    let message = format!("open layout {}: {reason}", path.display());
    StoreError::new(Blame::Local, message).with_remedy(
        "name the directory that has the oci-layout file, \
         such as one written by docker buildx build --output type=oci,tar=false,dest=DIR",
    )
}

/// An `index.json` that is not what the specification says.
pub(crate) fn index(path: &Path, error: IndexError) -> StoreError {
    StoreError::new(Blame::Local, format!("read {}", path.display()))
        .with_remedy("correct the file, or build or copy the layout again")
        .with_source(error)
}

/// A tag that means two things.
pub(crate) fn ambiguous(path: &Path, error: Ambiguous) -> StoreError {
    let remedy = format!("untag {}, then tag the digest that it shall mean", error.tag);
    StoreError::new(Blame::Conflict, format!("read {}", path.display()))
        .with_remedy(remedy)
        .with_source(error)
}

/// A blob that is not what the index promises.
pub(crate) fn damaged(blob: &Path, reason: &str) -> StoreError {
    let message = format!("read {}: {reason}; the layout is damaged", blob.display());
    StoreError::new(Blame::Registry, message).with_remedy("build or copy the layout again")
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn every_failure_of_a_file_system_has_a_remedy_and_says_its_cause_once() {
        for kind in [
            io::ErrorKind::PermissionDenied,
            io::ErrorKind::ReadOnlyFilesystem,
            io::ErrorKind::StorageFull,
            io::ErrorKind::QuotaExceeded,
            io::ErrorKind::TimedOut,
            io::ErrorKind::Unsupported,
            io::ErrorKind::NotFound,
        ] {
            let error = local("replace web/index.json".to_owned(), io::Error::from(kind));
            assert_eq!(error.blame(), Blame::Local);
            assert_eq!(error.to_string(), "replace web/index.json");
            assert!(error.remedy().is_some(), "{kind:?}");
            assert!(error.source().is_some(), "{kind:?}");
        }
    }
}
