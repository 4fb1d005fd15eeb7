//! Copy reports: what became of everything at every destination.

use serde::{Deserialize, Serialize};

use crate::copy::plan::{
    BlobHow, BlobSkip, CopyPlan, DestinationPlan, ManifestHow, ManifestSkip, TagKept, Total,
};
use crate::digest::Digest;
use crate::manifest::Descriptor;
use crate::observation::SCHEMA;
use crate::plan::Previous;
use crate::tag::Tag;

/// What a copy did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[must_use]
pub struct CopyReport {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The repository or layout that was copied from, as written by the user.
    pub source: String,
    /// What was asked for.
    pub asked: Descriptor,
    /// What was copied: `asked`, unless one platform of it was chosen.
    pub root: Descriptor,
    /// What became of it at each destination.
    pub destinations: Vec<DestinationReport>,
}

/// What a copy did to one destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DestinationReport {
    /// The repository or layout, as written by the user.
    pub name: String,
    /// Whether it has everything that was planned.
    pub complete: bool,
    /// Why it has not: the first error and its causes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// Every blob.
    pub blobs: Vec<BlobReport>,
    /// Every manifest.
    pub manifests: Vec<ManifestReport>,
    /// Every tag.
    pub tags: Vec<CopyTagReport>,
}

/// What became of one blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlobReport {
    /// The blob.
    pub descriptor: Descriptor,
    /// What became of it.
    pub outcome: BlobOutcome,
}

/// What became of a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
#[non_exhaustive]
pub enum BlobOutcome {
    /// Its bytes were read and written.
    Copied,
    /// The registry took it over from another of its repositories.
    Mounted,
    /// Nothing was to be done.
    Kept {
        /// Why.
        reason: BlobSkip,
    },
    /// It could not be written.
    Failed {
        /// The error and its causes.
        error: String,
    },
    /// It was not tried, because something failed before.
    NotTried,
}

/// What became of one manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManifestReport {
    /// The manifest.
    pub descriptor: Descriptor,
    /// What became of it.
    pub outcome: ManifestOutcome,
}

/// What became of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
#[non_exhaustive]
pub enum ManifestOutcome {
    /// It was written.
    Written,
    /// Nothing was to be done.
    Kept {
        /// Why.
        reason: ManifestSkip,
    },
    /// It could not be written.
    Failed {
        /// The error and its causes.
        error: String,
    },
    /// It was not tried, because something failed before.
    NotTried,
}

/// What became of one tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CopyTagReport {
    /// The tag.
    pub tag: Tag,
    /// What it pointed at before.
    pub before: Previous,
    /// What it points at now, as far as this run knows.
    pub now: Previous,
    /// What it was to point at, when it was to be written.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub target: Option<Digest>,
    /// What became of it.
    pub outcome: TagOutcome,
}

/// What became of a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
#[non_exhaustive]
pub enum TagOutcome {
    /// It was written.
    Written,
    /// It was left as it is.
    Kept {
        /// Why.
        reason: TagKept,
    },
    /// It could not be written.
    Failed {
        /// The error and its causes.
        error: String,
    },
    /// It was not tried, because something failed before.
    NotTried,
}

impl CopyReport {
    /// The report of a plan of which nothing has been done yet.
    pub fn of(plan: &CopyPlan) -> Self {
        Self {
            schema: SCHEMA,
            source: plan.tree.source.clone(),
            asked: plan.tree.asked.clone(),
            root: plan.tree.root.clone(),
            destinations: plan.destinations.iter().map(DestinationReport::of).collect(),
        }
    }
}

impl DestinationReport {
    /// The report of a plan of which nothing has been done yet.
    pub(crate) fn of(plan: &DestinationPlan) -> Self {
        let blobs = plan.blobs.iter().map(|step| BlobReport {
            descriptor: step.descriptor.clone(),
            outcome: match &step.how {
                BlobHow::Skip { reason } => BlobOutcome::Kept { reason: reason.clone() },
                BlobHow::Mount { .. } | BlobHow::Copy => BlobOutcome::NotTried,
            },
        });
        let manifests = plan.manifests.iter().map(|step| ManifestReport {
            descriptor: step.descriptor.clone(),
            outcome: match &step.how {
                ManifestHow::Skip { reason } => ManifestOutcome::Kept { reason: reason.clone() },
                ManifestHow::Put | ManifestHow::Tagged => ManifestOutcome::NotTried,
            },
        });
        let kept = plan.tag_skips.iter().map(|skip| {
            let (TagKept::AlreadyThere { digest: holds } | TagKept::Differs { holds, .. }) =
                &skip.reason;
            CopyTagReport {
                tag: skip.tag.clone(),
                before: Previous::At(holds.clone()),
                now: Previous::At(holds.clone()),
                target: None,
                outcome: TagOutcome::Kept { reason: skip.reason.clone() },
            }
        });
        let steps = plan.tags.iter().map(|step| CopyTagReport {
            tag: step.tag.clone(),
            before: step.previous.clone(),
            now: step.previous.clone(),
            target: Some(step.target.digest.clone()),
            outcome: TagOutcome::NotTried,
        });
        Self {
            name: plan.name.clone(),
            complete: false,
            error: None,
            blobs: blobs.collect(),
            manifests: manifests.collect(),
            tags: steps.chain(kept).collect(),
        }
    }

    /// The blobs whose bytes travelled.
    #[must_use]
    pub fn copied(&self) -> Total {
        self.total(|outcome| *outcome == BlobOutcome::Copied)
    }

    /// The blobs that the registry took over.
    #[must_use]
    pub fn mounted(&self) -> Total {
        self.total(|outcome| *outcome == BlobOutcome::Mounted)
    }

    fn total(&self, counts: impl Fn(&BlobOutcome) -> bool) -> Total {
        let mut total = Total::default();
        for blob in self.blobs.iter().filter(|blob| counts(&blob.outcome)) {
            total.add(blob.descriptor.size);
        }
        total
    }
}
