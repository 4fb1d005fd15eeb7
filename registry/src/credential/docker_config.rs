//! The file in which Docker, podman and their kin keep credentials.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;

use super::Credential;
use super::auth_key::rank;
use crate::host::Host;
use crate::secret::Secret;

/// What a `config.json` or `auth.json` says about credentials.
#[derive(Debug, Default, Deserialize)]
pub(super) struct DockerConfig {
    #[serde(default, deserialize_with = "null_is_default")]
    auths: BTreeMap<String, Option<Entry>>,
    #[serde(default, rename = "credHelpers", deserialize_with = "null_is_default")]
    helpers: BTreeMap<String, String>,
    #[serde(rename = "credsStore")]
    store: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Entry {
    auth: Option<Secret>,
    username: Option<String>,
    password: Option<Secret>,
    #[serde(rename = "identitytoken")]
    identity_token: Option<Secret>,
    #[serde(rename = "registrytoken")]
    registry_token: Option<Secret>,
}

/// Where a file stops being a credential file. It quotes nothing of it: the file holds secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DockerConfigError {
    problem: &'static str,
    line: usize,
    column: usize,
}

/// The entry that names a repository cannot be read. It quotes the key and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EntryError {
    key: String,
    problem: &'static str,
}

/// Reads a credential file; an empty one holds nothing.
///
/// # Errors
/// When it is not JSON, or a value in it has another type than it must.
pub(super) fn parse_docker_config(bytes: &[u8]) -> Result<DockerConfig, DockerConfigError> {
    if bytes.trim_ascii().is_empty() {
        return Ok(DockerConfig::default());
    }
    serde_json::from_slice(bytes).map_err(|error| DockerConfigError::from_json(&error))
}

impl DockerConfig {
    /// The credential that the file itself holds for a repository.
    ///
    /// An entry that holds no secret counts as absent: Docker writes `{}` for a registry whose
    /// password a helper keeps.
    ///
    /// # Errors
    /// When the entry that fits best cannot be read; entries of other registries do not matter.
    pub(super) fn entry(&self, host: &Host, path: &str) -> Result<Option<Credential>, EntryError> {
        let mut entries: Vec<_> = self
            .auths
            .iter()
            .filter_map(|(key, entry)| Some((rank(key, host, path)?, key, entry.as_ref()?)))
            .collect();
        entries.sort_by_key(|(rank, ..)| *rank);
        for (_, key, entry) in entries {
            let refuse = |problem| EntryError { key: key.clone(), problem };
            if let Some(credential) = entry.credential().map_err(refuse)? {
                return Ok(Some(credential));
            }
        }
        Ok(None)
    }

    /// The field that names a credential helper for `host`, and the name in it.
    ///
    /// A helper of the registry's own goes before the one for all; its name left empty means
    /// that this registry has none.
    #[must_use]
    pub(super) fn helper(&self, host: &Host) -> Option<(&'static str, &str)> {
        // No path: helpers are for whole registries.
        let own = self.helpers.iter().filter_map(|(key, name)| Some((rank(key, host, "")?, name)));
        let (field, name) = match own.min() {
            Some((_, name)) => ("credHelpers", name),
            None => ("credsStore", self.store.as_ref()?),
        };
        (!name.is_empty()).then_some((field, name))
    }
}

impl Entry {
    fn credential(&self) -> Result<Option<Credential>, &'static str> {
        let filled = |secret: &Option<Secret>| secret.clone().filter(|secret| !secret.is_empty());
        if let Some(token) = filled(&self.registry_token) {
            return Ok(Some(Credential::RegistryToken(token)));
        }
        if let Some(token) = filled(&self.identity_token) {
            return Ok(Some(Credential::IdentityToken(token)));
        }
        if let Some(auth) = filled(&self.auth) {
            return decode_auth(&auth).map(Some);
        }
        match (&self.username, filled(&self.password)) {
            (_, None) => Ok(None),
            (Some(username), Some(password)) if !username.is_empty() => {
                Ok(Some(Credential::Basic { username: username.clone(), password }))
            }
            (_, Some(_)) => Err("it has a password and no username"),
        }
    }
}

/// Base64 as people paste it: with its padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// `auth` is the base64 form of `user:password`; only the first colon separates.
fn decode_auth(auth: &Secret) -> Result<Credential, &'static str> {
    let text: String = auth.expose().split_ascii_whitespace().collect();
    let bytes = BASE64.decode(text).map_err(|_| "its \"auth\" is not base64")?;
    let text = String::from_utf8(bytes).map_err(|_| "its \"auth\" is not UTF-8 within base64")?;
    match text.split_once(':') {
        Some((username, password)) if !username.is_empty() => Ok(Credential::Basic {
            username: username.to_owned(),
            // Old versions of Docker filled up with zeros.
            password: Secret::new(password.trim_matches('\0')),
        }),
        _ => Err("its \"auth\" is not the base64 form of user:password"),
    }
}

/// Go writes an empty map as `null`.
fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl DockerConfigError {
    /// The message of `error` is left behind: it may quote the value that it is about.
    fn from_json(error: &serde_json::Error) -> Self {
        let problem = match error.classify() {
            Category::Data => "a value has the wrong type",
            Category::Eof => "the JSON ends too early",
            Category::Syntax | Category::Io => "this is not JSON",
        };
        Self { problem, line: error.line(), column: error.column() }
    }
}

impl fmt::Display for DockerConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at line {}, column {}", self.problem, self.line, self.column)
    }
}

impl std::error::Error for DockerConfigError {}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the entry {:?} cannot be used: {}", self.key, self.problem)
    }
}

impl std::error::Error for EntryError {}

#[cfg(test)]
mod tests;
