//! Events: what a command does, while it does it; for people and for programs.

use plimsoll_registry::{
    BlobSkip, CopyEvent, Digest, Outcome, Plan, Previous, SCHEMA, SkipReason, Step, Tag, TagKept,
    TagReport, Total,
};
use serde::Serialize;

use crate::failure::Failure;

/// Something that happened. `--events json` prints each as one line; docs/events.md says when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Event {
    /// A repository is looked at; what comes of it is planned next.
    Looking {
        repository: String,
    },
    ManifestRead {
        digest: Digest,
        size: u64,
    },
    CopyPlanned {
        read: Total,
        destinations: Vec<Share>,
    },
    BlobStarted {
        digest: Digest,
        size: u64,
    },
    BlobProgress {
        digest: Digest,
        done: u64,
    },
    BlobCopied {
        destination: String,
        digest: Digest,
        size: u64,
    },
    BlobMounted {
        destination: String,
        digest: Digest,
        size: u64,
    },
    BlobSkipped {
        destination: String,
        digest: Digest,
        size: u64,
        reason: BlobSkip,
    },
    ManifestWritten {
        destination: String,
        digest: Digest,
    },
    DestinationFailed {
        destination: String,
        error: String,
    },
    TagPlanned {
        repository: String,
        tag: Tag,
        before: Previous,
        target: Digest,
    },
    TagKept {
        repository: String,
        tag: Tag,
        reason: Kept,
    },
    TagCreated {
        repository: String,
        tag: Tag,
        now: Previous,
    },
    TagMoved {
        repository: String,
        tag: Tag,
        before: Previous,
        now: Previous,
    },
    TagFailed {
        repository: String,
        tag: Tag,
        now: Previous,
        error: String,
    },
    TagRolledBack {
        repository: String,
        tag: Tag,
        now: Previous,
    },
    TagStranded {
        repository: String,
        tag: Tag,
        now: Previous,
        error: String,
    },
    TagRemoved {
        repository: String,
        tag: Tag,
        before: Digest,
    },
    /// What `--verbose` adds, and what a registry warns of.
    Log {
        message: String,
    },
    Note {
        message: String,
    },
    Warning {
        message: String,
    },
    Error(Failure),
    Finished {
        exit_code: u8,
    },
}

/// What one destination is to get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Share {
    pub(crate) destination: String,
    pub(crate) copy: Total,
    pub(crate) mount: Total,
    /// How many blobs need not go there.
    pub(crate) skip: u64,
}

/// Why a tag is kept: the reasons of a release, and those of a copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Kept {
    Release(SkipReason),
    Copy(TagKept),
}

/// An event as a line of JSON.
#[derive(Serialize)]
struct Line<'e> {
    schema: u32,
    #[serde(flatten)]
    event: &'e Event,
}

impl Event {
    /// One line of JSON, without its end.
    pub(crate) fn json(&self) -> String {
        let line = Line { schema: SCHEMA, event: self };
        serde_json::to_string(&line).expect("our own types are JSON")
    }

    /// What `plan` will write, and what it leaves alone.
    pub(crate) fn of_plan(plan: &Plan) -> impl Iterator<Item = Self> {
        let repository = || plan.repository.clone();
        let planned = move |step: &Step| Self::TagPlanned {
            repository: repository(),
            tag: step.tag.clone(),
            before: step.previous.clone(),
            target: step.target.digest.clone(),
        };
        let kept = plan.skips.iter().map(move |skip| Self::TagKept {
            repository: repository(),
            tag: skip.tag.clone(),
            reason: Kept::Release(skip.reason.clone()),
        });
        plan.steps.iter().map(planned).chain(kept)
    }

    /// What became of a tag; nothing when it was not tried.
    pub(crate) fn of_tag(repository: &str, report: &TagReport) -> Option<Self> {
        let (repository, tag) = (repository.to_owned(), report.tag.clone());
        let (before, now) = (report.before.clone(), report.now.clone());
        Some(match &report.outcome {
            Outcome::Created => Self::TagCreated { repository, tag, now },
            Outcome::Moved => Self::TagMoved { repository, tag, before, now },
            Outcome::RolledBack => Self::TagRolledBack { repository, tag, now },
            Outcome::Failed { error } => {
                Self::TagFailed { repository, tag, now, error: error.clone() }
            }
            Outcome::Stranded { error } => {
                Self::TagStranded { repository, tag, now, error: error.clone() }
            }
            _ => return None,
        })
    }

    /// A step of a copy; nothing for a tag, which is told with what it was before.
    pub(crate) fn of_copy(event: CopyEvent) -> Option<Self> {
        Some(match event {
            CopyEvent::ManifestRead { digest, size } => Self::ManifestRead { digest, size },
            CopyEvent::BlobStarted { digest, size } => Self::BlobStarted { digest, size },
            CopyEvent::BlobProgress { digest, done } => Self::BlobProgress { digest, done },
            CopyEvent::BlobCopied { destination, digest, size } => {
                Self::BlobCopied { destination: destination.to_string(), digest, size }
            }
            CopyEvent::BlobMounted { destination, digest, size } => {
                Self::BlobMounted { destination: destination.to_string(), digest, size }
            }
            CopyEvent::BlobSkipped { destination, digest, size, reason } => {
                Self::BlobSkipped { destination: destination.to_string(), digest, size, reason }
            }
            CopyEvent::ManifestWritten { destination, digest } => {
                Self::ManifestWritten { destination: destination.to_string(), digest }
            }
            CopyEvent::Failed { destination, error } => {
                Self::DestinationFailed { destination: destination.to_string(), error }
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests;
