//! Lanes: one destination of a copy under way.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::apply::chain;
use crate::copy::apply::CopyFailure;
use crate::copy::copier::Goal;
use crate::copy::endpoint::Destination;
use crate::copy::plan::{BlobSkip, DestinationPlan};
use crate::copy::progress::{CopyEvent, Progress};
use crate::copy::report::{BlobOutcome, DestinationReport, ManifestOutcome};
use crate::copy::tree::TreeBlob;
use crate::store::StoreError;

/// One destination: what it shall get, what it got, and whether it goes on.
pub(super) struct Lane<'p> {
    pub(super) plan: &'p DestinationPlan,
    pub(super) name: Arc<str>,
    store: Option<&'p dyn Destination>,
    progress: &'p dyn Progress,
    state: Mutex<State>,
}

struct State {
    report: DestinationReport,
    failure: Option<CopyFailure>,
}

impl<'p> Lane<'p> {
    pub(super) fn new(
        at: usize,
        plan: &'p DestinationPlan,
        goals: &'p [Goal<'p>],
        progress: &'p dyn Progress,
    ) -> Self {
        // A plan that was read from a file may name them in another order.
        let is_it = |goal: &&Goal<'_>| goal.name == plan.name;
        let goal = goals.get(at).filter(is_it).or_else(|| goals.iter().find(is_it));
        let state = State { report: DestinationReport::of(plan), failure: None };
        let lane = Self {
            plan,
            name: plan.name.as_str().into(),
            store: goal.map(|goal| goal.store),
            progress,
            state: Mutex::new(state),
        };
        let destination = plan.name.clone();
        if let Some(conflict) = plan.conflicts.first() {
            let conflict = conflict.clone();
            lane.fail(CopyFailure::Refused { destination, conflict });
        } else if goal.is_none() {
            lane.fail(CopyFailure::Unknown { destination });
        }
        lane
    }

    /// Where to write; nowhere once something has failed.
    pub(super) fn store(&self) -> Option<&'p dyn Destination> {
        self.store.filter(|_| self.state().failure.is_none())
    }

    /// Stops this destination, and no other.
    pub(super) fn fail(&self, failure: CopyFailure) {
        let mut state = self.state();
        if state.failure.is_some() {
            return;
        }
        let error = chain(&failure);
        state.report.error = Some(error.clone());
        state.failure = Some(failure);
        drop(state);
        self.event(CopyEvent::Failed { destination: Arc::clone(&self.name), error });
    }

    pub(super) fn store_failed(&self, source: StoreError) {
        self.fail(CopyFailure::Store { destination: self.plan.name.clone(), source });
    }

    /// What became of the blob of step `at`.
    pub(super) fn blob_done(
        &self,
        at: usize,
        blob: &TreeBlob,
        done: Result<BlobOutcome, StoreError>,
    ) {
        let outcome = match &done {
            Ok(outcome) => outcome.clone(),
            Err(error) => BlobOutcome::Failed { error: chain(error) },
        };
        let (destination, digest) = (Arc::clone(&self.name), blob.descriptor.digest.clone());
        let size = blob.descriptor.size;
        match &outcome {
            BlobOutcome::Copied => self.event(CopyEvent::BlobCopied { destination, digest, size }),
            BlobOutcome::Mounted => {
                self.event(CopyEvent::BlobMounted { destination, digest, size });
            }
            BlobOutcome::Kept { reason } => self.skipped(blob, reason.clone()),
            BlobOutcome::Failed { .. } | BlobOutcome::NotTried => {}
        }
        self.state().report.blobs[at].outcome = outcome;
        if let Err(error) = done {
            self.store_failed(error);
        }
    }

    pub(super) fn skipped(&self, blob: &TreeBlob, reason: BlobSkip) {
        let (destination, digest) = (Arc::clone(&self.name), blob.descriptor.digest.clone());
        let size = blob.descriptor.size;
        self.event(CopyEvent::BlobSkipped { destination, digest, size, reason });
    }

    /// What became of the manifest of step `at`.
    pub(super) fn manifest_done(&self, at: usize, done: Result<(), StoreError>) {
        let outcome = match &done {
            Ok(()) => ManifestOutcome::Written,
            Err(error) => ManifestOutcome::Failed { error: chain(error) },
        };
        if outcome == ManifestOutcome::Written {
            let digest = self.plan.manifests[at].descriptor.digest.clone();
            let destination = Arc::clone(&self.name);
            self.event(CopyEvent::ManifestWritten { destination, digest });
        }
        self.state().report.manifests[at].outcome = outcome;
        if let Err(error) = done {
            self.store_failed(error);
        }
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut DestinationReport)) {
        change(&mut self.state().report);
    }

    pub(super) fn event(&self, event: CopyEvent) {
        self.progress.event(event);
    }

    pub(super) fn into_report(self) -> (DestinationReport, Option<CopyFailure>) {
        let state = self.state.into_inner().expect("no holder of this lock panics");
        (state.report, state.failure)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }
}
