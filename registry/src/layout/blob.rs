//! Blobs that are manifests.

use std::fs;
use std::io;
use std::path::Path;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::layout::error;
use crate::manifest::{Descriptor, MediaType};
use crate::store::{Blame, StoreError};

/// More than any manifest has: a layer asked for as a manifest is refused, not read.
const LARGEST_MANIFEST: u64 = 32 << 20;

/// The content at `path`; `None` when it is not there and nobody promised it.
pub(crate) fn read(
    path: &Path,
    promised: Option<&Descriptor>,
) -> Result<Option<Bytes>, StoreError> {
    let failed = |error| error::local(format!("read {}", path.display()), error);
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return match promised {
                None => Ok(None),
                Some(_) => Err(error::damaged(path, "the file is missing")),
            };
        }
        Err(error) => return Err(failed(error)),
    };
    let size = found.len();
    if !found.is_file() {
        return Err(error::damaged(path, "it is no file"));
    }
    if let Some(descriptor) = promised.filter(|descriptor| descriptor.size != size) {
        let reason = format!("it has {size} bytes, the index says {}", descriptor.size);
        return Err(error::damaged(path, &reason));
    }
    if size > LARGEST_MANIFEST {
        let message = format!("read {}: no manifest has {size} bytes", path.display());
        return Err(StoreError::new(Blame::Unsupported, message));
    }
    fs::read(path).map(|bytes| Some(Bytes::from(bytes))).map_err(failed)
}

/// What a manifest is that does not say so itself: OCI made `mediaType` optional at first.
pub(crate) fn media_type(bytes: &[u8]) -> &'static str {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Shape {
        media_type: Option<IgnoredAny>,
        manifests: Option<IgnoredAny>,
        config: Option<IgnoredAny>,
        layers: Option<IgnoredAny>,
    }
    match serde_json::from_slice(bytes) {
        Ok(Shape { media_type: None, manifests: Some(_), .. }) => MediaType::OCI_INDEX,
        Ok(Shape { media_type: None, config: Some(_), layers: Some(_), .. }) => {
            MediaType::OCI_MANIFEST
        }
        _ => "",
    }
}
