//! Looking at destinations: what of a tree they have.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::apply::chain;
use crate::copy::copier::{Copier, Goal};
use crate::copy::coverage::{Cover, cover};
use crate::copy::plan::DestinationState;
use crate::copy::tree::{ImageTree, Role};
use crate::digest::Digest;
use crate::reference::Selector;
use crate::store::StoreError;
use crate::tag::Tag;

/// What was seen of a destination, or why nothing was.
#[derive(Debug)]
pub struct Sight {
    /// What was seen.
    pub state: DestinationState,
    /// What went wrong; [`DestinationState::unseen`] says so too.
    pub error: Option<StoreError>,
}

impl Copier<'_> {
    /// What each of `goals` has of `tree`. One that cannot be looked at does not stop the
    /// others.
    pub async fn look(&self, tree: &ImageTree, goals: &[Goal<'_>]) -> Vec<Sight> {
        join_all(goals.iter().map(|goal| self.look_at(tree, goal))).await
    }

    async fn look_at(&self, tree: &ImageTree, goal: &Goal<'_>) -> Sight {
        let mut state = DestinationState {
            name: goal.name.clone(),
            mount_from: goal.mount_from.clone(),
            wanted: goal.tags.clone(),
            tags: goal.seen.clone(),
            manifests: BTreeSet::new(),
            blobs: BTreeSet::new(),
            unseen: None,
        };
        let seen = self.fill(tree, goal, &mut state).await;
        state.unseen = seen.as_ref().err().map(|error| chain(error));
        Sight { state, error: seen.err() }
    }

    async fn fill(
        &self,
        tree: &ImageTree,
        goal: &Goal<'_>,
        state: &mut DestinationState,
    ) -> Result<(), StoreError> {
        let attached = tree.tags.iter().map(|attached| (&attached.tag, true));
        let tags = goal.tags.iter().map(|tag| (tag, false)).chain(attached);
        let tags = tags.filter(|(tag, is_attached)| {
            self.options.must_see(tag, *is_attached) && !goal.seen.contains_key(*tag)
        });
        let tags: BTreeSet<&Tag> = tags.map(|(tag, _)| tag).collect();
        let looks = tags.into_iter().map(|tag| async {
            let found = goal.store.head(&Selector::Tag(tag.clone())).await?;
            Ok::<_, StoreError>((tag.clone(), found))
        });
        let looks: Vec<_> = looks.collect();
        let looks = stream::iter(looks).buffer_unordered(self.concurrency);
        state.tags.extend(looks.try_collect::<Vec<_>>().await?);
        let found = state.tags.values().flatten().map(|found| found.digest.clone());
        let found: BTreeSet<Digest> = found.collect();
        let root = &tree.root.digest;
        state.manifests = found.into_iter().filter(|it| tree.manifest(it).is_some()).collect();
        // A tag that is right already says that the image is there. Without one it rarely is,
        // and where blobs are mounted nothing travels if it was: it is not asked for then.
        if !state.manifests.contains(root) && goal.mount_from.is_none() {
            state.manifests.extend(self.find(goal, vec![root.clone()]).await?);
        }
        state.manifests.extend(self.find_attached(tree, goal).await?);
        if !state.manifests.contains(root) && goal.mount_from.is_none() {
            let parts = tree.manifests.iter().filter(|node| node.role == Role::Image);
            let parts = parts.map(|node| node.descriptor.digest.clone());
            let parts = parts.filter(|digest| digest != root).collect();
            state.manifests.extend(self.find(goal, parts).await?);
        }
        if goal.mount_from.is_none() {
            state.blobs = self.find_blobs(tree, goal, state).await?;
        }
        Ok(())
    }

    /// Those of `digests` that the destination has.
    async fn find(&self, goal: &Goal<'_>, digests: Vec<Digest>) -> Result<Vec<Digest>, StoreError> {
        let looks = digests.into_iter().map(|digest| async {
            let found = goal.store.head(&Selector::Digest(digest.clone())).await?;
            Ok::<_, StoreError>(found.map(|_| digest))
        });
        let looks = stream::iter(looks).buffer_unordered(self.concurrency);
        looks.try_filter_map(async |found| Ok(found)).try_collect().await
    }

    /// What the destination lists as attached, of what is attached to `tree`: one that it has
    /// but does not list is written again.
    async fn find_attached(
        &self,
        tree: &ImageTree,
        goal: &Goal<'_>,
    ) -> Result<Vec<Digest>, StoreError> {
        let subjects = tree.manifests.iter().filter_map(|node| match &node.role {
            Role::Referrer { subject } => Some(subject.clone()),
            Role::Image | Role::Attached => None,
        });
        let subjects: BTreeSet<Digest> = subjects.collect();
        let lists = subjects.into_iter().map(|subject| async move {
            let listed = goal.store.referrers(&subject).await?;
            let listed = listed.into_iter().map(|referrer| referrer.descriptor);
            Ok::<_, StoreError>(listed)
        });
        let lists = stream::iter(lists).buffer_unordered(self.concurrency);
        let lists: Vec<_> = lists.try_collect().await?;
        let listed = lists.into_iter().flatten().map(|found| found.digest);
        Ok(listed.filter(|digest| tree.manifest(digest).is_some()).collect())
    }

    /// Those of the blobs it needs that it has.
    async fn find_blobs(
        &self,
        tree: &ImageTree,
        goal: &Goal<'_>,
        state: &DestinationState,
    ) -> Result<BTreeSet<Digest>, StoreError> {
        let covers = cover(tree, &self.options, state);
        let needed = tree.manifests.iter().zip(&covers);
        let needed = needed.filter(|(_, cover)| **cover == Cover::Needed);
        let needed: BTreeSet<&Digest> = needed.flat_map(|(node, _)| &node.blobs).collect();
        let blobs = tree.blobs.iter().filter(|blob| {
            needed.contains(&blob.descriptor.digest)
                && (self.options.include_foreign || !blob.foreign)
        });
        let looks = blobs.map(|blob| async {
            let there = goal.store.has_blob(&blob.descriptor).await?;
            Ok::<_, StoreError>(there.then(|| blob.descriptor.digest.clone()))
        });
        let looks: Vec<_> = looks.collect();
        let looks = stream::iter(looks).buffer_unordered(self.concurrency);
        looks.try_filter_map(async |found| Ok(found)).try_collect().await
    }
}
