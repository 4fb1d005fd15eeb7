//! Tagging at the end of a copy; and what became of a tag when that failed.

use std::sync::Arc;

use crate::apply::chain;
use crate::copy::copier::Copier;
use crate::copy::endpoint::Destination;
use crate::copy::lane::Lane;
use crate::copy::plan::CopyTagStep;
use crate::copy::progress::CopyEvent;
use crate::copy::report::{ManifestOutcome, TagOutcome};
use crate::digest::Digest;
use crate::plan::Previous;
use crate::reference::Selector;
use crate::store::{Blame, StoreError};
use crate::tag::Tag;

impl Copier<'_> {
    /// Writes the tags of `steps`, which are all for one manifest.
    pub(super) async fn put_tags(
        &self,
        lane: &Lane<'_>,
        store: &dyn Destination,
        steps: &[CopyTagStep],
    ) {
        let target = &steps[0].target.digest;
        let manifest = match self.manifest(target).await {
            Ok(manifest) => manifest,
            Err(error) => return lane.store_failed(error),
        };
        let tags: Vec<Tag> = steps.iter().map(|step| step.tag.clone()).collect();
        let mut answers = store.put_all_tags(&tags, &manifest).await.into_iter();
        let mut failed = None;
        for tag in &tags {
            match answers.next() {
                Some(Ok(())) => written(lane, tag, target),
                Some(Err(error)) => {
                    let now = look(store, tag).await;
                    let outcome = TagOutcome::Failed { error: chain(&error) };
                    note(lane, tag, Some(&now), &outcome);
                    failed.get_or_insert(error);
                }
                None => {
                    let message = format!("write tag {tag} of {}: no answer", lane.name);
                    failed.get_or_insert_with(|| StoreError::new(Blame::Registry, message));
                    note(lane, tag, None, &TagOutcome::NotTried);
                }
            }
        }
        if let Some(error) = failed {
            lane.store_failed(error);
        }
    }
}

/// What `tag` points at: a write that failed may have been done all the same.
async fn look(store: &dyn Destination, tag: &Tag) -> Previous {
    match store.head(&Selector::Tag(tag.clone())).await {
        Ok(Some(found)) => Previous::At(found.digest),
        Ok(None) => Previous::Absent,
        Err(_) => Previous::NotRead,
    }
}

fn written(lane: &Lane<'_>, tag: &Tag, target: &Digest) {
    let (destination, digest) = (Arc::clone(&lane.name), target.clone());
    lane.event(CopyEvent::TagWritten { destination, tag: tag.clone(), digest });
    note(lane, tag, Some(&Previous::At(target.clone())), &TagOutcome::Written);
    lane.update(|report| {
        let tagged = report.manifests.iter_mut().find(|own| own.descriptor.digest == *target);
        if let Some(own) = tagged.filter(|own| own.outcome == ManifestOutcome::NotTried) {
            own.outcome = ManifestOutcome::Written;
        }
    });
}

fn note(lane: &Lane<'_>, tag: &Tag, now: Option<&Previous>, outcome: &TagOutcome) {
    lane.update(|report| {
        for own in report.tags.iter_mut().filter(|own| own.tag == *tag) {
            own.outcome = outcome.clone();
            if let Some(now) = now {
                own.now = now.clone();
            }
        }
    });
}
