//! Credentials: what to show a registry, and where it is found.

mod auth_file;
mod auth_key;
mod docker_config;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod helper;
mod keyring;
mod source;

use std::io;
use std::path::PathBuf;

pub use helper::HelperError;
pub use keyring::{Keeper, Keyring, KeyringError};

use crate::environment::Environment;
use crate::host::Host;
use crate::secret::Secret;
use source::EnvironmentSource;

/// What to show a registry, or the issuer of its tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// Nothing.
    Anonymous,
    /// A user and a password or access token.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A token to be traded for access tokens at the issuer: what `docker login` stores as
    /// `identitytoken`, and helpers return under the user `<token>`.
    IdentityToken(Secret),
    /// A token to be sent to the registry itself, as it is.
    RegistryToken(Secret),
}

/// Where credentials are looked for: sources in order, of which the first that has one answers.
///
/// Files are read and helpers run when a lookup first needs them, and then once per registry,
/// however many lookups run at the same time; [`Credentials::forget`] starts afresh.
#[derive(Debug, Default)]
pub struct Credentials {
    sources: Vec<Source>,
}

#[derive(Debug)]
enum Source {
    /// One credential, for one registry or for all.
    Fixed {
        host: Option<Host>,
        credential: Credential,
    },
    Environment(EnvironmentSource),
}

/// Why a lookup of credentials came to no answer. No message holds content of a credential file.
///
/// It fits after "failed to"; [`CredentialError::remedy`] says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// The file that `REGISTRY_AUTH_FILE` names does not exist.
    #[error("find {}, the credential file that REGISTRY_AUTH_FILE names", .0.display())]
    Missing(PathBuf),
    /// A file is there and cannot be read.
    #[error("read credentials from {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is no credential file.
    #[error("read credentials from {origin}: {problem}")]
    Malformed {
        /// The file or variable.
        origin: String,
        /// What is wrong, in which line and column.
        problem: String,
    },
    /// The entry that a file has for the registry cannot be used.
    #[error("read credentials for {host} from {origin}: {problem}")]
    Entry {
        /// The file or variable.
        origin: String,
        /// The registry.
        host: Host,
        /// The entry's key, and what is wrong.
        problem: String,
    },
    /// The name of a helper holds characters that could make it a path.
    #[error(
        "run the credential helper that {field:?} of {origin} names: \
         a helper's name has only letters, digits, '.', '_' and '-'"
    )]
    HelperName {
        /// `credHelpers` or `credsStore`.
        field: &'static str,
        /// The file or variable.
        origin: String,
    },
    /// A helper gave no answer.
    #[error("get credentials for {server} from {program}, which {origin} names")]
    Helper {
        /// The program.
        program: String,
        /// What it was asked for.
        server: String,
        /// The file or variable that names it.
        origin: String,
        /// Why there is none.
        source: HelperError,
    },
}

impl Credentials {
    /// None, for any registry.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// The same user and password for every registry.
    pub fn fixed(username: impl Into<String>, password: Secret) -> Self {
        let credential = Credential::Basic { username: username.into(), password };
        Self { sources: vec![Source::Fixed { host: None, credential }] }
    }

    /// `credential` for one registry, none for others.
    #[must_use]
    pub fn fixed_for(host: Host, credential: Credential) -> Self {
        Self { sources: vec![Source::Fixed { host: Some(host), credential }] }
    }

    /// Those of `docker login`, `podman login` and credential helpers.
    ///
    /// `REGISTRY_AUTH_FILE` names the only file, if it is set. Else they are looked for in the
    /// variable `DOCKER_AUTH_CONFIG`, `$XDG_RUNTIME_DIR/containers/auth.json`,
    /// `$XDG_CONFIG_HOME/containers/auth.json` and `$DOCKER_CONFIG/config.json`, with the usual
    /// places under the home directory where these are not set. Within a file a helper for the
    /// registry goes before the helper for all, and both before what the file itself holds.
    #[must_use]
    pub fn from_environment(environment: &Environment) -> Self {
        let source = EnvironmentSource::new(environment.clone());
        Self { sources: vec![Source::Environment(source)] }
    }

    /// These, and where they have nothing, `next`.
    #[must_use]
    pub fn or(mut self, next: Self) -> Self {
        self.sources.extend(next.sources);
        self
    }

    /// What to show `host` for the repository at `repository_path` (`library/nginx`);
    /// [`Credential::Anonymous`] when no source has anything.
    ///
    /// # Errors
    /// When a source that could have the answer cannot be read: what is broken is not absent.
    pub async fn find(
        &self,
        host: &Host,
        repository_path: &str,
    ) -> Result<Credential, CredentialError> {
        for source in &self.sources {
            let found = match source {
                Source::Fixed { host: only, credential } => {
                    let meant = only.as_ref().is_none_or(|only| only == host);
                    meant.then(|| credential.clone())
                }
                Source::Environment(source) => source.find(host, repository_path).await?,
            };
            if let Some(credential) = found {
                return Ok(credential);
            }
        }
        Ok(Credential::Anonymous)
    }

    /// Drops what was read, so that the next lookup sees a new login or a renewed token.
    pub fn forget(&self) {
        for source in &self.sources {
            if let Source::Environment(source) = source {
                source.forget();
            }
        }
    }
}

impl CredentialError {
    /// What the user can do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Missing(path) => format!(
                "log in with `podman login --authfile {}`, or unset REGISTRY_AUTH_FILE",
                path.display()
            ),
            Self::Unreadable { .. } => {
                "make the file readable for this user, or name another by REGISTRY_AUTH_FILE"
                    .to_owned()
            }
            Self::Malformed { origin, .. } => {
                format!("correct {origin}, or remove it and log in again")
            }
            Self::Entry { host, .. } => {
                format!("log in again with `ocitag login {host}` or `docker login {host}`")
            }
            Self::HelperName { field, origin } => format!(
                "write into {field:?} of {origin} what follows docker-credential- \
                 in the name of the program"
            ),
            Self::Helper { program, server, origin, source } => match source {
                HelperError::NotOnPath => {
                    format!("install {program}, or remove its name from {origin} and log in again")
                }
                _ => format!("see what `printf %s {server} | {program} get` says"),
            },
        }
    }
}

// Its helpers are shell scripts.
#[cfg(all(test, unix))]
mod tests;
