//! Credential files as they are written: one entry changes, all else stays as it is.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::CredentialError;
use super::docker_config::{DockerConfig, parse_docker_config};
use super::keyring::KeyringError;
use super::source::{is_absence, read_file};
use crate::layout::{file, json};
use crate::secret::Secret;

/// A file that Docker and podman would read, too.
#[derive(Clone, Debug)]
pub(super) struct AuthFile {
    path: PathBuf,
}

/// What an absent or empty file is taken for.
const EMPTY: &str = "{\n\t\"auths\": {}\n}\n";

/// How long another process may take for its own change; it takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often the file may change under our hands, by programs that know no lock.
const TRIES: usize = 10;

impl AuthFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What it says; nothing when it does not exist.
    pub(super) fn read(&self) -> Result<DockerConfig, KeyringError> {
        self.parsed().map(|(_, config)| config)
    }

    /// Replaces its text by what `edit` makes of it; whether that is anything else.
    pub(super) fn edit(&self, edit: impl Fn(&str) -> String) -> Result<bool, KeyringError> {
        let (text, _) = self.parsed()?;
        if edit(or_empty(&text)) == or_empty(&text) {
            return Ok(false);
        }
        let failed = |source| KeyringError::Write { path: self.path.clone(), source };
        let target = followed(&self.path);
        let directory = file::parent(&target);
        create_directory(directory).map_err(failed)?;
        // The file itself is replaced, so that it is no use as a lock.
        let _turn = match file::lock(directory, PATIENCE) {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(failed(error)),
            // Not every file system has locks. Then the second look below has to do.
            turn => turn.ok(),
        };
        for _ in 0..TRIES {
            let (before, _) = self.parsed()?;
            let after = edit(or_empty(&before));
            let new = write_beside(&target, &after).map_err(failed)?;
            // Docker and podman take no lock: they may have come in between.
            if self.parsed()?.0 == before {
                close_to_others(&target).map_err(failed)?;
                file::persist(new, &target).map_err(failed)?;
                return Ok(true);
            }
        }
        Err(failed(io::Error::new(io::ErrorKind::TimedOut, "other programs keep changing it")))
    }

    /// Its text, empty when it does not exist, and what that says.
    fn parsed(&self) -> Result<(String, DockerConfig), KeyringError> {
        let path = &self.path;
        // Before it is opened, which may wait for ever, or replaced, which may be /dev/null.
        if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Err(KeyringError::NoFile(path.clone()));
        }
        let bytes = match read_file(path) {
            Ok(bytes) => bytes,
            Err(error) if is_absence(&error) => Vec::new(),
            Err(source) => {
                return Err(CredentialError::Unreadable { path: path.clone(), source }.into());
            }
        };
        let malformed = |problem: &dyn ToString| {
            let (origin, problem) = (path.display().to_string(), problem.to_string());
            CredentialError::Malformed { origin, problem }
        };
        let config = parse_docker_config(&bytes).map_err(|error| malformed(&error))?;
        let text = String::from_utf8(bytes).map_err(|_| malformed(&"it is not UTF-8"))?;
        // serde takes an array for a structure, too.
        let is_object = text.trim_start().starts_with('{') || text.trim().is_empty();
        match is_object {
            true => Ok((text, config)),
            false => Err(malformed(&"it is no JSON object").into()),
        }
    }
}

/// `text` with `auth` in the entry of `key`, or with that entry empty, and without `rivals`.
/// Of an entry that is there, fields that are no credentials stay.
pub(super) fn with_entry(
    text: &str,
    key: &str,
    auth: Option<&Secret>,
    is_rival: impl Fn(&str) -> bool,
) -> String {
    in_auths(text, |auths| {
        let mut auths = without(auths, is_rival);
        // Of two entries under one key, readers take the last.
        while json::Parts::object(&auths, 0..auths.len())
            .is_some_and(|parts| parts.parts.iter().filter(|part| part.key == key).count() > 1)
        {
            auths = json::remove(&auths, key);
        }
        let old = json::get(&auths, key).filter(|entry| *entry != "null").unwrap_or("{}");
        let entry = without(old, |field| {
            let others = ["username", "password", "identitytoken", "registrytoken"];
            others.contains(&field) || (field == "auth" && auth.is_none())
        });
        let entry = match auth {
            Some(auth) => json::set(&entry, "auth", &json::quote(auth.expose())),
            None => entry,
        };
        json::set(&auths, key, &entry)
    })
}

/// `text` without the entries whose keys are `gone`.
pub(super) fn without_entries(text: &str, is_gone: impl Fn(&str) -> bool) -> String {
    in_auths(text, |auths| without(auths, is_gone))
}

/// `text` with its `auths` changed.
fn in_auths(text: &str, change: impl FnOnce(&str) -> String) -> String {
    let Ok(root) = json::root(text) else { return text.to_owned() };
    let object = &text[root.clone()];
    let old = json::get(object, "auths").unwrap_or("{}");
    let new = change(old);
    if new == old {
        return text.to_owned();
    }
    json::replace(text, &root, &json::set(object, "auths", &new))
}

/// `object` without the members of these names.
fn without(object: &str, is_gone: impl Fn(&str) -> bool) -> String {
    let Some(members) = json::Parts::object(object, 0..object.len()) else {
        return object.to_owned();
    };
    let gone = members.parts.iter().filter(|part| is_gone(&part.key));
    gone.fold(object.to_owned(), |rest, part| json::remove(&rest, &part.key))
}

fn or_empty(text: &str) -> &str {
    if text.trim().is_empty() { EMPTY } else { text }
}

/// Where the links at `path` lead, also when nothing is there yet.
fn followed(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    // As many links as the kernel follows.
    for _ in 0..40 {
        let Ok(to) = fs::read_link(&path) else { break };
        path = file::parent(&path).join(to);
    }
    path
}

/// A file in the directory of `target`, for this user alone.
fn write_beside(target: &Path, text: &str) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    let mut new = builder.prefix(".plimsoll-").tempfile_in(file::parent(target))?;
    new.write_all(text.as_bytes())?;
    Ok(new)
}

fn create_directory(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// Leaves the file at `target` to its owner; what replaces it takes over its mode.
#[cfg(unix)]
fn close_to_others(target: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    match fs::metadata(target) {
        Ok(found) if found.permissions().mode() & 0o077 != 0 => {
            fs::set_permissions(target, fs::Permissions::from_mode(0o600))
        }
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn close_to_others(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests;
