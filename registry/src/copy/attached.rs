//! What is attached to an image: signatures, attestations, bills of materials.

use std::collections::BTreeSet;

use futures_util::future::try_join;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::content::Content;
use crate::copy::copier::Copier;
use crate::copy::endpoint::referrers_tag;
use crate::copy::error::CopyError;
use crate::copy::read::Walk;
use crate::copy::tree::{AttachedTag, LeftOut, LeftOutReason, Role, TreeError};
use crate::digest::Digest;
use crate::manifest::{Descriptor, Manifest};
use crate::reference::Selector;
use crate::store::StoreError;
use crate::tag::Tag;

/// What cosign appends to the name of the image, before there were referrers.
const SUFFIXES: [&str; 3] = [".sig", ".att", ".sbom"];

impl Copier<'_> {
    /// Adds what is attached to the manifests of `walk`, and to what is attached to them.
    pub(super) async fn attached(&self, walk: &mut Walk) -> Result<(), CopyError> {
        let image = walk.findings.roots[0].0.clone();
        let failed = |source| CopyError::Attached {
            repository: self.name.clone(),
            image: image.clone(),
            source,
        };
        let mut asked: BTreeSet<Digest> = BTreeSet::new();
        let mut new = |walk: &Walk| {
            let subjects = walk.findings.manifests.keys().cloned();
            subjects.filter(|it| asked.insert(it.clone())).collect::<Vec<Digest>>()
        };
        let mut subjects = new(walk);
        let both = try_join(self.listed(&subjects), self.source.tags());
        let (mut listed, tags) = both.await.map_err(failed)?;
        for depth in 0.. {
            if depth > self.options.limits.depth {
                let limit = self.options.limits.depth;
                return Err(TreeError::TooDeep { root: image, limit }.into());
            }
            let sizes = listed.iter().map(|(_, found)| found.size);
            self.count(walk, &image, listed.len(), sizes)?;
            let mut start = self.referring(walk, listed).await?;
            start.extend(self.tagged(walk, &tags, &subjects).await?);
            self.descend(walk, start).await?;
            subjects = new(walk);
            if subjects.is_empty() {
                break;
            }
            listed = self.listed(&subjects).await.map_err(failed)?;
        }
        Ok(())
    }

    /// What the source lists as attached to `subjects`.
    async fn listed(&self, subjects: &[Digest]) -> Result<Vec<(Digest, Descriptor)>, StoreError> {
        let lists = subjects.iter().cloned().map(|subject| async move {
            let found = self.source.referrers(&subject).await?;
            let found = found.into_iter().map(|referrer| referrer.descriptor);
            Ok::<_, StoreError>(found.into_iter().map(move |found| (subject.clone(), found)))
        });
        let lists: Vec<_> = stream::iter(lists).buffered(self.concurrency).try_collect().await?;
        Ok(lists.into_iter().flatten().collect())
    }

    /// Those of `listed` that say themselves that they are attached.
    async fn referring(
        &self,
        walk: &mut Walk,
        listed: Vec<(Digest, Descriptor)>,
    ) -> Result<Vec<Manifest>, CopyError> {
        let mut once = BTreeSet::new();
        let is_new = |found: &(Digest, Descriptor)| {
            !walk.knows(&found.1.digest) && once.insert(found.1.digest.clone())
        };
        let new: Vec<_> = listed.into_iter().filter(is_new).collect();
        let reads = new.into_iter().map(|(subject, found)| async move {
            let manifest = self.get(&Selector::Digest(found.digest.clone())).await?;
            Ok::<_, StoreError>((subject, found.digest, manifest))
        });
        let found: Vec<_> = stream::iter(reads).buffered(self.concurrency).try_collect().await?;
        let mut attached = Vec::new();
        for (subject, digest, manifest) in found {
            let mut leave_out = |digest, reason| {
                walk.left_out.push(LeftOut { subject: subject.clone(), digest, reason });
            };
            let Some(manifest) = manifest else {
                leave_out(digest, LeftOutReason::Gone);
                continue;
            };
            let own = Content::of(&manifest)?.subject;
            if own.is_none_or(|own| own.digest != subject) {
                leave_out(digest, LeftOutReason::NotAttached);
                continue;
            }
            walk.findings.roots.push((digest, Role::Referrer { subject }));
            attached.push(manifest);
        }
        Ok(attached)
    }

    /// What is kept under tags that are named after `subjects`.
    async fn tagged(
        &self,
        walk: &mut Walk,
        tags: &BTreeSet<Tag>,
        subjects: &[Digest],
    ) -> Result<Vec<Manifest>, CopyError> {
        let names = subjects.iter().flat_map(|subject| {
            SUFFIXES.iter().filter_map(|suffix| referrers_tag(subject, suffix))
        });
        let names = names.filter(|tag| tags.contains(tag));
        let reads = names.map(|tag| async move {
            let manifest = self.get(&Selector::Tag(tag.clone())).await?;
            Ok::<_, StoreError>((tag, manifest))
        });
        let reads: Vec<_> = reads.collect();
        let found: Vec<_> = stream::iter(reads).buffered(self.concurrency).try_collect().await?;
        let mut start = Vec::new();
        for (tag, manifest) in found {
            // One that was removed since the tags were listed is not attached any more.
            let Some(manifest) = manifest else { continue };
            let digest = manifest.digest().clone();
            walk.tags.push(AttachedTag { tag, digest: digest.clone() });
            if !walk.knows(&digest) {
                walk.findings.roots.push((digest, Role::Attached));
                start.push(manifest);
            }
        }
        Ok(start)
    }
}
