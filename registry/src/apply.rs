//! Applying: writing what a plan says.

mod offer;
mod roll_back;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt as _};

use crate::alias::Breadth;
use crate::digest::Digest;
use crate::manifest::{Descriptor, Manifest};
use crate::observation::{Guard, Listing, Observation, Release};
use crate::observe::{ObserveError, Target};
use crate::plan::{Conflict, Plan, Previous, SkipReason, Step};
use crate::planner::plan;
use crate::reference::Selector;
use crate::report::{Outcome, Report, TagReport};
use crate::store::StoreError;
use crate::tag::Tag;

use offer::Offered;
use roll_back::Trouble;

/// How often a release is planned again because newer versions keep appearing.
const ROUNDS: u32 = 32;

/// Why a plan was not carried out to its end. What did happen is in the report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The plan forbids itself. Nothing was written.
    #[error("write to {repository}")]
    Refused {
        /// The repository.
        repository: String,
        /// The first thing that forbids it.
        #[source]
        conflict: Conflict,
    },
    /// What is to be written could not be read. Nothing was written.
    #[error("read {digest} of {repository}, which is to be tagged")]
    Unreadable {
        /// The repository.
        repository: String,
        /// What was to be read.
        digest: Digest,
        /// What happened; none when it does not exist.
        #[source]
        source: Option<StoreError>,
    },
    /// A tag could not be written. The report says what became of it and of the others.
    #[error(transparent)]
    Step(StoreError),
    /// Everything was written, but whether a newer version appeared meanwhile is not known.
    #[error(
        "look at {repository} again after writing, to see whether newer versions appeared; \
         run the same command again"
    )]
    Unverified {
        /// The repository.
        repository: String,
        /// What happened.
        #[source]
        source: ObserveError,
    },
    /// Newer versions kept appearing for as long as was tried.
    #[error("settle the aliases of {repository}: newer versions kept appearing; run again")]
    Unsettled {
        /// The repository.
        repository: String,
    },
}

/// Who is told what became of a tag, as soon as it is known.
type Told<'t> = &'t (dyn Fn(&TagReport) + Sync);

/// A report, and the error that ended the run early, if one did.
#[derive(Debug)]
#[must_use]
pub struct Applied {
    /// What became of every tag.
    pub report: Report,
    /// Why the run ended before its end.
    pub error: Option<ApplyError>,
}

impl Target<'_> {
    /// Carries out `first`, the plan of `release` as seen in `observation`, then looks again
    /// and plans again until nothing moves: a release that appeared meanwhile is never
    /// overtaken.
    pub async fn apply(
        &self,
        release: &Release,
        observation: Observation,
        first: &Plan,
    ) -> Applied {
        self.apply_told(release, observation, first, &|_| {}).await
    }

    /// [`Target::apply`], with somebody who is told of every tag when it has been written, could
    /// not be written, or was put back. The run waits for `told`, so it should not take long.
    pub async fn apply_told(
        &self,
        release: &Release,
        observation: Observation,
        first: &Plan,
        told: Told<'_>,
    ) -> Applied {
        let mut applied = self.write(first, told).await;
        // The image is what it was when it was planned, whatever its tag points at by now.
        let source = Selector::Digest(observation.source.digest.clone());
        let mut listing = observation.listing;
        let mut last = first.clone();
        while applied.error.is_none() && !last.steps.is_empty() && release.guard == Guard::Full {
            if applied.report.rounds >= ROUNDS {
                let repository = self.repository.to_owned();
                applied.error = Some(ApplyError::Unsettled { repository });
                break;
            }
            last = match self.plan_again(release, &source, &listing, &last).await {
                Ok(None) => break,
                Ok(Some((next, plan))) => {
                    listing = next;
                    plan
                }
                Err(source) => {
                    let repository = self.repository.to_owned();
                    applied.error = Some(ApplyError::Unverified { repository, source });
                    break;
                }
            };
            let later = self.write(&last, told).await;
            applied.report.continue_with(later.report);
            applied.error = later.error;
        }
        applied
    }

    /// A new plan, when the tag list differs from `before` in a way that decides anything or
    /// no longer has the release itself, or an alias has moved that `last` found right.
    async fn plan_again(
        &self,
        release: &Release,
        source: &Selector,
        before: &Listing,
        last: &Plan,
    ) -> Result<Option<(Listing, Plan)>, ObserveError> {
        let mut tags = self.tags().await?;
        if let Listing::Complete(before) = before
            && !self.is_gone(release, &mut tags).await?
            && release.leaders(before) == release.leaders(&tags)
            && self.are_still_right(last, &tags).await?
        {
            return Ok(None);
        }
        let listing = Listing::Complete(tags);
        let observation = self.observe_listed(release, source, listing.clone()).await?;
        Ok(Some((listing, plan(release, &observation))))
    }

    /// Whether an exact tag of the release no longer exists: another run of the same release
    /// failed, and took it back.
    ///
    /// One that does exist, and is too new for the list, is added to `tags`.
    async fn is_gone(
        &self,
        release: &Release,
        tags: &mut BTreeSet<Tag>,
    ) -> Result<bool, ObserveError> {
        for version in release.exact() {
            let tag = version.tag();
            if tags.contains(tag) {
                continue;
            }
            if self.read(&Selector::Tag(tag.clone())).await?.is_none() {
                return Ok(true);
            }
            tags.insert(tag.clone());
        }
        Ok(false)
    }

    /// Whether the aliases that `plan` found on the image, before it wrote their exact tag, are
    /// still there: a run that could not know of that version yet may have moved them.
    ///
    /// One request for each, in place of the write that it saved.
    async fn are_still_right(
        &self,
        plan: &Plan,
        tags: &BTreeSet<Tag>,
    ) -> Result<bool, ObserveError> {
        let exact = plan.steps.iter().filter(|step| step.breadth == Breadth::Exact);
        let found = exact.flat_map(|exact| found_on(plan, exact)).cloned().collect();
        let seen = self.see(found, &Listing::Complete(tags.clone())).await?;
        let right = |found: &Option<Descriptor>| {
            found.as_ref().is_some_and(|found| found.digest == plan.source.digest)
        };
        Ok(seen.values().all(right))
    }

    /// Writes the steps of `plan`: exact tags, then numbered aliases, then `latest`.
    async fn write(&self, plan: &Plan, told: Told<'_>) -> Applied {
        let mut ledger = Ledger { report: Report::of(plan), told };
        if let Some(conflict) = plan.conflicts.first() {
            let (repository, conflict) = (self.repository.to_owned(), conflict.clone());
            let error = Some(ApplyError::Refused { repository, conflict });
            return Applied { report: ledger.report, error };
        }
        // Everything is read before anything is written.
        let manifests = match self.manifests(plan).await {
            Ok(manifests) => manifests,
            Err(error) => return Applied { report: ledger.report, error: Some(error) },
        };
        let Offered { mut tried, mut failure } = self.offer(&plan.steps, &manifests).await;
        let written: BTreeSet<Tag> = tried.iter().map(|(step, _)| step.tag.clone()).collect();
        for (step, _) in tried.iter().filter(|(_, error)| error.is_none()) {
            ledger.written(step);
        }
        for wave in waves(&plan.steps) {
            if failure.is_some() {
                break;
            }
            for (step, result) in self.write_wave(wave, &written, &manifests).await {
                tried.push((step, result.as_ref().err().map(Trouble::of)));
                match result {
                    Ok(()) => ledger.written(step),
                    Err(error) => drop(failure.get_or_insert(error)),
                }
            }
        }
        let Some(error) = failure else {
            return Applied { report: ledger.report, error: None };
        };
        // Some were written before others that are narrower.
        tried.sort_by_key(|(step, _)| plan.steps.iter().position(|own| own.tag == step.tag));
        let removed = self.roll_back(tried, &mut ledger).await;
        self.keep_what_is_followed(plan, &removed, &manifests, &mut ledger).await;
        Applied { report: ledger.report, error: Some(ApplyError::Step(error)) }
    }

    /// The manifests to write, each read once.
    async fn manifests(&self, plan: &Plan) -> Result<BTreeMap<Digest, Manifest>, ApplyError> {
        let mut manifests = BTreeMap::new();
        for step in &plan.steps {
            let digest = &step.target.digest;
            if manifests.contains_key(digest) {
                continue;
            }
            let found = self.store.get(&Selector::Digest(digest.clone())).await;
            let unreadable = |source| ApplyError::Unreadable {
                repository: self.repository.to_owned(),
                digest: digest.clone(),
                source,
            };
            let manifest = found.map_err(|source| unreadable(Some(source)))?;
            let manifest = manifest.ok_or_else(|| unreadable(None))?;
            manifests.insert(digest.clone(), manifest);
        }
        Ok(manifests)
    }

    /// Writes one wave, but for the tags that are `written` already.
    async fn write_wave<'p>(
        &self,
        wave: &'p [Step],
        written: &BTreeSet<Tag>,
        manifests: &BTreeMap<Digest, Manifest>,
    ) -> Vec<(&'p Step, Result<(), StoreError>)> {
        let left = wave.iter().filter(|step| !written.contains(&step.tag));
        let writes = left.map(|step| async move {
            (step, self.store.put(&step.tag, &manifests[&step.target.digest]).await)
        });
        stream::iter(writes).buffered(self.concurrency.max(1)).collect().await
    }
}

/// The report while it is written, and who is told of every line of it.
struct Ledger<'t> {
    report: Report,
    told: Told<'t>,
}

/// The aliases of `exact` that were on its image when `plan` was made.
fn found_on<'p>(plan: &'p Plan, exact: &'p Step) -> impl Iterator<Item = &'p Tag> {
    let found = plan.skips.iter().filter(|skip| {
        skip.released == exact.tag && matches!(skip.reason, SkipReason::AlreadyThere { .. })
    });
    found.map(|skip| &skip.tag)
}

impl Ledger<'_> {
    fn written(&mut self, step: &Step) {
        let created = step.previous == Previous::Absent;
        let outcome = if created { Outcome::Created } else { Outcome::Moved };
        self.note(step, Previous::At(step.target.digest.clone()), outcome);
    }

    fn note(&mut self, step: &Step, now: Previous, outcome: Outcome) {
        if let Some(own) = self.report.tags.iter_mut().find(|own| own.tag == step.tag) {
            own.now = now;
            own.outcome = outcome;
            (self.told)(own);
        }
    }
}

/// Steps that may be written at once: exact tags, numbered aliases, `latest`, in that order.
fn waves(steps: &[Step]) -> impl Iterator<Item = &[Step]> {
    let wave = |step: &Step| match step.breadth {
        Breadth::Exact => 0,
        Breadth::Plain | Breadth::Minor | Breadth::Major => 1,
        Breadth::Latest => 2,
    };
    steps.chunk_by(move |a, b| wave(a) == wave(b))
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
