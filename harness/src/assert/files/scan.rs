//! All files of a directory.

use std::fmt;

use super::archive::{self, Content, Reach};
use super::{File, FileKind, inside};
use crate::assert::engine::ObserveError;
use crate::assert::mismatch::{Difference, Expectation, Observed};
use crate::assert::text::Text;
use crate::assert::users::Names;
use crate::container::Container;

/// A directory with all that is in it, at any depth; without the contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileTree {
    /// What the container's definition calls it.
    pub node: String,
    /// Where the directory is.
    pub path: String,
    /// The files, the directory itself first.
    pub files: Vec<File>,
}

/// The directory at the path with all that is in it. One request, which carries the contents
/// of all files past: ask for `/` of a large image only if all of it matters. Sockets are not
/// in it, and neither is what lies in memory.
///
/// # Errors
///
/// There is no such directory, it lies in memory, or the engine refuses.
pub async fn under(container: &Container, path: &str) -> Result<FileTree, ObserveError> {
    super::absolute(container, path)?;
    if inside::holds(container, path).await? {
        return Err(in_memory(container.node(), path));
    }
    let entries = archive::entries(container, path, Content::Left, Reach::All).await?;
    let (users, groups) = (Names::users(container).await?, Names::groups(container).await?);
    let node = container.node().to_owned();
    let file = |entry: archive::Entry| {
        let place = archive::place(path, &entry.path);
        entry.file(&node, &place, &users, &groups)
    };
    let files = entries.into_iter().map(file).collect();
    Ok(FileTree { node: node.clone(), path: path.to_owned(), files })
}

impl Observed for FileTree {
    fn subject(&self) -> String {
        subject(&self.node, &self.path)
    }
}

fn in_memory(node: &str, path: &str) -> ObserveError {
    let reason = "it lies in memory (tmpfs, /dev, /proc, /sys), which the engine cannot list; \
                  `files::at` looks at one file there";
    ObserveError::unusable(subject(node, path), reason)
}

fn subject(node: &str, path: &str) -> String {
    format!("the files under `{path}` of `{node}`")
}

/// One file in a line.
impl fmt::Display for FileTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.files.iter().try_for_each(|file| writeln!(f, "{file}"))
    }
}

/// What no file may be.
#[derive(Clone, Debug)]
pub struct Scan {
    expected: &'static str,
    offends: fn(&File) -> bool,
    except: Vec<Text>,
}

/// No file that everybody may write to. Links do not count, whose bits mean nothing, and
/// neither do directories like `/tmp` in which nobody can touch another's files.
#[must_use]
pub fn no_world_writable() -> Scan {
    let offends = |file: &File| {
        let shared = file.kind == FileKind::Directory && file.mode & 0o1000 != 0;
        file.mode & 0o002 != 0 && !shared && !matches!(file.kind, FileKind::Symlink(_))
    };
    Scan { expected: "nothing everybody may write to", offends, except: Vec::new() }
}

/// No program that runs with the rights of its owner or its group.
#[must_use]
pub fn no_setuid() -> Scan {
    let offends = |file: &File| file.kind == FileKind::Regular && file.mode & 0o6000 != 0;
    Scan { expected: "no setuid or setgid program", offends, except: Vec::new() }
}

impl Scan {
    /// Allows it to a path.
    #[must_use]
    pub fn except(mut self, path: impl Into<Text>) -> Self {
        self.except.push(path.into());
        self
    }
}

impl Expectation<FileTree> for Scan {
    fn differences(&self, found: &FileTree) -> Vec<Difference> {
        let excepted = |file: &File| self.except.iter().any(|text| text.fits(file.path.as_bytes()));
        let offenders = found.files.iter().filter(|file| (self.offends)(file) && !excepted(file));
        offenders
            .map(|file| {
                let owner = file.owner.iter().map(|(user, group)| format!(", {user}:{group}"));
                let there = format!("mode {:04o}{}", file.mode, owner.collect::<String>());
                Difference::new(file.path.as_str(), self.expected, there)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert::text::matching;
    use crate::assert::users::Owner;

    fn tree() -> FileTree {
        let file = |path: &str, kind: FileKind, mode: u32| {
            let root = Owner { id: 0, name: Some("root".to_owned()) };
            File { kind, mode, owner: Some((root.clone(), root)), ..File::new("web", path) }
        };
        FileTree {
            node: "web".to_owned(),
            path: "/".to_owned(),
            files: vec![
                file("/", FileKind::Directory, 0o755),
                file("/tmp", FileKind::Directory, 0o1777),
                file("/srv/upload", FileKind::Directory, 0o777),
                file("/bin", FileKind::Symlink("usr/bin".to_owned()), 0o777),
                file("/usr/bin/su", FileKind::Regular, 0o4755),
                file("/etc/app.toml", FileKind::Regular, 0o666),
                file("/var/local", FileKind::Directory, 0o2775),
            ],
        }
    }

    #[test]
    fn what_everybody_may_write_to_is_listed() {
        insta::assert_snapshot!(tree().assert(&no_world_writable()).unwrap_err(), @r"
        match the files under `/` of `web`
          /srv/upload: expected nothing everybody may write to, found mode 0777, `root` (0):`root` (0)
          /etc/app.toml: expected nothing everybody may write to, found mode 0666, `root` (0):`root` (0)
        ");
        let allowed = no_world_writable().except(matching("^/srv/")).except("/etc/app.toml");
        assert_eq!(tree().assert(&allowed), Ok(()));
    }

    #[test]
    fn setuid_programs_are_listed() {
        insta::assert_snapshot!(tree().assert(&no_setuid()).unwrap_err(), @r"
        match the files under `/` of `web`
          /usr/bin/su: expected no setuid or setgid program, found mode 4755, `root` (0):`root` (0)
        ");
        assert_eq!(tree().assert(&no_setuid().except("/usr/bin/su")), Ok(()));
    }

    #[test]
    fn what_lies_in_memory_is_no_tree() {
        insta::assert_snapshot!(
            in_memory("web", "/run"),
            @"look at the files under `/run` of `web`: it lies in memory (tmpfs, /dev, /proc, /sys), which the engine cannot list; `files::at` looks at one file there"
        );
    }

    #[test]
    fn a_tree_is_a_list() {
        let files = tree().files.split_off(5);
        insta::assert_snapshot!(FileTree { files, ..tree() }, @r"
        /etc/app.toml: a regular file, mode 0666, `root` (0):`root` (0), 0 bytes
        /var/local: a directory, mode 2775, `root` (0):`root` (0)
        ");
    }
}
