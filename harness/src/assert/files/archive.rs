//! The archives that files come in.

use std::io;

use futures_util::{StreamExt, TryStreamExt};
use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error;
use testcontainers::bollard::query_parameters::DownloadFromContainerOptions;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_tar::{Archive, EntryType};
use tokio_util::io::StreamReader;

use super::{FileKind, describe};
use crate::assert::engine::{ObserveError, refused};
use crate::container::Container;
use crate::engine::Engine;

/// How much of a file is read at most: an image's file that is larger is not to be looked at
/// by a pattern.
const MOST: u64 = 64 << 20;

/// A file as an archive holds it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its path in the archive.
    pub(super) path: String,
    pub(super) kind: FileKind,
    pub(super) mode: u32,
    pub(super) size: u64,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) content: Option<Vec<u8>>,
}

/// Whether the content is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Read,
    Left,
}

/// The file at a path. What follows it in the archive, which for a directory is all that is in
/// it, is not waited for.
pub(super) async fn first(
    container: &Container,
    path: &str,
    content: Content,
) -> Result<Entry, ObserveError> {
    let what = describe(container, path);
    let mut entries = entries(container, path, content, Reach::First).await?;
    entries.pop().ok_or_else(|| {
        let reason =
            "its archive is empty, as that of a socket is: `files::stat` can look at those";
        ObserveError::unusable(what, reason)
    })
}

/// How much of an archive is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    First,
    All,
}

pub(super) async fn entries(
    container: &Container,
    path: &str,
    content: Content,
    reach: Reach,
) -> Result<Vec<Entry>, ObserveError> {
    let what = describe(container, path);
    let (id, path) = (container.id().to_owned(), path.to_owned());
    let download = |docker: Docker| download(docker, id, path, content, reach);
    match Engine::connect()?.call(download).await {
        Ok(Ok(entries)) => Ok(entries),
        Ok(Err(broken)) => {
            Err(ObserveError::unusable(what, format!("its archive breaks off: {broken}")))
        }
        Err(source) => Err(refused(&what, source)),
    }
}

/// The engine's refusal outside, a broken archive inside.
async fn download(
    docker: Docker,
    id: String,
    path: String,
    content: Content,
    reach: Reach,
) -> Result<io::Result<Vec<Entry>>, Error> {
    let options = DownloadFromContainerOptions { path };
    let chunks = docker.download_from_container(&id, Some(options));
    let mut chunks = Box::pin(chunks.peekable());
    if let Some(refusal) = chunks.as_mut().next_if(Result::is_err).await {
        refusal?;
    }
    let archive = StreamReader::new(chunks.map_err(io::Error::other));
    Ok(parse(archive, content, reach).await)
}

async fn parse(
    archive: impl AsyncRead + Unpin + Send,
    content: Content,
    reach: Reach,
) -> io::Result<Vec<Entry>> {
    let mut archive = Archive::new(archive);
    let mut stream = archive.entries()?;
    let mut entries = Vec::new();
    while let Some(entry) = stream.next().await {
        let mut entry = entry?;
        let header = entry.header();
        let size = header.entry_size()?;
        let number = |id: io::Result<u64>| id.map(|id| u32::try_from(id).unwrap_or(u32::MAX));
        let (uid, gid) = (number(header.uid())?, number(header.gid())?);
        let mode = header.mode()? & 0o7777;
        let kind = match header.entry_type() {
            EntryType::Directory => FileKind::Directory,
            EntryType::Symlink => {
                let target = entry.link_name_bytes()?.unwrap_or_default();
                FileKind::Symlink(String::from_utf8_lossy(&target).into_owned())
            }
            EntryType::Fifo => FileKind::Pipe,
            EntryType::Block | EntryType::Char => FileKind::Device,
            _ => FileKind::Regular,
        };
        let path = String::from_utf8_lossy(&entry.path_bytes()?).into_owned();
        let mut bytes = None;
        if content == Content::Read && kind == FileKind::Regular {
            if size > MOST {
                return Err(io::Error::other(format!("{size} bytes are more than {MOST}")));
            }
            entry.read_to_end(bytes.insert(Vec::new())).await?;
        }
        entries.push(Entry { path, kind, mode, size, uid, gid, content: bytes });
        if reach == Reach::First {
            break;
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use tokio_tar::{Builder, Header};

    use super::*;

    async fn archive() -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        let header = |kind: EntryType, path: &str, mode: u32, size: usize| {
            let mut header = Header::new_gnu();
            header.set_entry_type(kind);
            header.set_path(path).unwrap();
            header.set_mode(mode);
            header.set_uid(1000);
            header.set_gid(33);
            header.set_size(size as u64);
            header
        };
        let mut directory = header(EntryType::Directory, "etc/", 0o1777, 0);
        directory.set_cksum();
        builder.append(&directory, &b""[..]).await.unwrap();
        let mut link = header(EntryType::Symlink, "etc/link", 0o777, 0);
        link.set_link_name("../there").unwrap();
        link.set_cksum();
        builder.append(&link, &b""[..]).await.unwrap();
        let mut file = header(EntryType::Regular, "etc/file", 0o4755, 7);
        file.set_cksum();
        builder.append(&file, &b"content"[..]).await.unwrap();
        builder.into_inner().await.unwrap()
    }

    #[tokio::test]
    async fn entries_are_what_their_headers_say() {
        let bytes = archive().await;
        let entries = parse(&bytes[..], Content::Read, Reach::All).await.unwrap();
        let modes: Vec<_> = entries.iter().map(|entry| (&*entry.path, entry.mode)).collect();
        assert_eq!(modes, [("etc/", 0o1777), ("etc/link", 0o777), ("etc/file", 0o4755)]);
        assert_eq!(entries[1].kind, FileKind::Symlink("../there".to_owned()));
        assert_eq!(entries[2].content.as_deref(), Some(&b"content"[..]));
        assert_eq!((entries[2].uid, entries[2].gid, entries[2].size), (1000, 33, 7));
    }

    #[tokio::test]
    async fn the_first_needs_no_more_than_its_header() {
        let bytes = archive().await;
        let first = parse(&bytes[..600], Content::Left, Reach::First).await.unwrap();
        assert_eq!((first.len(), &first[0].kind), (1, &FileKind::Directory));
        let all = parse(&bytes[..600], Content::Left, Reach::All).await;
        assert!(all.is_err(), "{all:?}");
    }
}
