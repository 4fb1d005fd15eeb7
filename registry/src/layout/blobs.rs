//! The blobs of a layout: files named by their digest.

use std::fs::{self, File};
use std::io;
use std::sync::Arc;

use async_trait::async_trait;

use crate::blob::{BlobReader, BlobSink, BlobSource, chunks, write_verified};
use crate::blocking::blocking;
use crate::layout::{Layout, error, file};
use crate::manifest::{Descriptor, Manifest};
use crate::store::{Blame, StoreError};

impl Layout {
    /// The file of `blob`, which has its size; `None` when there is none.
    fn open_file(&self, blob: &Descriptor) -> Result<Option<File>, StoreError> {
        let path = self.blob_path(&blob.digest);
        let failed = |error| error::local(format!("read {}", path.display()), error);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(failed)?,
        };
        let found = file.metadata().map_err(failed)?;
        if !found.is_file() {
            return Err(error::damaged(&path, "it is no file"));
        }
        if found.len() != blob.size {
            let (size, promised) = (found.len(), blob.size);
            let reason = format!("it has {size} bytes, its manifest says {promised}");
            return Err(error::damaged(&path, &reason));
        }
        Ok(Some(file))
    }

    fn has_file(&self, blob: &Descriptor) -> Result<bool, StoreError> {
        let path = self.blob_path(&blob.digest);
        match fs::metadata(&path) {
            Ok(found) => Ok(found.is_file() && found.len() == blob.size),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error::local(format!("read {}", path.display()), error)),
        }
    }
}

#[async_trait]
impl BlobSource for Layout {
    async fn open_blob_at(
        &self,
        blob: &Descriptor,
        offset: u64,
    ) -> Result<Option<BlobReader>, StoreError> {
        let path = self.blob_path(&blob.digest);
        if offset > blob.size {
            let message = format!("read {}: byte {offset} is behind its end", path.display());
            return Err(StoreError::new(Blame::Local, message));
        }
        let wanted = blob.clone();
        let file = self.blocking(move |layout| layout.open_file(&wanted)).await?;
        let reader = |file| chunks(Arc::new(file), offset..blob.size, path.display().to_string());
        Ok(file.map(reader))
    }
}

#[async_trait]
impl BlobSink for Layout {
    async fn has_blob(&self, blob: &Descriptor) -> Result<bool, StoreError> {
        let blob = blob.clone();
        self.blocking(move |layout| layout.has_file(&blob)).await
    }

    async fn write_blob(&self, blob: &Descriptor, reader: BlobReader) -> Result<(), StoreError> {
        if self.has_blob(blob).await? {
            return Ok(());
        }
        let path = self.blob_path(&blob.digest);
        let attempt = format!("write {}", path.display());
        let create = move |layout: &Self, path: &std::path::Path| {
            let directory = file::parent(path);
            // What was never a layout must not become half of one.
            fs::metadata(layout.version_path())?;
            file::create_directory(directory)?;
            file::temporary(directory)
        };
        let (target, failure) = (path.clone(), attempt.clone());
        let temporary = self
            .blocking(move |layout| {
                layout.make()?;
                create(layout, &target).map_err(|error| error::local(failure, error))
            })
            .await?;
        let written =
            write_verified(blob, reader, temporary, attempt.clone(), error::local).await?;
        blocking(attempt.clone(), move || {
            file::persist(written, &path).map_err(|error| error::local(attempt, error))
        })
        .await
    }

    async fn put_manifest(&self, manifest: &Manifest) -> Result<(), StoreError> {
        let manifest = manifest.clone();
        self.blocking(move |layout| layout.write_manifest(&manifest)).await
    }
}
