//! The images of an archive that holds an OCI layout.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::archive::contents::Contents;
use crate::archive::error;
use crate::digest::Digest;
use crate::layout::blob::media_type;
use crate::layout::index::Index;
use crate::layout::version;
use crate::manifest::{Descriptor, Manifest};
use crate::reference::Selector;
use crate::store::{Blame, StoreError};
use crate::tag::Tag;

impl Contents {
    /// Whether it says that it is a layout.
    pub(super) fn is_layout(&self) -> bool {
        self.tar.get("oci-layout").is_some() && self.tar.get("index.json").is_some()
    }

    /// Refuses what is no layout, or one of another version.
    pub(super) fn check_layout(&self) -> Result<(), StoreError> {
        let Some(text) = self.text("oci-layout")? else {
            return Err(match self.tar.get("manifest.json") {
                Some(_) => error::wrong_kind(
                    self.path(),
                    "it has manifest.json and no oci-layout file, as docker save writes it",
                    "name it as docker-archive:FILE",
                ),
                None => error::wrong_kind(
                    self.path(),
                    "it has no oci-layout file",
                    "name an archive of an OCI layout, such as one written by \
                     docker buildx build --output type=oci,dest=FILE",
                ),
            });
        };
        let version = version::read(text.as_bytes())
            .map_err(|error| error::file(self.path(), "oci-layout", error))?;
        if version == version::VERSION {
            return Ok(());
        }
        let message =
            format!("open archive {}: its layout has version {version:?}", self.path().display());
        Err(StoreError::new(Blame::Unsupported, message)
            .with_remedy("write the archive again in version 1.0.0, the only one read here"))
    }

    /// What `index.json` says.
    pub(super) fn index(&self) -> Result<Index, StoreError> {
        let Some(text) = self.text("index.json")? else {
            let remedy = "write the archive again";
            return Err(error::wrong_kind(self.path(), "it has no index.json", remedy));
        };
        Index::parse(text).map_err(|error| error::index(self.path(), error))
    }

    pub(super) fn tags(&self) -> Result<BTreeSet<Tag>, StoreError> {
        self.index()?.tags().map_err(|error| error::ambiguous(self.path(), error))
    }

    pub(super) fn head(&self, selector: &Selector) -> Result<Option<Descriptor>, StoreError> {
        if let Some(descriptor) = self.indexed(selector)? {
            return Ok(Some(descriptor));
        }
        // Not in the index: only the content says what it is.
        Ok(self.manifest(selector)?.map(|manifest| manifest.descriptor().clone()))
    }

    pub(super) fn manifest(&self, selector: &Selector) -> Result<Option<Manifest>, StoreError> {
        let (digest, promised) = match (self.indexed(selector)?, selector) {
            (Some(descriptor), _) => (descriptor.digest.clone(), Some(descriptor)),
            (None, Selector::Digest(digest)) => (digest.clone(), None),
            (None, Selector::Tag(_)) => return Ok(None),
        };
        let Some(bytes) = self.blob_bytes(&digest)? else {
            return match promised {
                None => Ok(None),
                Some(_) => Err(error::damaged(self.path(), digest.as_str(), "it is missing")),
            };
        };
        let media_type = match &promised {
            Some(descriptor) => descriptor.media_type.as_str(),
            None => media_type(&bytes),
        };
        if let Some(promised) = promised.as_ref().map(|promised| promised.size)
            && promised != bytes.len() as u64
        {
            let reason = format!("it has {} bytes, the index says {promised}", bytes.len());
            return Err(error::damaged(self.path(), digest.as_str(), &reason));
        }
        let attempt = || format!("read {digest} of archive {}", self.path().display());
        Manifest::received(bytes.clone(), media_type, Some(&digest))
            .map(Some)
            .map_err(|error| StoreError::manifest(attempt(), error))
    }

    /// The one image that the archive holds, or the one that has several names.
    pub(super) fn only_image(&self) -> Result<Selector, StoreError> {
        let index = self.index()?;
        let digests: BTreeSet<&Digest> =
            index.descriptors().map(|descriptor| &descriptor.digest).collect();
        let mut rest = digests.iter();
        match (rest.next(), rest.next()) {
            (None, _) => Err(error::none(self.path())),
            (Some(only), None) => Ok(Selector::Digest((*only).clone())),
            _ => {
                let tags: Vec<String> = self.tags()?.iter().map(Tag::to_string).collect();
                let digests: Vec<String> = digests.iter().map(ToString::to_string).collect();
                Err(error::several(self.path(), if tags.len() < 2 { &digests } else { &tags }))
            }
        }
    }

    /// The content of a blob that is no layer.
    pub(super) fn blob_bytes(&self, digest: &Digest) -> Result<Option<Bytes>, StoreError> {
        self.blob(digest)?.map(|entry| self.bytes(entry)).transpose()
    }

    /// What the index says about `selector`.
    fn indexed(&self, selector: &Selector) -> Result<Option<Descriptor>, StoreError> {
        let index = self.index()?;
        let found = match selector {
            Selector::Digest(digest) => index.entry(digest),
            Selector::Tag(tag) => {
                index.tagged(tag).map_err(|error| error::ambiguous(self.path(), error))?
            }
        };
        Ok(found.cloned())
    }
}
