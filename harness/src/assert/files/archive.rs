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
use crate::assert::size::Size;
use crate::container::Container;
use crate::engine::Engine;

/// How much of a file is read at most: an image's file that is larger is not to be looked at
/// by a pattern.
pub(super) const LARGEST: u64 = 64 << 20;

/// How much of a directory is looked through for a name that is like another.
const BEGINNING: u64 = 4 << 20;

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

/// The file at a path, unless it is a socket. What follows it in the archive, which for a
/// directory is all that is in it, is not waited for.
pub(super) async fn first(
    container: &Container,
    path: &str,
    content: Content,
) -> Result<Option<Entry>, ObserveError> {
    Ok(entries(container, path, content, Reach::First).await?.pop())
}

/// How much of an archive is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    First,
    /// What there is among its first bytes.
    Beginning,
    All,
}

pub(super) async fn entries(
    container: &Container,
    path: &str,
    content: Content,
    reach: Reach,
) -> Result<Vec<Entry>, ObserveError> {
    let what = describe(container.node(), path);
    let (id, path) = (container.id().to_owned(), path.to_owned());
    let download = |docker: Docker| download(docker, id, path, content, reach);
    match Engine::connect()?.call(download).await {
        Ok(Ok(entries)) => Ok(entries),
        Ok(Err(broken)) => Err(broken.of(what)),
        Err(source) => Err(refused(&what, source)),
    }
}

/// An archive that cannot be used.
#[derive(Debug)]
enum Broken {
    /// It has a file of so many bytes.
    TooLarge(u64),
    Io(io::Error),
}

impl Broken {
    fn of(self, what: String) -> ObserveError {
        match self {
            Self::TooLarge(size) => too_large(what, size),
            Self::Io(error) => {
                ObserveError::unusable(what, format!("its archive breaks off: {error}"))
            }
        }
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

pub(super) fn too_large(what: String, size: u64) -> ObserveError {
    let (size, largest) = (Size(size), Size(LARGEST));
    let reason = format!("it has {size}, and no more than {largest} are read to look into a file");
    ObserveError::unusable(what, reason)
}

/// Where an entry is in the container: an archive's names begin with the last part of the path
/// that was asked for.
pub(super) fn place(asked: &str, entry: &str) -> String {
    let asked = asked.trim_end_matches('/');
    let (_, inside) = entry.trim_end_matches('/').split_once('/').unwrap_or_default();
    match (asked, inside) {
        ("", "") => "/".to_owned(),
        (_, "") => asked.to_owned(),
        _ => format!("{asked}/{inside}"),
    }
}

/// The engine's refusal outside, a broken archive inside.
async fn download(
    docker: Docker,
    id: String,
    path: String,
    content: Content,
    reach: Reach,
) -> Result<Result<Vec<Entry>, Broken>, Error> {
    let options = DownloadFromContainerOptions { path };
    let chunks = docker.download_from_container(&id, Some(options));
    let mut chunks = Box::pin(chunks.peekable());
    if let Some(refusal) = chunks.as_mut().next_if(Result::is_err).await {
        refusal?;
    }
    let archive = StreamReader::new(chunks.map_err(io::Error::other));
    let mut entries = Vec::new();
    let parsed = match reach {
        Reach::First | Reach::All => parse(archive, content, reach, &mut entries).await,
        Reach::Beginning => {
            // Where it breaks off because no more was wanted, what came before is what was.
            let _ = parse(archive.take(BEGINNING), content, reach, &mut entries).await;
            Ok(())
        }
    };
    Ok(parsed.map(|()| entries))
}

async fn parse(
    archive: impl AsyncRead + Unpin + Send,
    content: Content,
    reach: Reach,
    entries: &mut Vec<Entry>,
) -> Result<(), Broken> {
    let mut archive = Archive::new(archive);
    let mut stream = archive.entries()?;
    while let Some(entry) = stream.next().await {
        entries.push(read(entry?, content).await?);
        if reach == Reach::First {
            break;
        }
    }
    Ok(())
}

async fn read<R: AsyncRead + Unpin>(
    mut entry: tokio_tar::Entry<R>,
    content: Content,
) -> Result<Entry, Broken> {
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
        if size > LARGEST {
            return Err(Broken::TooLarge(size));
        }
        entry.read_to_end(bytes.insert(Vec::new())).await?;
    }
    Ok(Entry { path, kind, mode, size, uid, gid, content: bytes })
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::ReadBuf;
    use tokio_tar::{Builder, Header};

    use super::*;

    async fn archive_of_three() -> Vec<u8> {
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

    async fn parsed(
        archive: impl AsyncRead + Unpin + Send,
        content: Content,
        reach: Reach,
    ) -> Result<Vec<Entry>, Broken> {
        let mut entries = Vec::new();
        parse(archive, content, reach, &mut entries).await.map(|()| entries)
    }

    #[tokio::test]
    async fn entries_are_what_their_headers_say() {
        let bytes = archive_of_three().await;
        let entries = parsed(&bytes[..], Content::Read, Reach::All).await.unwrap();
        let modes: Vec<_> = entries.iter().map(|entry| (&*entry.path, entry.mode)).collect();
        assert_eq!(modes, [("etc/", 0o1777), ("etc/link", 0o777), ("etc/file", 0o4755)]);
        assert_eq!(entries[1].kind, FileKind::Symlink("../there".to_owned()));
        assert_eq!(entries[2].content.as_deref(), Some(&b"content"[..]));
        assert_eq!((entries[2].uid, entries[2].gid, entries[2].size), (1000, 33, 7));
    }

    /// An archive that counts what is read of it, and never ends: whoever asks for more than
    /// is needed would read on.
    struct Counted {
        begins: Vec<u8>,
        read: usize,
    }

    impl AsyncRead for Counted {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let rest = self.begins.get(self.read..).unwrap_or_default();
            let bytes = if rest.is_empty() { &[b'x'; 512][..] } else { rest };
            let taken = bytes.len().min(buffer.remaining());
            buffer.put_slice(&bytes[..taken]);
            self.read += taken;
            Poll::Ready(Ok(()))
        }
    }

    fn large(kind: EntryType, size: u64) -> Counted {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_path("large").unwrap();
        header.set_mode(0o600);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(size);
        header.set_cksum();
        Counted { begins: header.as_bytes().to_vec(), read: 0 }
    }

    #[tokio::test]
    async fn of_a_file_that_is_looked_at_only_its_header_is_fetched() {
        let mut archive = large(EntryType::Regular, 3 << 30);
        let entries = parsed(&mut archive, Content::Left, Reach::First).await.unwrap();
        assert_eq!((entries[0].size, archive.read), (3 << 30, 512));
        // Of one that is read, its content and no more than the rest of the last block.
        let mut archive = large(EntryType::Regular, 10_000);
        let entries = parsed(&mut archive, Content::Read, Reach::First).await.unwrap();
        assert_eq!(entries[0].content.as_ref().map(Vec::len), Some(10_000));
        assert!((10_512..=10_752).contains(&archive.read), "{}", archive.read);
    }

    #[tokio::test]
    async fn what_cannot_be_used_says_why() {
        let what = || describe("web", "/srv/dump.sql");
        let mut archive = large(EntryType::Regular, LARGEST + 1);
        let broken = parsed(&mut archive, Content::Read, Reach::First).await.unwrap_err();
        assert_eq!(archive.read, 512);
        insta::assert_snapshot!(
            broken.of(what()),
            @"look at file `/srv/dump.sql` of `web`: it has 67108865 bytes (64.0 MiB), and no more than 67108864 bytes (64.0 MiB) are read to look into a file"
        );
        let bytes = archive_of_three().await;
        let broken = parsed(&bytes[..600], Content::Left, Reach::All).await.unwrap_err();
        insta::assert_snapshot!(
            broken.of(what()),
            @"look at file `/srv/dump.sql` of `web`: its archive breaks off: failed to read entire block"
        );
    }

    #[tokio::test]
    async fn of_a_beginning_what_is_whole_counts() {
        let bytes = archive_of_three().await;
        let mut entries = Vec::new();
        let cut = parse(&bytes[..1200], Content::Left, Reach::Beginning, &mut entries).await;
        assert!(cut.is_err());
        assert_eq!(entries.len(), 2);
    }

    #[test]
    fn an_entry_is_where_it_was_asked_for() {
        assert_eq!(place("/etc/", "etc/"), "/etc");
        assert_eq!(place("/usr/share", "share/doc/x"), "/usr/share/doc/x");
        assert_eq!(place("/", "/"), "/");
        assert_eq!(place("/", "/etc/passwd"), "/etc/passwd");
    }
}
