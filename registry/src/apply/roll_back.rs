//! Putting back what was written, when the rest could not be.

use std::collections::BTreeMap;

use super::{Ledger, chain, found_on};
use crate::alias::Breadth;
use crate::digest::Digest;
use crate::manifest::Manifest;
use crate::observe::Target;
use crate::plan::{Plan, Previous, Step};
use crate::reference::Selector;
use crate::report::Outcome;
use crate::store::StoreError;
use crate::tag::Tag;

impl Target<'_> {
    /// Rule 8: what was written goes back, broadest first, where it still is what we wrote.
    /// Returns the exact tags that were removed by that.
    ///
    /// A step that failed is looked at too: an answer that was lost does not say that nothing
    /// was written.
    pub(super) async fn roll_back<'p>(
        &self,
        tried: Vec<(&'p Step, Option<Trouble>)>,
        ledger: &mut Ledger<'_>,
    ) -> Vec<&'p Step> {
        let mut removed = Vec::new();
        for (step, trouble) in tried.into_iter().rev() {
            let stored = trouble.as_ref().and_then(|trouble| trouble.stored.as_ref());
            let back = self.put_back(step, stored).await;
            let error = trouble.map(|trouble| trouble.text);
            if matches!(back, Ok(Back::Removed)) && step.breadth == Breadth::Exact {
                removed.push(step);
            }
            let back = back.map(|back| match back {
                Back::Removed | Back::Restored => step.previous.clone(),
                Back::NotOurs(now) => now,
            });
            let (now, outcome) = match (back, error) {
                (Ok(now), None) => (now, Outcome::RolledBack),
                (Ok(now), Some(error)) => (now, Outcome::Failed { error }),
                (Err((now, reason)), None) => (now, Outcome::Stranded { error: reason }),
                (Err((now, reason)), Some(error)) => match &now {
                    Previous::At(_) => (now, Outcome::Stranded { error: reason }),
                    _ => (now, Outcome::Failed { error }),
                },
            };
            ledger.note(step, now, outcome);
        }
        removed
    }

    /// Rule 6 in a roll-back: writes an exact tag again that was `removed` while one of its
    /// aliases is on that image, because it could not be put back or because another run saw
    /// the version and moved the alias to it.
    ///
    /// A run that moves an alias after we looked lists the tags after that, and sees that the
    /// version is gone. So either we see its alias, or it sees that there is nothing to follow.
    pub(super) async fn keep_what_is_followed(
        &self,
        plan: &Plan,
        removed: &[&Step],
        manifests: &BTreeMap<Digest, Manifest>,
        ledger: &mut Ledger<'_>,
    ) {
        for step in removed {
            let digest = &step.target.digest;
            for alias in aliases_on(plan, step) {
                let reason = match self.store.head(&Selector::Tag(alias.clone())).await {
                    Ok(Some(found)) if found.digest == *digest => format!("{alias} is on it"),
                    Ok(_) => continue,
                    Err(error) => format!("{alias} may be on it: {}", chain(&error)),
                };
                let (now, error) = match self.store.put(&step.tag, &manifests[digest]).await {
                    Ok(()) => (Previous::At(digest.clone()), reason),
                    Err(error) => (Previous::NotRead, format!("{reason}; {}", chain(&error))),
                };
                ledger.note(step, now, Outcome::Stranded { error });
                break;
            }
        }
    }

    /// Puts one tag back, from what was written or what the registry says it `stored` instead. If
    /// that cannot be done, what it points at now and why.
    async fn put_back(
        &self,
        step: &Step,
        stored: Option<&Digest>,
    ) -> Result<Back, (Previous, String)> {
        let ours = Previous::At(step.target.digest.clone());
        let now = match self.store.head(&Selector::Tag(step.tag.clone())).await {
            Ok(now) => now.map_or(Previous::Absent, |now| Previous::At(now.digest)),
            Err(error) => return Err((Previous::NotRead, chain(&error))),
        };
        if now != ours && (stored.is_none() || now.digest() != stored) {
            // Never written, or moved by somebody else since: theirs is the last word.
            return Ok(Back::NotOurs(now));
        }
        let old = match &step.previous {
            Previous::At(old) => self.store.get(&Selector::Digest(old.clone())).await,
            Previous::Absent => Ok(None),
            Previous::NotRead => return Err((now, "what it was before is not known".to_owned())),
        };
        let back = match (old, &step.previous) {
            (Ok(Some(manifest)), _) => {
                self.store.put(&step.tag, &manifest).await.map(|()| Back::Restored)
            }
            (Ok(None), Previous::At(old)) => return Err((now, format!("{old} is gone"))),
            (Ok(None), _) => self.store.untag(&step.tag).await.map(|()| Back::Removed),
            (Err(error), _) => Err(error),
        };
        back.map_err(|error| (now, chain(&error)))
    }
}

/// Why a tag could not be written.
#[derive(Clone)]
pub(super) struct Trouble {
    text: String,
    /// What the registry says it stored instead.
    stored: Option<Digest>,
}

impl Trouble {
    pub(super) fn of(error: &StoreError) -> Self {
        Self { text: chain(error), stored: error.stored().cloned() }
    }
}

/// How a tag was put back.
enum Back {
    /// It points at what it did before.
    Restored,
    /// It did not exist before, and no longer does.
    Removed,
    /// It was left alone, since it is not what we wrote.
    NotOurs(Previous),
}

/// The aliases of `exact` that `plan` moves to its image, or found there.
fn aliases_on<'p>(plan: &'p Plan, exact: &'p Step) -> impl Iterator<Item = &'p Tag> {
    let moved = plan.steps.iter().filter(|step| {
        step.released == exact.tag && step.tag != exact.tag && step.target == exact.target
    });
    moved.map(|step| &step.tag).chain(found_on(plan, exact))
}
