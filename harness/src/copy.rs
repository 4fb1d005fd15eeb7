//! Files in and out of a container. The engine does it, so that the image needs no tools.

use std::io;
use std::path::PathBuf;

use futures_util::TryStreamExt;
use testcontainers::bollard::query_parameters::{
    DownloadFromContainerOptions, UploadToContainerOptions,
};
use testcontainers::bollard::{self, Docker};

use crate::archive;
use crate::definition::ContainerFile;
use crate::failure::debug_by_message;
use crate::handle::ContainerHandle;
use crate::request::{RequestError, Step};

/// Files that could not be copied.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// Paths in a container start at its root.
    #[error("copy `{path}` of `{node}`: a path in a container has to begin with `/`")]
    Relative {
        /// The container's name in its definition.
        node: String,
        /// The path.
        path: String,
    },
    /// What is there is not a plain file.
    #[error("read `{path}` of `{node}`: it is not a plain file; `copy_from` copies trees")]
    NotAFile {
        /// The container's name in its definition.
        node: String,
        /// The path.
        path: String,
    },
    /// A file of this machine could not be read or written.
    #[error("copy `{path}` of `{node}`: `{local}` on this machine")]
    Local {
        /// The container's name in its definition.
        node: String,
        /// The path in the container.
        path: String,
        /// The path on this machine.
        local: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The archive that the engine packs files in makes no sense.
    #[error("unpack `{path}` of `{node}`")]
    Archive {
        /// The container's name in its definition.
        node: String,
        /// The path in the container.
        path: String,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The engine refused: there is no such file, most of the time.
    #[error("copy `{path}`: failed to {source}")]
    Request {
        /// The path in the container.
        path: String,
        /// What the engine said.
        source: RequestError,
    },
}

debug_by_message!(CopyError);

pub(crate) async fn read_file(handle: &ContainerHandle, path: &str) -> Result<Vec<u8>, CopyError> {
    let bytes = download(handle, path).await?;
    let (node, path) = (handle.node().to_owned(), path.to_owned());
    match handle.engine().observe(async move { archive::only_file(&bytes).await }).await {
        Ok(Some(file)) => Ok(file),
        Ok(None) => Err(CopyError::NotAFile { node, path }),
        Err(source) => Err(CopyError::Archive { node, path, source }),
    }
}

pub(crate) async fn write_file(
    handle: &ContainerHandle,
    path: &str,
    bytes: Vec<u8>,
    mode: u32,
) -> Result<(), CopyError> {
    absolute(handle, path)?;
    let file = ContainerFile { path: path.to_owned(), bytes, mode };
    let packed = handle.engine().observe(async move { archive::archive(&[file]).await }).await;
    let packed = packed.map_err(|source| CopyError::Archive {
        node: handle.node().to_owned(),
        path: path.to_owned(),
        source,
    })?;
    upload(handle, path, packed).await
}

pub(crate) async fn copy_to(
    handle: &ContainerHandle,
    from: PathBuf,
    path: &str,
) -> Result<(), CopyError> {
    absolute(handle, path)?;
    let (local, target) = (from.clone(), path.to_owned());
    let packing = async move { archive::pack(&from, &target).await };
    let packed = handle.engine().observe(packing).await;
    let packed = packed.map_err(|source| local_error(handle, path, local, source))?;
    upload(handle, path, packed).await
}

pub(crate) async fn copy_from(
    handle: &ContainerHandle,
    path: &str,
    to: PathBuf,
) -> Result<(), CopyError> {
    let bytes = download(handle, path).await?;
    let local = to.clone();
    let unpacked = handle.engine().observe(async move { archive::unpack(&bytes, &to).await }).await;
    unpacked.map_err(|source| local_error(handle, path, local, source))
}

async fn download(handle: &ContainerHandle, path: &str) -> Result<Vec<u8>, CopyError> {
    absolute(handle, path)?;
    let (id, options) =
        (handle.id().to_owned(), DownloadFromContainerOptions { path: path.to_owned() });
    let downloading = |docker: Docker| async move {
        let mut chunks = docker.download_from_container(&id, Some(options));
        let mut all = Vec::new();
        while let Some(chunk) = chunks.try_next().await? {
            all.extend_from_slice(&chunk);
        }
        Ok(all)
    };
    handle
        .request(Step::CopyFrom, downloading)
        .await
        .map_err(|source| CopyError::Request { path: path.to_owned(), source })
}

async fn upload(handle: &ContainerHandle, path: &str, packed: Vec<u8>) -> Result<(), CopyError> {
    let id = handle.id().to_owned();
    let options = UploadToContainerOptions { path: "/".to_owned(), ..Default::default() };
    let body = bollard::body_full(packed.into());
    handle
        .request(Step::CopyFiles, |docker| async move {
            docker.upload_to_container(&id, Some(options), body).await
        })
        .await
        .map_err(|source| CopyError::Request { path: path.to_owned(), source })
}

fn absolute(handle: &ContainerHandle, path: &str) -> Result<(), CopyError> {
    if path.starts_with('/') {
        return Ok(());
    }
    Err(CopyError::Relative { node: handle.node().to_owned(), path: path.to_owned() })
}

fn local_error(
    handle: &ContainerHandle,
    path: &str,
    local: PathBuf,
    source: io::Error,
) -> CopyError {
    CopyError::Local { node: handle.node().to_owned(), path: path.to_owned(), local, source }
}
