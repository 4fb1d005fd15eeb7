//! Reports: what became of every tag of a release.

use serde::{Deserialize, Serialize};

use crate::alias::Breadth;
use crate::digest::Digest;
use crate::manifest::Descriptor;
use crate::observation::{Guard, SCHEMA};
use crate::plan::{Plan, Previous, SkipReason};
use crate::tag::Tag;

/// What a release did to one repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[must_use]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The repository or layout, as written by the user.
    pub repository: String,
    /// The exact tags of the release.
    pub versions: Vec<Tag>,
    /// The image released.
    pub source: Descriptor,
    /// Whether the other tags were taken into account.
    pub guard: Guard,
    /// How often it was planned: more than once when newer versions appeared meanwhile.
    pub rounds: u32,
    /// Every tag of the release, from narrow to broad.
    pub tags: Vec<TagReport>,
}

/// What became of one tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TagReport {
    /// The tag.
    pub tag: Tag,
    /// How broad it is.
    pub breadth: Breadth,
    /// The exact tag of the release that it belongs to.
    pub released: Tag,
    /// What it pointed at before the run.
    pub before: Previous,
    /// What it points at now, as far as this run knows.
    pub now: Previous,
    /// What it was to point at, when it was to be written.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub target: Option<Digest>,
    /// The version tag whose image that is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<Tag>,
    /// How that came.
    pub outcome: Outcome,
}

/// How a tag came to be what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
#[non_exhaustive]
pub enum Outcome {
    /// It did not exist and was written.
    Created,
    /// It pointed elsewhere, or was not looked at, and was written.
    Moved,
    /// It was left as it is.
    Kept {
        /// Why.
        reason: SkipReason,
    },
    /// It could not be written.
    Failed {
        /// The error and its causes.
        error: String,
    },
    /// It was written, and put back when a later tag failed.
    RolledBack,
    /// It was written and stays so, although a later tag failed.
    Stranded {
        /// Why it could not be put back.
        error: String,
    },
    /// It was not tried, because another tag failed before.
    NotTried,
}

impl Report {
    /// The report of a plan of which nothing has been done yet: every step is
    /// [`Outcome::NotTried`].
    pub fn of(plan: &Plan) -> Self {
        let steps = plan.steps.iter().map(|step| TagReport {
            tag: step.tag.clone(),
            breadth: step.breadth,
            released: step.released.clone(),
            before: step.previous.clone(),
            now: step.previous.clone(),
            target: Some(step.target.digest.clone()),
            version: Some(step.version.clone()),
            outcome: Outcome::NotTried,
        });
        let skips = plan.skips.iter().map(|skip| {
            let at = match &skip.reason {
                SkipReason::AlreadyThere { digest }
                | SkipReason::Newer { digest, .. }
                | SkipReason::Yanked { digest, .. } => Previous::At(digest.clone()),
                _ => Previous::NotRead,
            };
            TagReport {
                tag: skip.tag.clone(),
                breadth: skip.breadth,
                released: skip.released.clone(),
                before: at.clone(),
                now: at,
                target: None,
                version: None,
                outcome: Outcome::Kept { reason: skip.reason.clone() },
            }
        });
        let mut tags: Vec<_> = steps.chain(skips).collect();
        let variant = |tag: &Tag| plan.versions.iter().position(|version| version == tag);
        tags.sort_by_key(|report| (report.breadth, variant(&report.released)));
        Self {
            schema: SCHEMA,
            repository: plan.repository.clone(),
            versions: plan.versions.clone(),
            source: plan.source.clone(),
            guard: plan.guard,
            rounds: 1,
            tags,
        }
    }

    /// Whether the run changed no tag.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.tags.iter().all(|tag| matches!(tag.outcome, Outcome::Kept { .. }))
    }

    /// Takes over what a later round did: what a tag was before stays what it was before the
    /// first.
    pub fn continue_with(&mut self, later: Self) {
        self.rounds += later.rounds;
        for tag in later.tags {
            let Some(own) = self.tags.iter_mut().find(|own| own.tag == tag.tag) else {
                self.tags.push(tag);
                continue;
            };
            let kept_as_written =
                matches!(tag.outcome, Outcome::Kept { reason: SkipReason::AlreadyThere { .. } });
            if kept_as_written {
                continue;
            }
            let before = std::mem::replace(&mut own.before, Previous::NotRead);
            *own = TagReport { before, ..tag };
        }
    }
}
