//! Applying copy plans: blobs, then manifests from below, then what is attached, then tags.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::{join, join_all};
use futures_util::stream::{self, StreamExt as _};

use crate::copy::copier::{Copier, Goal};
use crate::copy::endpoint::Destination;
use crate::copy::lane::Lane;
use crate::copy::plan::{BlobHow, BlobSkip, CopyConflict, CopyPlan, ManifestHow};
use crate::copy::progress::CopyEvent;
use crate::copy::report::{BlobOutcome, CopyReport};
use crate::copy::split::{Tracked, split};
use crate::copy::tree::TreeBlob;
use crate::digest::Digest;
use crate::store::{Blame, StoreError};

/// Why a destination has not everything that was planned. What it has is in the report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyFailure {
    /// The plan forbids itself. Nothing was written there.
    #[error("copy to {destination}")]
    Refused {
        /// The destination.
        destination: String,
        /// The first thing that forbids it.
        #[source]
        conflict: CopyConflict,
    },
    /// It is in the plan and not among the goals. Nothing was written there.
    #[error("copy to {destination}: it is in the plan, but was not given as a destination")]
    Unknown {
        /// The destination.
        destination: String,
    },
    /// The source or the destination refused or failed.
    #[error("copy to {destination}")]
    Store {
        /// The destination.
        destination: String,
        /// What happened.
        #[source]
        source: StoreError,
    },
}

impl CopyFailure {
    /// Who has to act.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::Refused { conflict: CopyConflict::Unseen { .. }, .. } => Blame::Registry,
            Self::Refused { .. } => Blame::Conflict,
            Self::Unknown { .. } => Blame::Local,
            Self::Store { source, .. } => source.blame(),
        }
    }

    /// What the user can do about it, when there is something to say.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        match self {
            Self::Refused { conflict, .. } => Some(conflict.remedy()),
            Self::Unknown { .. } => Some("name the destinations as in the plan"),
            Self::Store { source, .. } => source.remedy(),
        }
    }
}

/// A report, and what ended the copy early at some destinations.
#[derive(Debug)]
#[must_use]
pub struct CopyOutcome {
    /// What became of everything at every destination.
    pub report: CopyReport,
    /// The first failure of each destination that has one.
    pub failures: Vec<CopyFailure>,
}

/// One blob, and the destinations that it is for, with the numbers of their steps.
struct Job<'p> {
    blob: &'p TreeBlob,
    to: Vec<(usize, &'p Lane<'p>)>,
}

impl Copier<'_> {
    /// Carries out `plan`. A destination that fails does not stop the others, and gets no tag.
    pub async fn apply(&self, plan: &CopyPlan, goals: &[Goal<'_>]) -> CopyOutcome {
        let mut report = CopyReport::of(plan);
        let progress = &*self.progress;
        let lanes = plan.destinations.iter().enumerate();
        let lanes = lanes.map(|(at, plan)| Lane::new(at, plan, goals, progress));
        let lanes: Vec<Lane<'_>> = lanes.collect();
        let jobs: Vec<_> = jobs(plan, &lanes).into_iter().map(|job| self.blob(job)).collect();
        stream::iter(jobs).buffer_unordered(self.concurrency).collect::<()>().await;
        join_all(lanes.iter().map(|lane| self.finish(lane))).await;
        let (reports, failures): (Vec<_>, Vec<_>) =
            lanes.into_iter().map(Lane::into_report).unzip();
        report.destinations = reports;
        CopyOutcome { report, failures: failures.into_iter().flatten().collect() }
    }

    /// Gets one blob to all destinations that need it, with one read at most.
    async fn blob(&self, job: Job<'_>) {
        let Job { blob, to } = job;
        let mounts = to.into_iter().map(async |(at, lane)| match lane.plan.blobs[at].how {
            BlobHow::Mount { ref from } => mount(blob, from, at, lane).await.then_some((at, lane)),
            _ => Some((at, lane)),
        });
        let rest = join_all(mounts).await.into_iter().flatten();
        let to: Vec<_> = rest.filter_map(|(at, lane)| Some((at, lane, lane.store()?))).collect();
        if to.is_empty() {
            return;
        }
        let (digest, size) = (blob.descriptor.digest.clone(), blob.descriptor.size);
        self.progress.event(CopyEvent::BlobStarted { digest, size });
        let source = Tracked { source: self.source, blob, progress: Arc::clone(&self.progress) };
        if let [(at, lane, store)] = to[..] {
            let done = store.send_blob(&blob.descriptor, &source).await;
            return lane.blob_done(at, blob, done.map(|()| BlobOutcome::Copied));
        }
        let (pump, readers) = split(&source, &blob.descriptor, to.len());
        let writes = to.into_iter().zip(readers).map(async |((at, lane, store), reader)| {
            let done = store.write_blob(&blob.descriptor, reader).await;
            lane.blob_done(at, blob, done.map(|()| BlobOutcome::Copied));
        });
        join(pump, join_all(writes)).await;
    }

    /// Manifests, what is attached, and tags of one destination that has all blobs.
    async fn finish(&self, lane: &Lane<'_>) {
        let mut waves: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (at, step) in lane.plan.manifests.iter().enumerate() {
            if step.how == ManifestHow::Put {
                waves.entry(step.wave).or_default().push(at);
            }
        }
        for wave in waves.into_values() {
            let Some(store) = lane.store() else { return };
            let puts = wave.into_iter().map(|at| self.put(lane, store, at));
            let puts: Vec<_> = puts.collect();
            stream::iter(puts).buffer_unordered(self.concurrency).collect::<()>().await;
        }
        for steps in lane.plan.tags.chunk_by(|a, b| a.target == b.target) {
            let Some(store) = lane.store() else { return };
            self.put_tags(lane, store, steps).await;
        }
        let Some(store) = lane.store() else { return };
        if lane.plan.tags.is_empty()
            && !lane.plan.is_empty()
            && let Err(error) = store.flush().await
        {
            return lane.store_failed(error);
        }
        lane.update(|report| report.complete = true);
    }

    async fn put(&self, lane: &Lane<'_>, store: &dyn Destination, at: usize) {
        let step = &lane.plan.manifests[at];
        let done = async {
            let manifest = self.manifest(&step.descriptor.digest).await?;
            match &step.subject {
                Some(subject) => store.put_referrer(subject, &manifest).await,
                None => store.put_manifest(&manifest).await,
            }
        };
        lane.manifest_done(at, done.await);
    }
}

/// Tries to mount `blob`; whether it still has to be copied.
async fn mount(blob: &TreeBlob, from: &str, at: usize, lane: &Lane<'_>) -> bool {
    let Some(store) = lane.store() else { return false };
    let refused = |error: &StoreError| {
        matches!(error.blame(), Blame::Denied | Blame::NotFound | Blame::Unsupported)
    };
    let done = match store.mount(&blob.descriptor, from).await {
        Ok(true) => Ok(BlobOutcome::Mounted),
        Err(error) if !refused(&error) => Err(error),
        // It may be there already, from a copy that was interrupted.
        Ok(false) | Err(_) => match store.has_blob(&blob.descriptor).await {
            Ok(false) => return true,
            Ok(true) => Ok(BlobOutcome::Kept { reason: BlobSkip::There }),
            Err(error) => Err(error),
        },
    };
    lane.blob_done(at, blob, done);
    false
}

/// The blobs to get somewhere, the largest first: what takes longest is not begun last.
fn jobs<'p>(plan: &'p CopyPlan, lanes: &'p [Lane<'p>]) -> Vec<Job<'p>> {
    let blobs = plan.tree.blobs.iter();
    let mut jobs: BTreeMap<&Digest, Job<'p>> =
        blobs.map(|blob| (&blob.descriptor.digest, Job { blob, to: Vec::new() })).collect();
    for lane in lanes.iter().filter(|lane| lane.store().is_some()) {
        for (at, step) in lane.plan.blobs.iter().enumerate() {
            let Some(job) = jobs.get_mut(&step.descriptor.digest) else { continue };
            match &step.how {
                BlobHow::Skip { reason } => lane.skipped(job.blob, reason.clone()),
                BlobHow::Mount { .. } | BlobHow::Copy => job.to.push((at, lane)),
            }
        }
    }
    let mut jobs: Vec<_> = jobs.into_values().filter(|job| !job.to.is_empty()).collect();
    jobs.sort_by_key(|job| std::cmp::Reverse(job.blob.descriptor.size));
    jobs
}
