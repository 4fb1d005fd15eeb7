//! Stores: what holds the tags and manifests of one repository.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;

use async_trait::async_trait;

use crate::digest::Digest;
use crate::manifest::{Descriptor, Manifest, ManifestError};
use crate::reference::Selector;
use crate::tag::Tag;

/// One repository: a repository of a registry, an image layout, or a fake of either.
///
/// Every answer is complete or an error: "absent" is only ever what the store said is absent,
/// never a refusal, a truncated page or an answer that could not be read.
#[async_trait]
pub trait Store: Send + Sync {
    /// All tags of the repository; none when the repository does not exist yet.
    ///
    /// # Errors
    /// When the list is refused, cannot be read to its end, or is not a tag list.
    async fn tags(&self) -> Result<BTreeSet<Tag>, StoreError>;

    /// What `selector` points at, without reading it; `None` when it does not exist.
    ///
    /// # Errors
    /// When the store refuses or fails; a refusal is not absence.
    async fn head(&self, selector: &Selector) -> Result<Option<Descriptor>, StoreError>;

    /// The manifest that `selector` points at, as stored; `None` when it does not exist.
    ///
    /// # Errors
    /// As [`Store::head`], and when the bytes are not what their digest promises.
    async fn get(&self, selector: &Selector) -> Result<Option<Manifest>, StoreError>;

    /// Points `tag` at `manifest`, whose blobs and children the repository already has.
    ///
    /// # Errors
    /// When the store refuses or fails, or stores it under another digest than its own.
    async fn put(&self, tag: &Tag, manifest: &Manifest) -> Result<(), StoreError>;

    /// Points `tags` at `manifest` in as few requests as will do, where that is fewer than one
    /// for each; returns those that were written. The others are to be [put](Store::put) one by
    /// one, which also tells why they were not: a store that cannot do this writes none, or
    /// the first of them.
    ///
    /// # Errors
    /// When any of them may have been written, and it is not known which.
    async fn put_tags(
        &self,
        tags: &[Tag],
        manifest: &Manifest,
    ) -> Result<BTreeSet<Tag>, StoreError> {
        let (_, _) = (tags, manifest);
        Ok(BTreeSet::new())
    }

    /// Removes `tag` and never the manifest it points at; nothing happens when it is not there.
    ///
    /// # Errors
    /// [`Blame::Unsupported`] when the store cannot remove a tag alone; else as [`Store::put`].
    async fn untag(&self, tag: &Tag) -> Result<(), StoreError>;
}

/// A request that a store refused or could not complete.
///
/// The message names the object and what was attempted; [`StoreError::remedy`] says what to do.
#[derive(Debug)]
pub struct StoreError {
    blame: Blame,
    message: String,
    remedy: Option<String>,
    stored: Option<Digest>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// Who has to act on a [`StoreError`]: it decides the exit code of `ocitag`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blame {
    /// The caller lacks credentials or rights.
    Denied,
    /// The object does not exist.
    NotFound,
    /// The store is in a state that forbids it, such as an immutable tag.
    Conflict,
    /// The registry, or the way to it, failed.
    Registry,
    /// A file or setting of this machine.
    Local,
    /// The store cannot do this at all.
    Unsupported,
}

impl StoreError {
    /// An error that fits after "failed to": "list tags of acme/web: ...".
    pub fn new(blame: Blame, message: impl Into<String>) -> Self {
        Self { blame, message: message.into(), remedy: None, stored: None, source: None }
    }

    /// Adds what the user can do about it.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Adds what caused it; its message is not repeated in this one's.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Bytes of the store that are no manifest, or not the one asked for.
    #[must_use]
    pub fn manifest(message: impl Into<String>, error: ManifestError) -> Self {
        let blame = match error {
            ManifestError::Schema1 { .. } => Blame::Unsupported,
            _ => Blame::Registry,
        };
        Self::new(blame, message).with_source(error)
    }

    /// A blob that is to be copied, and that its source does not have.
    #[must_use]
    pub fn missing_blob(blob: &Descriptor) -> Self {
        Self::new(
            Blame::NotFound,
            format!("read blob {}: its source does not have it", blob.digest),
        )
        .with_remedy("the image is incomplete: build it, or copy it, again")
    }

    /// The store says it holds a manifest under another digest than it was sent; `attempt` names
    /// what was to be written, and `look` is what it gives when it is asked for it.
    #[must_use]
    pub fn stored_differently(attempt: &str, sent: &Digest, stored: &Digest, look: &str) -> Self {
        let message =
            format!("{attempt}: {sent} was sent, the registry says it stored {stored}; {look}");
        let error = Self::new(Blame::Registry, message).with_remedy(
            "the registry, or a proxy before it, changes manifests; compare both digests before \
             using the tag",
        );
        Self { stored: Some(stored.clone()), ..error }
    }

    /// The digest that the store says it holds in place of what it was sent, when that is the
    /// error.
    #[must_use]
    pub fn stored(&self) -> Option<&Digest> {
        self.stored.as_ref()
    }

    /// Who has to act.
    #[must_use]
    pub fn blame(&self) -> Blame {
        self.blame
    }

    /// What the user can do about it, when there is something to say.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
