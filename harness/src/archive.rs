//! Files as the tar archives the engine takes and gives them in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use futures_util::StreamExt;
use tokio::io::AsyncReadExt;
use tokio_tar::{Archive, Builder, EntryType, Header};

use crate::definition::ContainerFile;

/// An archive of the files, to be unpacked at `/`.
pub(crate) async fn archive(files: &[ContainerFile]) -> io::Result<Vec<u8>> {
    let mut builder = Builder::new(Vec::new());
    for file in files {
        let path = file.path.trim_start_matches('/');
        append_file(&mut builder, Path::new(path), &file.bytes, file.mode).await?;
    }
    builder.into_inner().await
}

/// An archive of a file or a directory of this machine, to be unpacked at `/`. Permissions are
/// kept; all of it belongs to root, since this machine's users mean nothing there.
pub(crate) async fn pack(from: &Path, to: &str) -> io::Result<Vec<u8>> {
    let mut builder = Builder::new(Vec::new());
    let mut rest = vec![(from.to_owned(), PathBuf::from(to.trim_start_matches('/')))];
    while let Some((path, name)) = rest.pop() {
        let metadata = fs::symlink_metadata(&path)?;
        if metadata.is_dir() {
            for entry in fs::read_dir(&path)? {
                let entry = entry?;
                rest.push((entry.path(), name.join(entry.file_name())));
            }
            // The root of the container is there already.
            if !name.as_os_str().is_empty() {
                let mut header = header(EntryType::Directory, mode(&metadata));
                builder.append_data(&mut header, &name, &[][..]).await?;
            }
        } else if metadata.is_symlink() {
            let mut header = header(EntryType::Symlink, 0o777);
            header.set_link_name(fs::read_link(&path)?)?;
            builder.append_data(&mut header, &name, &[][..]).await?;
        } else {
            append_file(&mut builder, &name, &fs::read(&path)?, mode(&metadata)).await?;
        }
    }
    builder.into_inner().await
}

/// The contents of the one plain file in the archive, if that is what it holds.
pub(crate) async fn only_file(bytes: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut archive = Archive::new(bytes);
    let mut entries = archive.entries()?;
    let Some(entry) = entries.next().await else { return Ok(None) };
    let mut entry = entry?;
    if entry.header().entry_type() != EntryType::Regular {
        return Ok(None);
    }
    let mut contents = Vec::new();
    entry.read_to_end(&mut contents).await?;
    Ok(Some(contents))
}

/// Unpacks the one file or directory in the archive as `to`.
pub(crate) async fn unpack(bytes: &[u8], to: &Path) -> io::Result<()> {
    if to.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    // The archive brings a name of its own: it is unpacked beside the place, and moved.
    let mut beside = to.as_os_str().to_owned();
    beside.push(".unpacking");
    let beside = PathBuf::from(beside);
    fs::create_dir(&beside)?;
    let unpacked = unpack_and_move(bytes, &beside, to).await;
    let removed = fs::remove_dir_all(&beside);
    unpacked.and(removed)
}

async fn unpack_and_move(bytes: &[u8], beside: &Path, to: &Path) -> io::Result<()> {
    Archive::new(bytes).unpack(beside).await?;
    let mut found = fs::read_dir(beside)?;
    match found.next() {
        Some(found) => fs::rename(found?.path(), to),
        None => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the archive is empty")),
    }
}

async fn append_file(
    builder: &mut Builder<Vec<u8>>,
    name: &Path,
    bytes: &[u8],
    mode: u32,
) -> io::Result<()> {
    let mut header = header(EntryType::Regular, mode);
    header.set_size(bytes.len() as u64);
    builder.append_data(&mut header, name, bytes).await
}

fn header(kind: EntryType, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(0);
    header
}

#[cfg(unix)]
fn mode(metadata: &fs::Metadata) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7777
}

#[cfg(not(unix))]
fn mode(metadata: &fs::Metadata) -> u32 {
    if metadata.is_dir() { 0o755 } else { 0o644 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Runtime::new().unwrap().block_on(future)
    }

    #[test]
    fn a_tree_goes_in_and_comes_out_as_it_was() {
        let root = tempfile::tempdir().unwrap();
        let tree = root.path().join("tree");
        fs::create_dir_all(tree.join("deep/down")).unwrap();
        fs::write(tree.join("deep/down/file"), "content").unwrap();
        fs::write(tree.join("empty"), "").unwrap();
        let long = "n".repeat(120);
        fs::write(tree.join(&long), "long").unwrap();
        let copy = root.path().join("copy");
        block_on(async {
            let packed = pack(&tree, "/srv").await.unwrap();
            unpack(&packed, &copy).await.unwrap();
            let error = unpack(&packed, &copy).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        });
        assert_eq!(fs::read_to_string(copy.join("deep/down/file")).unwrap(), "content");
        assert_eq!(fs::read_to_string(copy.join(&long)).unwrap(), "long");
        assert_eq!(fs::read(copy.join("empty")).unwrap(), b"");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_directory_is_not_a_file() {
        let file = ContainerFile { path: "/a".to_owned(), bytes: b"1".to_vec(), mode: 0o600 };
        block_on(async {
            let packed = archive(&[file]).await.unwrap();
            assert_eq!(only_file(&packed).await.unwrap().unwrap(), b"1");
            let root = tempfile::tempdir().unwrap();
            let packed = pack(root.path(), "/d").await.unwrap();
            assert_eq!(only_file(&packed).await.unwrap(), None);
        });
    }
}
