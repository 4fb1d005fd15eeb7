//! The keyring: where a login is kept, and how it gets there and away again.

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tracing::debug;

use super::auth_file::{self, AuthFile};
use super::helper::{Helper, HelperError};
use super::source::{EnvironmentSource, own_file};
use super::{CredentialError, auth_key};
use crate::blocking::blocking;
use crate::environment::Environment;
use crate::host::Host;
use crate::secret::Secret;

/// Docker's place for logins: `$DOCKER_CONFIG/config.json`, or the file that
/// `REGISTRY_AUTH_FILE` names, and the credential helpers that it names.
///
/// What it writes, `docker`, `podman` and their kin read, and so does
/// [`Credentials::from_environment`](crate::Credentials::from_environment). The file is
/// replaced in one step, readable for its owner alone, and nothing in it changes but the entry
/// in question. Any number of processes may write it at once.
#[derive(Clone, Debug)]
pub struct Keyring {
    environment: Environment,
    file: AuthFile,
}

/// Who keeps a login.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Keeper {
    /// The file itself, in plain text but for base64.
    File,
    /// A credential helper.
    Helper {
        /// The helper's program.
        program: String,
    },
}

/// Why a login was not kept, or not removed. No message holds content of the file.
///
/// It fits after "failed to"; [`KeyringError::remedy`] says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// There is no home directory.
    #[error("find a file for credentials: there is no home directory, nor DOCKER_CONFIG")]
    NoPlace,
    /// A user name that no file can hold.
    #[error("keep credentials for {0}: the user name is empty, or has a colon in it")]
    Username(Host),
    /// The file cannot be read, or is no credential file. It stays as it is.
    #[error(transparent)]
    Read(#[from] CredentialError),
    /// The file is a directory or a device.
    #[error("write credentials to {}: it is no regular file", .0.display())]
    NoFile(PathBuf),
    /// The file cannot be written. It stays as it is.
    #[error("write credentials to {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A helper did not do what it was asked.
    #[error("{verb} the credentials for {server} by {program}, which {} names", path.display())]
    Helper {
        /// `store` or `erase`.
        verb: &'static str,
        /// What it was asked for.
        server: String,
        /// The program.
        program: String,
        /// The file that names it.
        path: PathBuf,
        /// Why not.
        source: HelperError,
    },
}

impl Keyring {
    /// The one that `environment` names.
    ///
    /// # Errors
    /// When there is neither a variable for it nor a home directory.
    pub fn from_environment(environment: &Environment) -> Result<Self, KeyringError> {
        let path = own_file(environment).ok_or(KeyringError::NoPlace)?;
        Ok(Self { environment: environment.clone(), file: AuthFile::new(path) })
    }

    /// Its file, which need not exist yet.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Keeps a login to `host`, in place of the one before.
    ///
    /// The helper for the registry keeps it, if there is one, else the helper for all, else the
    /// file. With a helper, the file has an empty entry, as Docker writes it.
    ///
    /// # Errors
    /// When file or helper fail, or the user name has a colon. A file that is broken is not
    /// touched.
    pub async fn store(
        &self,
        host: &Host,
        username: &str,
        password: &Secret,
    ) -> Result<Keeper, KeyringError> {
        if username.is_empty() || username.contains(':') {
            return Err(KeyringError::Username(host.clone()));
        }
        let key = auth_key::of(host);
        let (keeper, auth) = match self.helper(host)? {
            Some(helper) => {
                let stored = helper.store(&key, username, password, &self.environment).await;
                stored.map_err(|source| self.failed("store", &key, &helper, source))?;
                (Keeper::Helper { program: helper.program().to_owned() }, None)
            }
            None => {
                let pair = STANDARD.encode(format!("{username}:{}", password.expose()));
                (Keeper::File, Some(Secret::new(pair)))
            }
        };
        let rivals = host.clone();
        self.edit(move |text| {
            let is_rival = |other: &str| auth_key::is_rival(other, &rivals);
            auth_file::with_entry(text, &key, auth.as_ref(), is_rival)
        })
        .await?;
        debug!(%host, file = %self.path().display(), ?keeper, "stored credentials");
        Ok(keeper)
    }

    /// Removes the login to `host`, under every key that Docker may have kept it; whether there
    /// was one.
    ///
    /// # Errors
    /// When file or helper fail.
    pub async fn erase(&self, host: &Host) -> Result<bool, KeyringError> {
        let erased = match self.helper(host)? {
            Some(helper) => self.erase_by(&helper, host).await,
            None => Ok(false),
        };
        // Whatever the helper says: a password in the file goes.
        let gone = host.clone();
        let edit = self
            .edit(move |text| auth_file::without_entries(text, |key| auth_key::is_of(key, &gone)));
        let was_in_file = edit.await?;
        let was_there = erased? || was_in_file;
        debug!(%host, file = %self.path().display(), was_there, "erased credentials");
        Ok(was_there)
    }

    /// The place other than this one where credentials for all of `host` are found. It goes
    /// before this one in every lookup.
    ///
    /// # Errors
    /// When such a place cannot be read.
    pub async fn elsewhere(&self, host: &Host) -> Result<Option<String>, CredentialError> {
        let source = EnvironmentSource::new(self.environment.clone());
        source.elsewhere(host, self.path()).await
    }

    fn helper(&self, host: &Host) -> Result<Option<Helper>, KeyringError> {
        let config = self.file.read()?;
        let Some((field, name)) = config.helper(host) else { return Ok(None) };
        let origin = || self.path().display().to_string();
        let helper = Helper::new(name)
            .ok_or_else(|| CredentialError::HelperName { field, origin: origin() })?;
        Ok(Some(helper))
    }

    /// Has the helper erase what it lists, and what it may have without listing it.
    async fn erase_by(&self, helper: &Helper, host: &Host) -> Result<bool, KeyringError> {
        let environment = &self.environment;
        let failed = |server: &str, source| self.failed("erase", server, helper, source);
        let listed = helper.list(environment).await;
        let listed = listed.map_err(|source| failed(&auth_key::of(host), source))?;
        let Some(mut servers) = listed else {
            // As with `docker logout`, one form that is erased makes up for others that are not.
            let (mut was_there, mut error) = (false, None);
            for server in auth_key::forms(host) {
                match helper.erase(&server, environment).await {
                    Ok(erased) => was_there |= erased,
                    Err(source) => error = error.or(Some(failed(&server, source))),
                }
            }
            return match error {
                Some(error) if !was_there => Err(error),
                _ => Ok(was_there),
            };
        };
        servers.retain(|server| auth_key::is_of(server, host));
        for server in &servers {
            helper.erase(server, environment).await.map_err(|source| failed(server, source))?;
        }
        let own = auth_key::of(host);
        if !servers.contains(&own) {
            // It says that it has none; the list of some helpers is always empty.
            let _ = helper.erase(&own, environment).await;
        }
        Ok(!servers.is_empty())
    }

    fn failed(
        &self,
        verb: &'static str,
        server: &str,
        helper: &Helper,
        source: HelperError,
    ) -> KeyringError {
        let (server, program) = (server.to_owned(), helper.program().to_owned());
        KeyringError::Helper { verb, server, program, path: self.path().to_owned(), source }
    }

    /// Changes the file; whether that changed anything.
    async fn edit(
        &self,
        edit: impl Fn(&str) -> String + Send + 'static,
    ) -> Result<bool, KeyringError> {
        let file = self.file.clone();
        let done = blocking(String::from("write credentials"), move || Ok(file.edit(edit))).await;
        done.unwrap_or_else(|cancelled| {
            let source = io::Error::other(cancelled);
            Err(KeyringError::Write { path: self.path().to_owned(), source })
        })
    }
}

impl KeyringError {
    /// What the user can do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::NoPlace => "set HOME, or DOCKER_CONFIG to a directory".to_owned(),
            Self::Username(_) => "check the user name; a password goes by itself".to_owned(),
            Self::Read(error) => error.remedy(),
            Self::NoFile(_) => {
                "name a file by REGISTRY_AUTH_FILE, or a directory by DOCKER_CONFIG".to_owned()
            }
            Self::Write { path, source } => match source.kind() {
                io::ErrorKind::TimedOut => "wait for the other login, or end it".to_owned(),
                _ => format!(
                    "make {} and its directory writable for this user, \
                     or name another directory by DOCKER_CONFIG",
                    path.display()
                ),
            },
            Self::Helper { program, path, source: HelperError::NotOnPath, .. } => {
                format!("install {program}, or remove its name from {}", path.display())
            }
            Self::Helper { program, .. } => format!("see what `{program} list` says"),
        }
    }
}

// Its helpers are shell scripts.
#[cfg(all(test, unix))]
mod tests;
