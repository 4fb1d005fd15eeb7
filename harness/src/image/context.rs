//! What a build may copy from.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio_tar::{Builder, EntryType, Header};

use crate::image::ignore::Ignore;

/// Files by their paths: sorted, so that one content has one hash and one archive.
#[derive(Debug, Default)]
pub(crate) struct Context {
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug)]
enum Entry {
    Directory,
    File { mode: u32, bytes: Vec<u8> },
    Link { target: PathBuf },
}

/// The path that could not be read, and why.
pub(crate) type Unreadable = (PathBuf, io::Error);

impl Context {
    /// All of a directory that its `.dockerignore` does not leave out, and the Dockerfile in any
    /// case: one that is to be left out the builder takes away itself, once it has read it.
    pub(crate) fn read(root: &Path, dockerfile: Option<String>) -> Result<Self, Unreadable> {
        let rules = root.join(".dockerignore");
        let ignore = match fs::read_to_string(&rules) {
            Ok(text) => Ignore::parse(&text)
                .map_err(|error| (rules, io::Error::new(io::ErrorKind::InvalidData, error)))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ignore::default(),
            Err(error) => return Err((rules, error)),
        };
        let mut context = Self::default();
        context.read_directory(root, "", &ignore)?;
        if let Some(name) = dockerfile.filter(|name| !context.entries.contains_key(name)) {
            let path = root.join(&name);
            let bytes = fs::read(&path).map_err(|error| (path, error))?;
            context.add(&name, 0o644, bytes);
        }
        Ok(context)
    }

    pub(crate) fn add(&mut self, path: &str, mode: u32, bytes: Vec<u8>) {
        self.entries.insert(path.trim_start_matches('/').to_owned(), Entry::File { mode, bytes });
    }

    /// The same for the same content, on every machine.
    pub(crate) fn hash(&self, hash: &mut Sha256) {
        for (path, entry) in &self.entries {
            let (kind, mode, bytes) = match entry {
                Entry::Directory => ('d', 0, &[][..]),
                Entry::File { mode, bytes } => ('f', *mode, &bytes[..]),
                Entry::Link { target } => ('l', 0, target.as_os_str().as_encoded_bytes()),
            };
            hash.update(format!("{kind} {mode:o} {} {} {path}\n", path.len(), bytes.len()));
            hash.update(bytes);
        }
    }

    pub(crate) async fn archive(&self) -> io::Result<Vec<u8>> {
        let mut archive = Builder::new(Vec::new());
        for (path, entry) in &self.entries {
            let mut header = Header::new_gnu();
            header.set_size(0);
            match entry {
                Entry::Directory => {
                    header.set_entry_type(EntryType::Directory);
                    header.set_mode(0o755);
                    archive.append_data(&mut header, path, &[][..]).await?;
                }
                Entry::File { mode, bytes } => {
                    header.set_entry_type(EntryType::Regular);
                    header.set_mode(*mode);
                    header.set_size(bytes.len() as u64);
                    archive.append_data(&mut header, path, &bytes[..]).await?;
                }
                Entry::Link { target } => {
                    header.set_entry_type(EntryType::Symlink);
                    header.set_mode(0o777);
                    header.set_link_name(target)?;
                    archive.append_data(&mut header, path, &[][..]).await?;
                }
            }
        }
        archive.into_inner().await
    }

    fn read_directory(
        &mut self,
        at: &Path,
        below: &str,
        ignore: &Ignore,
    ) -> Result<(), Unreadable> {
        let unreadable = |path: &Path| {
            let path = path.to_owned();
            move |error| (path, error)
        };
        for entry in fs::read_dir(at).map_err(unreadable(at))? {
            let entry = entry.map_err(unreadable(at))?;
            let path = entry.path();
            let name = format!("{below}{}", entry.file_name().to_string_lossy());
            let ignored = ignore.ignores(&name);
            let metadata = entry.metadata().map_err(unreadable(&path))?;
            if metadata.is_dir() {
                if !ignored {
                    self.entries.insert(name.clone(), Entry::Directory);
                }
                if !ignored || !ignore.is_final() {
                    self.read_directory(&path, &format!("{name}/"), ignore)?;
                }
                continue;
            }
            if ignored {
                continue;
            }
            if metadata.is_symlink() {
                let target = fs::read_link(&path).map_err(unreadable(&path))?;
                self.entries.insert(name, Entry::Link { target });
            } else if metadata.is_file() {
                let bytes = fs::read(&path).map_err(unreadable(&path))?;
                self.add(&name, metadata.permissions().mode() & 0o777, bytes);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(context: &Context) -> Vec<u8> {
        let mut hash = Sha256::new();
        context.hash(&mut hash);
        hash.finalize().to_vec()
    }

    #[test]
    fn a_directory_is_read_but_for_what_it_ignores() {
        let root = std::env::temp_dir().join(format!("plimsoll-context-{}", std::process::id()));
        fs::create_dir_all(root.join("src/deep")).unwrap();
        fs::create_dir_all(root.join("target/debug")).unwrap();
        fs::write(root.join("src/deep/a.txt"), "a").unwrap();
        fs::write(root.join("target/debug/big"), "big").unwrap();
        fs::write(root.join(".dockerignore"), "target\n").unwrap();
        let read = Context::read(&root, None);
        fs::remove_dir_all(&root).unwrap();
        let context = read.unwrap();
        let paths: Vec<_> = context.entries.keys().map(String::as_str).collect();
        assert_eq!(paths, [".dockerignore", "src", "src/deep", "src/deep/a.txt"]);
        let (path, _) = Context::read(Path::new("/no/such/directory"), None).unwrap_err();
        assert_eq!(path, Path::new("/no/such/directory"));
    }

    #[test]
    fn path_mode_and_content_are_in_the_hash() {
        let context = |path: &str, mode, bytes: &[u8]| {
            let mut context = Context::default();
            context.add(path, mode, bytes.to_vec());
            hash(&context)
        };
        let one = context("a", 0o644, b"x");
        assert_eq!(one, context("/a", 0o644, b"x"));
        for other in
            [context("b", 0o644, b"x"), context("a", 0o755, b"x"), context("a", 0o644, b"")]
        {
            assert_ne!(one, other);
        }
    }
}
