//! Files in a container: whose they are, what they may, what is in them.
//!
//! They come through the engine's archive API, so nothing is needed in the image and the
//! container need not run. That API knows neither what lies in memory (a tmpfs, `/dev`) nor what
//! the kernel makes up (`/proc`, `/sys`), and of a socket all but the owner: those are looked at
//! from inside, which takes a `stat` in the image. Whether a path leads into memory is decided by
//! the path as it is written.
//!
//! That there is nothing at a path is something found, not an error: [`absent`] expects it, every
//! other expectation says so, and [`eventually`](super::eventually) waits for what is written
//! late.

mod archive;
mod inside;
mod matcher;
mod nearest;
mod scan;

use std::fmt;

use testcontainers::bollard::query_parameters::ContainerArchiveInfoOptions;

use self::archive::Content;
pub use self::matcher::{FileMatcher, absent, directory, regular, socket, symlink};
pub use self::scan::{FileTree, Scan, no_setuid, no_world_writable, under};
use super::engine::{ObserveError, ask};
use super::mismatch::Observed;
use super::size::Size;
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
    /// What comes nearest to it, if there is nothing at the path.
    pub nearest: Option<String>,
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
    /// There is nothing at the path.
    Absent,
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
            Self::Absent => "nothing",
        })
    }
}

/// Kind, mode and size, without a look at any content. Links are not followed in the last part
/// of the path.
///
/// # Errors
///
/// The path is not absolute, or the engine refuses.
pub async fn stat(container: &Container, path: &str) -> Result<File, ObserveError> {
    absolute(container, path)?;
    if inside::holds(container, path).await? {
        return inside::look(container, path, Content::Left).await;
    }
    match head(container, path).await {
        Err(ObserveError::Absent { .. }) => nothing(container, path).await,
        found => found,
    }
}

/// Kind, mode, size and owner. What is asked of the engine ends before the content; names of
/// users take two requests more if it does not belong to root alone.
///
/// # Errors
///
/// The path is not absolute, the engine refuses, or it would take a program in the image that
/// is not there.
pub async fn at(container: &Container, path: &str) -> Result<File, ObserveError> {
    look(container, path, Content::Left).await
}

/// All that [`at`] gives, and the content.
///
/// # Errors
///
/// As those of [`at`]; or the file has more than 64 MiB.
pub async fn read(container: &Container, path: &str) -> Result<File, ObserveError> {
    look(container, path, Content::Read).await
}

/// Whether there is anything at the path, a link to nowhere included.
///
/// # Errors
///
/// The path is not absolute, or the engine refuses.
pub async fn exists(container: &Container, path: &str) -> Result<bool, ObserveError> {
    absolute(container, path)?;
    if inside::holds(container, path).await? {
        return Ok(inside::look(container, path, Content::Left).await?.kind != FileKind::Absent);
    }
    match head(container, path).await {
        Ok(_) => Ok(true),
        Err(ObserveError::Absent { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn look(container: &Container, path: &str, content: Content) -> Result<File, ObserveError> {
    absolute(container, path)?;
    if inside::holds(container, path).await? {
        return inside::look(container, path, content).await;
    }
    match archive::first(container, path, content).await {
        Ok(Some(entry)) => entry.into_file(container, path).await,
        // The archive of a socket is empty.
        Ok(None) => inside::look(container, path, content).await,
        Err(ObserveError::Absent { .. }) => nothing(container, path).await,
        Err(error) => Err(error),
    }
}

async fn head(container: &Container, path: &str) -> Result<File, ObserveError> {
    let options = ContainerArchiveInfoOptions { path: path.to_owned() };
    let what = describe(container.node(), path);
    let stat = ask(container, &what, |docker, id| async move {
        docker.get_container_archive_info(&id, Some(options)).await
    })
    .await?;
    let (kind, mode) = go_mode(stat.file_mode, stat.link_target);
    let size = u64::try_from(stat.size).unwrap_or_default();
    Ok(File { kind, mode, size, ..File::new(container.node(), path) })
}

async fn nothing(container: &Container, path: &str) -> Result<File, ObserveError> {
    let nearest = nearest::to(container, path).await?;
    Ok(File { nearest, ..File::new(container.node(), path) })
}

/// What is in a file, in one request; nothing if there is none.
pub(crate) async fn content(
    container: &Container,
    path: &str,
) -> Result<Option<Vec<u8>>, ObserveError> {
    match archive::first(container, path, Content::Read).await {
        Ok(entry) => Ok(entry.and_then(|entry| entry.content)),
        Err(ObserveError::Absent { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn absolute(container: &Container, path: &str) -> Result<(), ObserveError> {
    if path.starts_with('/') { Ok(()) } else { Err(relative(container.node(), path)) }
}

fn relative(node: &str, path: &str) -> ObserveError {
    ObserveError::unusable(describe(node, path), "a path in a container begins with `/`")
}

fn describe(node: &str, path: &str) -> String {
    format!("file `{path}` of `{node}`")
}

impl File {
    /// Nothing at a path.
    fn new(node: &str, path: &str) -> Self {
        Self {
            node: node.to_owned(),
            path: path.to_owned(),
            kind: FileKind::Absent,
            mode: 0,
            size: 0,
            owner: None,
            content: None,
            nearest: None,
        }
    }
}

impl Observed for File {
    fn subject(&self) -> String {
        describe(&self.node, &self.path)
    }
}

/// What it is in one line, as `ls -l` would have it; without the content.
impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, kind, mode, size, owner, .. } = self;
        match kind {
            FileKind::Absent => return write!(f, "{path}: nothing"),
            kind => write!(f, "{path}: {kind}, mode {mode:04o}")?,
        }
        if let Some((user, group)) = owner {
            write!(f, ", {user}:{group}")?;
        }
        if *kind == FileKind::Regular { write!(f, ", {}", Size(*size)) } else { Ok(()) }
    }
}

impl archive::Entry {
    async fn into_file(self, container: &Container, path: &str) -> Result<File, ObserveError> {
        let (users, groups) = match (self.uid, self.gid) {
            (0, 0) => Default::default(),
            _ => (Names::users(container).await?, Names::groups(container).await?),
        };
        Ok(self.file(container.node(), path, &users, &groups))
    }

    fn file(self, node: &str, path: &str, users: &Names, groups: &Names) -> File {
        let Self { path: _, kind, mode, size, uid, gid, content } = self;
        let owner = Some((Owner::new(uid, users), Owner::new(gid, groups)));
        File { kind, mode, size, owner, content, ..File::new(node, path) }
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

    #[test]
    fn every_kind_has_a_name() {
        use FileKind::{Absent, Device, Directory, Pipe, Regular, Socket, Symlink};
        let kinds = [Regular, Directory, Symlink("/x".to_owned()), Socket, Pipe, Device, Absent];
        insta::assert_snapshot!(
            kinds.map(|kind| kind.to_string()).join(", "),
            @"a regular file, a directory, a link to `/x`, a socket, a pipe, a device, nothing"
        );
    }

    #[test]
    fn a_path_is_absolute() {
        insta::assert_snapshot!(
            relative("web", "etc/app.toml"),
            @"look at file `etc/app.toml` of `web`: a path in a container begins with `/`"
        );
    }

    #[test]
    fn a_file_is_a_line() {
        let root = || Owner { id: 0, name: Some("root".to_owned()) };
        let owner = Some((root(), Owner { id: 33, name: None }));
        let file = File::new("web", "/etc/app.toml");
        let (kind, mode, size) = (FileKind::Regular, 0o640, 21);
        let there = File { kind, mode, size, owner, ..file.clone() };
        let link = File { kind: FileKind::Symlink("/x".to_owned()), mode: 0o777, ..file.clone() };
        insta::assert_snapshot!(format!("{there}\n{link}\n{file}"), @r"
        /etc/app.toml: a regular file, mode 0640, `root` (0):33, 21 bytes
        /etc/app.toml: a link to `/x`, mode 0777
        /etc/app.toml: nothing
        ");
    }
}
