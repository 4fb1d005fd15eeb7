//! Referrers: manifests that are about another one, such as its signatures.

pub(crate) mod fallback;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::digest::Digest;
use crate::manifest::{Descriptor, Manifest, MediaType};
use crate::store::{Blame, StoreError};

/// A store that knows which of its manifests refer to which.
///
/// Where it does not know by itself, that is kept in an index under a tag made of the subject's
/// digest, as the [specification][spec] lays down.
///
/// [spec]: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema
#[async_trait]
pub trait Referrers: Send + Sync {
    /// All manifests that refer to `subject`; none when there is no such thing.
    ///
    /// # Errors
    /// When the store refuses or fails; a refusal is not absence.
    async fn referrers(&self, subject: &Digest) -> Result<Vec<Referrer>, StoreError>;

    /// Stores `manifest`, whose blobs the store already has, under its digest, and sees to it
    /// that it is found among the referrers of its subject. Any number of writers may add to
    /// one subject at once.
    ///
    /// # Errors
    /// When it refers to nothing, the store refuses or fails, or the tag that would hold the
    /// index holds something else.
    async fn add_referrer(&self, manifest: &Manifest) -> Result<(), StoreError>;
}

/// One manifest that refers to another, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Referrer {
    /// Where it is.
    #[serde(flatten)]
    pub descriptor: Descriptor,
    /// What it is, such as the type of a signature; it may say nothing of that.
    #[serde(default, rename = "artifactType")]
    pub artifact_type: Option<String>,
    /// Its own annotations.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// What a manifest says of its subject and of itself.
pub(crate) struct Reference {
    pub(crate) subject: Digest,
    /// The entry in an index of referrers, as the specification composes it.
    pub(crate) entry: Value,
}

impl Reference {
    /// What `manifest` says; `None` when it refers to nothing.
    pub(crate) fn of(manifest: &Manifest) -> Option<Self> {
        let body: Value = serde_json::from_slice(manifest.bytes()).ok()?;
        let subject = body["subject"]["digest"].as_str()?.parse().ok()?;
        let Descriptor { media_type, digest, size } = manifest.descriptor();
        let mut entry = json!({ "mediaType": media_type, "digest": digest, "size": size });
        let own = [&body["artifactType"], &body["config"]["mediaType"]];
        let own = own.into_iter().find(|own| own.as_str().is_some_and(|own| !own.is_empty()));
        if let Some(own) = own {
            entry["artifactType"] = own.clone();
        }
        if body["annotations"].is_object() {
            entry["annotations"] = body["annotations"].clone();
        }
        Some(Self { subject, entry })
    }

    /// [`Reference::of`] a manifest that is to be added.
    pub(crate) fn required(manifest: &Manifest) -> Result<Self, StoreError> {
        Self::of(manifest).ok_or_else(|| {
            let message = format!("add {} to its subject: it names none", manifest.digest());
            StoreError::new(Blame::Local, message)
        })
    }

    /// The entry, read.
    pub(crate) fn referrer(self) -> Option<Referrer> {
        serde_json::from_value(self.entry).ok()
    }
}

/// The referrers in an index; `None` when `bytes` are no index.
pub(crate) fn read(bytes: &[u8]) -> Option<Vec<Referrer>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Index {
        media_type: Option<String>,
        /// Some registries send `null` for none.
        manifests: Option<Vec<Referrer>>,
        schema_version: u64,
    }
    let index: Index = serde_json::from_slice(bytes).ok()?;
    let is_index = index.media_type.is_none_or(|own| own == MediaType::OCI_INDEX);
    (is_index && index.schema_version == 2).then(|| index.manifests.unwrap_or_default())
}
