//! Reading a tree: every manifest once, by digest, level by level.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::content::{Child, Content};
use crate::copy::copier::{Copier, inline};
use crate::copy::error::CopyError;
use crate::copy::order::Findings;
use crate::copy::tree::{AttachedTag, ImageTree, LeftOut, Role, TreeError};
use crate::digest::Digest;
use crate::manifest::Manifest;
use crate::observation::SCHEMA;
use crate::reference::Selector;

/// What was read so far.
#[derive(Default)]
pub(super) struct Walk {
    pub(super) findings: Findings,
    pub(super) tags: Vec<AttachedTag>,
    pub(super) left_out: Vec<LeftOut>,
    bytes: u64,
}

impl Copier<'_> {
    /// Everything that the image at `selector` consists of, with what is attached to it if
    /// that is to be copied.
    ///
    /// # Errors
    /// When there is no such image, when a part of it is missing or cannot be followed, when it
    /// exceeds [`crate::CopyLimits`], or when the source refuses or fails.
    pub async fn read_tree(&self, selector: &Selector) -> Result<ImageTree, CopyError> {
        let Some(asked) = self.get(selector).await? else {
            let (repository, image) = (self.name.clone(), selector.clone());
            return Err(CopyError::NoSource { repository, image });
        };
        let asked_for = asked.descriptor().clone();
        let (root, platform) = match &self.options.platform {
            None => (asked, None),
            Some(platform) => {
                let (chosen, choice) = self.select(&asked, platform).await?;
                (chosen, Some(choice))
            }
        };
        let descriptor = root.descriptor().clone();
        let mut walk = Walk::default();
        walk.findings.roots.push((descriptor.digest.clone(), Role::Image));
        self.descend(&mut walk, vec![root]).await?;
        if self.options.referrers {
            self.attached(&mut walk).await?;
        }
        let (manifests, blobs) = walk.findings.order(&self.options.limits)?;
        Ok(ImageTree {
            schema: SCHEMA,
            source: self.name.clone(),
            asked: asked_for,
            root: descriptor,
            platform,
            manifests,
            blobs,
            tags: walk.tags,
            left_out: walk.left_out,
        })
    }

    /// Adds `start`, and all below it that was not read yet.
    pub(super) async fn descend(
        &self,
        walk: &mut Walk,
        start: Vec<Manifest>,
    ) -> Result<(), CopyError> {
        let limits = &self.options.limits;
        let mut level = start;
        for depth in 0.. {
            let mut next: BTreeMap<Digest, (Digest, Child)> = BTreeMap::new();
            for manifest in level {
                let content = Content::of(&manifest)?;
                let index = manifest.digest();
                for child in &content.children {
                    let digest = &child.descriptor.digest;
                    if child.descriptor.media_type.is_blob() {
                        walk.findings.blobs.insert(digest.clone());
                    } else if !walk.knows(digest) && !next.contains_key(digest) {
                        next.insert(digest.clone(), (index.clone(), child.clone()));
                    }
                }
                let found = (manifest.descriptor().clone(), content);
                walk.findings.manifests.insert(manifest.digest().clone(), found);
            }
            // What stood in this level itself.
            next.retain(|digest, _| !walk.knows(digest));
            if next.is_empty() {
                break;
            }
            let root = walk.findings.roots[0].0.clone();
            if depth >= limits.depth {
                return Err(TreeError::TooDeep { root, limit: limits.depth }.into());
            }
            let sizes = next.values().map(|(_, child)| child.descriptor.size);
            self.count(walk, &root, next.len(), sizes)?;
            let reads = next.into_values().map(|(index, child)| async move {
                let found = self.find_child(&index, &child).await?;
                Ok::<_, CopyError>((child.descriptor.digest, found))
            });
            let reads = stream::iter(reads).buffered(self.concurrency);
            let found: Vec<_> = reads.try_collect().await?;
            level = Vec::with_capacity(found.len());
            for (digest, manifest) in found {
                match manifest {
                    Some(manifest) => level.push(manifest),
                    None => drop(walk.findings.blobs.insert(digest)),
                }
            }
        }
        Ok(())
    }

    /// Refuses to read more manifests than allowed, before they are read.
    pub(super) fn count(
        &self,
        walk: &mut Walk,
        root: &Digest,
        count: usize,
        sizes: impl Iterator<Item = u64>,
    ) -> Result<(), TreeError> {
        let limits = &self.options.limits;
        let too_many = |what, limit| TreeError::TooMany { root: root.clone(), what, limit };
        if walk.findings.manifests.len() + count > limits.manifests {
            return Err(too_many("manifests", limits.manifests as u64));
        }
        walk.bytes = sizes.fold(walk.bytes, u64::saturating_add);
        if walk.bytes > limits.manifest_bytes {
            return Err(too_many("bytes of manifests", limits.manifest_bytes));
        }
        Ok(())
    }

    /// The manifest that `index` lists as `child`.
    pub(super) async fn child(&self, index: &Digest, child: &Child) -> Result<Manifest, CopyError> {
        match self.find_child(index, child).await? {
            Some(manifest) => Ok(manifest),
            None => Err(self.missing(index, child)),
        }
    }

    /// The same; `None` when it is a blob.
    async fn find_child(
        &self,
        index: &Digest,
        child: &Child,
    ) -> Result<Option<Manifest>, CopyError> {
        let listed = &child.descriptor;
        let from_index = inline(child.data.as_deref(), listed).and_then(|bytes| {
            Manifest::received(bytes, listed.media_type.as_str(), Some(&listed.digest)).ok()
        });
        if let Some(manifest) = from_index {
            self.keep(&manifest);
            return Ok(Some(manifest));
        }
        let Some(manifest) = self.get(&Selector::Digest(listed.digest.clone())).await? else {
            // Some indexes list blobs, of types that nobody has heard of.
            let may_be_blob = !listed.media_type.is_manifest();
            return match may_be_blob && self.source.open_blob(listed).await?.is_some() {
                true => Ok(None),
                false => Err(self.missing(index, child)),
            };
        };
        let found = manifest.descriptor();
        let is_as_listed = found.size == listed.size
            && (listed.media_type.is_generic() || found.media_type == listed.media_type);
        if !is_as_listed {
            return Err(CopyError::NotAsListed {
                repository: self.name.clone(),
                digest: found.digest.clone(),
                found: found.media_type.clone(),
                size: found.size,
                listed: listed.media_type.clone(),
                listed_size: listed.size,
            });
        }
        Ok(Some(manifest))
    }

    fn missing(&self, index: &Digest, child: &Child) -> CopyError {
        CopyError::ChildMissing {
            repository: self.name.clone(),
            index: index.clone(),
            child: child.descriptor.clone(),
            platform: child.platform.clone(),
        }
    }
}

impl Walk {
    /// Whether it is known what `digest` is.
    pub(super) fn knows(&self, digest: &Digest) -> bool {
        self.findings.manifests.contains_key(digest) || self.findings.blobs.contains(digest)
    }
}
