//! Plans: what will be written, what will not and why, and what forbids writing at all.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::alias::Breadth;
use crate::digest::Digest;
use crate::manifest::Descriptor;
use crate::observation::Guard;
use crate::tag::Tag;

/// What a release does to one repository. It leaves no decision to whoever applies it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[must_use]
pub struct Plan {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// The repository or layout, as written by the user.
    pub repository: String,
    /// The exact tags of the release.
    pub versions: Vec<Tag>,
    /// The image being released.
    pub source: Descriptor,
    /// Whether the other tags were taken into account.
    pub guard: Guard,
    /// The tags to write, in the order to write them.
    pub steps: Vec<Step>,
    /// The tags that stay as they are.
    pub skips: Vec<Skip>,
    /// What forbids the plan: with any of these nothing may be written.
    pub conflicts: Vec<Conflict>,
}

/// One tag to write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// The tag.
    pub tag: Tag,
    /// How broad it is: steps of one breadth may be written at once, narrower ones first.
    pub breadth: Breadth,
    /// The exact tag of the release that it belongs to.
    pub released: Tag,
    /// What it will point at.
    pub target: Descriptor,
    /// The version tag that image is: `released`, unless a newer version leads the alias and
    /// the alias was not on it.
    pub version: Tag,
    /// What it points at now.
    pub previous: Previous,
}

/// What a tag pointed at when the plan was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Previous {
    /// It did not exist.
    Absent,
    /// This digest.
    At(Digest),
    /// It was not looked at, because the guard is off.
    NotRead,
}

/// One tag that stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Skip {
    /// The tag.
    pub tag: Tag,
    /// How broad it is.
    pub breadth: Breadth,
    /// The exact tag of the release that it belongs to.
    pub released: Tag,
    /// Why it stays.
    pub reason: SkipReason,
}

/// Why a tag stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
#[non_exhaustive]
pub enum SkipReason {
    /// It points at the right image already.
    AlreadyThere {
        /// That image.
        digest: Digest,
    },
    /// It points at a version that is newer than the one being released.
    Newer {
        /// The newer version; several when they have the same precedence.
        versions: Vec<Tag>,
        /// What the alias points at.
        digest: Digest,
    },
    /// Several versions of equal precedence, with different images, are newer; which of them
    /// the alias should point at cannot be told.
    Undecided {
        /// Those versions.
        versions: Vec<Tag>,
    },
    /// It points at a version that is yanked, and moving it would be moving it down.
    Yanked {
        /// The yanked version; several when they are one image.
        versions: Vec<Tag>,
        /// What the alias points at.
        digest: Digest,
        /// The version that it would be moved down to.
        instead: Tag,
    },
    /// The version being released is a prerelease.
    Prerelease,
    /// It is the alias of major version zero, which was not asked for.
    ZeroMajor,
}

/// What forbids a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase", tag = "kind")]
#[non_exhaustive]
pub enum Conflict {
    /// The exact tag holds another image, and exact tags are immutable.
    #[error("tag {tag} exists and holds {holds}, not {wanted}")]
    ExactTagTaken {
        /// The exact tag.
        tag: Tag,
        /// What it points at.
        holds: Digest,
        /// The image being released.
        wanted: Digest,
    },
    /// Other tags have the same precedence as the version being released, and other images.
    #[error(
        "{rivals} and {version} have the same precedence but different images, \
         so it cannot be told which of them {alias} should be",
        rivals = Joined(.rivals)
    )]
    Tie {
        /// The alias they all claim.
        alias: Tag,
        /// The exact tag being released.
        version: Tag,
        /// The others.
        rivals: Vec<Tag>,
    },
    /// A tag is listed and cannot be found.
    #[error("tag {tag} is in the tag list, but there is no such manifest")]
    Vanished {
        /// The tag.
        tag: Tag,
    },
    /// A tag that decides was not looked at: the observation is not of this release.
    #[error("tag {tag} was not looked at")]
    NotSeen {
        /// The tag.
        tag: Tag,
    },
}

impl Plan {
    /// Whether there is nothing to write and nothing that forbids it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.conflicts.is_empty()
    }
}

impl Conflict {
    /// What the user can do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::ExactTagTaken { .. } => {
                "release the image under a new version, or pass --force to replace that tag"
            }
            Self::Tie { .. } => {
                "remove the tag that should not count, leave that alias out \
                 (--precision, --no-latest), or pass --force to give it to this image"
            }
            Self::Vanished { .. } => {
                "run again; if it stays, the repository is damaged there: delete that tag, \
                 or pass --no-guard to move the aliases without looking at the other tags"
            }
            Self::NotSeen { .. } => "plan again",
        }
    }
}

impl Previous {
    /// The digest, when there is one.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Self::At(digest) => Some(digest),
            Self::Absent | Self::NotRead => None,
        }
    }
}

/// Tags in a sentence: `a`, `a and b`, `a, b and c`.
pub struct Joined<'t>(pub &'t [Tag]);

impl fmt::Display for Joined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.0.len().saturating_sub(1);
        for (at, tag) in self.0.iter().enumerate() {
            let separator = match at {
                0 => "",
                at if at == last => " and ",
                _ => ", ",
            };
            write!(f, "{separator}{tag}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_joined_as_in_a_sentence() {
        let tags = |text: &str| -> Vec<Tag> {
            text.split_whitespace().map(|tag| tag.parse().expect("a tag")).collect()
        };
        for (text, joined) in [("a", "a"), ("a b", "a and b"), ("a b c", "a, b and c")] {
            assert_eq!(Joined(&tags(text)).to_string(), joined);
        }
    }
}
