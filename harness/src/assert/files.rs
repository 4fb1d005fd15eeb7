//! Files in a container: whose they are, what they may, what is in them.
//!
//! They come through the engine's archive API, so nothing is needed in the image and the
//! container need not run. What the kernel makes up is not there (`/proc`, `/sys`), and neither
//! is what lies on a tmpfs, on engines that read the layers instead of the running container.

mod archive;
mod matcher;
mod scan;

use std::fmt;

use testcontainers::bollard::query_parameters::ContainerArchiveInfoOptions;

pub use self::matcher::{FileMatcher, directory, regular, socket, symlink};
pub use self::scan::{FileTree, Scan, no_setuid, no_world_writable, under};
use super::engine::{ObserveError, ask};
use super::mismatch::Observed;
use super::users::{Names, Owner};
use crate::container::Container;

/// What there is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// What the container's definition calls it.
    pub node: String,
    /// Where it is.
    pub path: String,
    /// What it is.
    pub kind: FileKind,
    /// Its permission bits, those for setuid, setgid and sticky included.
    pub mode: u32,
    /// Its size in bytes; the engine says 4096 or so for a directory.
    pub size: u64,
    /// Its user and its group, unless it was only asked for by [`stat`].
    pub owner: Option<(Owner, Owner)>,
    /// What is in it, if it was asked for by [`read`].
    pub content: Option<Vec<u8>>,
}

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// A file with content.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link, to this.
    Symlink(String),
    /// A Unix socket.
    Socket,
    /// A named pipe.
    Pipe,
    /// A block or character device.
    Device,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Regular => "a regular file",
            Self::Directory => "a directory",
            Self::Symlink(target) => return write!(f, "a link to `{target}`"),
            Self::Socket => "a socket",
            Self::Pipe => "a pipe",
            Self::Device => "a device",
        })
    }
}

/// Kind, mode and size, in one request that reads nothing. Links are not followed in the last
/// part of the path. It is the only way to look at a socket, which no archive can hold.
///
/// # Errors
///
/// There is no such file, or the engine refuses.
pub async fn stat(container: &Container, path: &str) -> Result<File, ObserveError> {
    let options = ContainerArchiveInfoOptions { path: path.to_owned() };
    let what = describe(container, path);
    let stat = ask(container, &what, |docker, id| async move {
        docker.get_container_archive_info(&id, Some(options)).await
    })
    .await?;
    let (kind, mode) = go_mode(stat.file_mode, stat.link_target);
    Ok(File {
        node: container.node().to_owned(),
        path: path.to_owned(),
        kind,
        mode,
        size: u64::try_from(stat.size).unwrap_or_default(),
        owner: None,
        content: None,
    })
}

/// Kind, mode, size and owner. One request, which ends before the content; and two more for the
/// names if it does not belong to root alone.
///
/// # Errors
///
/// There is no such file, it is a socket, or the engine refuses.
pub async fn at(container: &Container, path: &str) -> Result<File, ObserveError> {
    let entry = archive::first(container, path, archive::Content::Left).await?;
    entry.into_file(container, path).await
}

/// All that [`at`] gives, and the content.
///
/// # Errors
///
/// There is no such file, it is a socket, or the engine refuses.
pub async fn read(container: &Container, path: &str) -> Result<File, ObserveError> {
    let entry = archive::first(container, path, archive::Content::Read).await?;
    entry.into_file(container, path).await
}

/// Whether there is anything at the path, a link to nowhere included.
///
/// # Errors
///
/// The engine refuses.
pub async fn exists(container: &Container, path: &str) -> Result<bool, ObserveError> {
    match stat(container, path).await {
        Ok(_) => Ok(true),
        Err(ObserveError::Absent { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What is in a file, in one request.
pub(crate) async fn content(container: &Container, path: &str) -> Result<Vec<u8>, ObserveError> {
    let entry = archive::first(container, path, archive::Content::Read).await?;
    Ok(entry.content.unwrap_or_default())
}

fn describe(container: &Container, path: &str) -> String {
    format!("file `{path}` of `{}`", container.node())
}

impl Observed for File {
    fn subject(&self) -> String {
        format!("file `{}` of `{}`", self.path, self.node)
    }
}

impl archive::Entry {
    async fn into_file(self, container: &Container, path: &str) -> Result<File, ObserveError> {
        let (users, groups) = match (self.uid, self.gid) {
            (0, 0) => Default::default(),
            _ => (Names::users(container).await?, Names::groups(container).await?),
        };
        Ok(self.file(container.node(), path.to_owned(), &users, &groups))
    }

    fn file(self, node: &str, path: String, users: &Names, groups: &Names) -> File {
        let Self { path: _, kind, mode, size, uid, gid, content } = self;
        let owner = Some((Owner::new(uid, users), Owner::new(gid, groups)));
        File { node: node.to_owned(), path, kind, mode, size, owner, content }
    }
}

/// The engine states a file with the bits of Go's `fs.FileMode`, which are Unix's for
/// permissions only.
fn go_mode(bits: u32, target: String) -> (FileKind, u32) {
    let has = |bit: u32| bits & (1 << bit) != 0;
    let kind = if has(31) {
        FileKind::Directory
    } else if has(27) {
        FileKind::Symlink(target)
    } else if has(26) {
        FileKind::Device
    } else if has(25) {
        FileKind::Pipe
    } else if has(24) {
        FileKind::Socket
    } else {
        FileKind::Regular
    };
    let special = [(23, 0o4000), (22, 0o2000), (20, 0o1000)];
    let special = special.into_iter().filter(|(bit, _)| has(*bit)).map(|(_, mode)| mode);
    (kind, (bits & 0o777) | special.sum::<u32>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_of_go_become_bits_of_unix() {
        let mode = |bits| go_mode(bits, "/there".to_owned());
        assert_eq!(mode(0o644), (FileKind::Regular, 0o644));
        assert_eq!(mode(1 << 31 | 1 << 20 | 0o777), (FileKind::Directory, 0o1777));
        assert_eq!(mode(1 << 23 | 0o755), (FileKind::Regular, 0o4755));
        assert_eq!(mode(1 << 27 | 0o777), (FileKind::Symlink("/there".to_owned()), 0o777));
        assert_eq!(mode(1 << 24 | 0o660), (FileKind::Socket, 0o660));
    }
}
