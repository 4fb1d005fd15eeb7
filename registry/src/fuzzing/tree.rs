//! Trees of manifests that were made up.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use async_trait::async_trait;

use super::{check_message, head};
use crate::blob::{BlobReader, BlobSource};
use crate::content::Content;
use crate::copy::{Copier, CopyLimits, CopyOptions};
use crate::digest::Digest;
use crate::manifest::{Descriptor, Manifest};
use crate::reference::Selector;
use crate::referrers::{Referrer, Referrers};
use crate::store::{Blame, Store, StoreError};
use crate::tag::Tag;

/// Manifests, between lines of `--`, each with its media type in a line before it; `@0` stands
/// for the digest of the first, `#0` for its size. The last is the image. Its tree lists each
/// manifest once, after all that it refers to, and keeps within its limits.
pub fn tree(data: &[u8]) {
    let shelf = Shelf::read(&String::from_utf8_lossy(data));
    let Some(root) = shelf.root.clone() else { return };
    let limits = CopyLimits { depth: 3, manifests: 6, blobs: 8, manifest_bytes: 2 << 10 };
    let options = CopyOptions { limits: limits.clone(), ..CopyOptions::default() };
    let copier = Copier::new(&shelf, "made/up", options);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let tree = match runtime.block_on(copier.read_tree(&Selector::Digest(root.clone()))) {
        Ok(tree) => tree,
        Err(error) => return check_message(&error),
    };
    assert_eq!(tree.root.digest, root);
    assert!(tree.manifests.len() <= limits.manifests && tree.blobs.len() <= limits.blobs);
    let blobs: HashSet<_> = tree.blobs.iter().map(|blob| &blob.descriptor.digest).collect();
    assert_eq!(blobs.len(), tree.blobs.len());
    let mut before = HashSet::new();
    for node in &tree.manifests {
        let digest = &node.descriptor.digest;
        // What an index brings within itself is in no shelf.
        if let Some(manifest) = shelf.manifests.get(digest) {
            let content = Content::of(manifest).expect("it was read");
            for child in &content.children {
                let child = &child.descriptor.digest;
                assert!(before.contains(child) || blobs.contains(child), "{child} of {digest}");
            }
        }
        assert!(before.insert(digest.clone()), "{digest} is there twice");
    }
    assert!(before.contains(&root));
}

/// A store that has manifests alone.
struct Shelf {
    manifests: HashMap<Digest, Manifest>,
    root: Option<Digest>,
}

impl Shelf {
    fn read(text: &str) -> Self {
        let mut shelf = Self { manifests: HashMap::new(), root: None };
        let mut named: Vec<(Digest, u64)> = Vec::new();
        // Ten are what one digit can name.
        for section in text.split("\n--\n").take(10) {
            let (media_type, body) = head(section.as_bytes());
            let mut body = String::from_utf8_lossy(body).into_owned();
            for (at, (digest, size)) in named.iter().enumerate() {
                body = body.replace(&format!("@{at}"), digest.as_str());
                body = body.replace(&format!("#{at}"), &size.to_string());
            }
            let Ok(manifest) = Manifest::received(body.into(), &media_type, None) else { continue };
            named.push((manifest.digest().clone(), manifest.descriptor().size));
            shelf.root = Some(manifest.digest().clone());
            shelf.manifests.insert(manifest.digest().clone(), manifest);
        }
        shelf
    }
}

fn read_only() -> StoreError {
    StoreError::new(Blame::Unsupported, "write to a store for reading")
}

#[async_trait]
impl Store for Shelf {
    async fn tags(&self) -> Result<BTreeSet<Tag>, StoreError> {
        Ok(BTreeSet::new())
    }

    async fn head(&self, selector: &Selector) -> Result<Option<Descriptor>, StoreError> {
        Ok(self.get(selector).await?.map(|manifest| manifest.descriptor().clone()))
    }

    async fn get(&self, selector: &Selector) -> Result<Option<Manifest>, StoreError> {
        let Selector::Digest(digest) = selector else { return Ok(None) };
        Ok(self.manifests.get(digest).cloned())
    }

    async fn put(&self, _: &Tag, _: &Manifest) -> Result<(), StoreError> {
        Err(read_only())
    }

    async fn untag(&self, _: &Tag) -> Result<(), StoreError> {
        Err(read_only())
    }
}

#[async_trait]
impl BlobSource for Shelf {
    async fn open_blob_at(&self, _: &Descriptor, _: u64) -> Result<Option<BlobReader>, StoreError> {
        Ok(None)
    }
}

#[async_trait]
impl Referrers for Shelf {
    /// Everything here that says so.
    async fn referrers(&self, subject: &Digest) -> Result<Vec<Referrer>, StoreError> {
        let refers = |manifest: &&Manifest| {
            let content = Content::of(manifest).ok();
            content
                .and_then(|content| content.subject)
                .is_some_and(|found| found.digest == *subject)
        };
        let found = self.manifests.values().filter(refers);
        let referrer = |manifest: &Manifest| Referrer {
            descriptor: manifest.descriptor().clone(),
            artifact_type: None,
            annotations: BTreeMap::new(),
        };
        Ok(found.map(referrer).collect())
    }

    async fn add_referrer(&self, _: &Manifest) -> Result<(), StoreError> {
        Err(read_only())
    }
}
