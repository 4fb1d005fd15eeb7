//! What was seen of a repository: everything the planner knows of the world.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::alias::{Alias, AliasPolicy, Leader, versions};
use crate::manifest::Descriptor;
use crate::tag::Tag;
use crate::version::{VersionError, VersionGrammar, VersionTag};

/// The version of the JSON that [`Observation`], [`crate::Plan`] and [`crate::Report`] are
/// written as.
pub const SCHEMA: u32 = 1;

/// What a release asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "Written", into = "Written")]
pub struct Release {
    /// The exact tags: the version, once for each variant the image is released as.
    pub versions: Vec<VersionTag>,
    /// Which aliases are kept.
    pub policy: AliasPolicy,
    /// Of the versions and their aliases only these, when given.
    pub only: Option<BTreeSet<Tag>>,
    /// Further tags: they move to the image whatever they are.
    pub plain: Vec<Tag>,
    /// What counts as a version among the tags of the repository.
    pub grammar: VersionGrammar,
    /// Whether the other tags decide.
    pub guard: Guard,
    /// Overwrite an exact tag that holds another image, and win ties.
    pub force: bool,
    /// Exact tags of broken versions: they lead no alias.
    pub yanked: BTreeSet<Tag>,
    /// Move an alias that is on a yanked version down to the highest that is not; else it stays.
    pub allow_downgrade: bool,
}

/// Whether the tags already there decide which aliases move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Guard {
    /// An alias moves only to the highest version of its series.
    Full,
    /// Aliases move without the other tags having been read.
    Off,
}

/// What was seen of one repository at one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observation {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The repository or layout, as written by the user.
    pub repository: String,
    /// The image being released.
    pub source: Descriptor,
    /// The tag list.
    pub listing: Listing,
    /// The tags looked at; `null` for those that do not exist. A tag that is not in here was
    /// not looked at, which is never taken for absence.
    pub seen: BTreeMap<Tag, Option<Descriptor>>,
}

/// A repository's tag list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Listing {
    /// Every tag there is.
    Complete(BTreeSet<Tag>),
    /// Not read, because the guard is off.
    NotRead,
}

/// A [`Release`] as JSON has it: versions are tags until the grammar that comes with them has
/// read them.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    versions: Vec<Tag>,
    policy: AliasPolicy,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    only: Option<BTreeSet<Tag>>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    plain: Vec<Tag>,
    prerelease_words: Vec<String>,
    guard: Guard,
    force: bool,
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    yanked: BTreeSet<Tag>,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    allow_downgrade: bool,
}

impl From<Release> for Written {
    fn from(release: Release) -> Self {
        let Release {
            versions,
            policy,
            only,
            plain,
            grammar,
            guard,
            force,
            yanked,
            allow_downgrade,
        } = release;
        let versions = versions.iter().map(|version| version.tag().clone()).collect();
        let prerelease_words = grammar.prerelease_words;
        Self {
            versions,
            policy,
            only,
            plain,
            prerelease_words,
            guard,
            force,
            yanked,
            allow_downgrade,
        }
    }
}

impl TryFrom<Written> for Release {
    type Error = VersionError;

    fn try_from(written: Written) -> Result<Self, VersionError> {
        let Written {
            versions,
            policy,
            only,
            plain,
            prerelease_words,
            guard,
            force,
            yanked,
            allow_downgrade,
        } = written;
        let grammar = VersionGrammar { prerelease_words };
        let versions = versions.iter().map(|tag| grammar.parse(tag.as_str()));
        let versions = versions.collect::<Result<_, _>>()?;
        Ok(Self { versions, policy, only, plain, grammar, guard, force, yanked, allow_downgrade })
    }
}

impl Release {
    /// A release as these versions, with every alias that `policy` keeps: guarded, not forced,
    /// by the default grammar.
    #[must_use]
    pub fn new(versions: Vec<VersionTag>, policy: AliasPolicy) -> Self {
        Self {
            versions,
            policy,
            only: None,
            plain: Vec::new(),
            grammar: VersionGrammar::default(),
            guard: Guard::Full,
            force: false,
            yanked: BTreeSet::new(),
            allow_downgrade: false,
        }
    }

    /// The exact tags that are to be written.
    pub(crate) fn exact(&self) -> impl Iterator<Item = &VersionTag> {
        self.versions.iter().filter(|version| self.wants(version.tag()))
    }

    /// The aliases of `version` that are to be looked after, from narrow to broad.
    pub fn aliases(&self, version: &VersionTag) -> impl Iterator<Item = Alias> {
        self.policy.aliases(version).into_iter().filter(|alias| self.wants(&alias.tag))
    }

    /// The versions among `tags` that may lead an alias: all but the yanked ones.
    #[must_use]
    pub fn existing<'t>(&self, tags: impl IntoIterator<Item = &'t Tag>) -> Vec<VersionTag> {
        let mut existing = versions(tags, &self.grammar);
        existing.retain(|version| !self.yanked.contains(version.tag()));
        existing
    }

    fn wants(&self, tag: &Tag) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(tag))
    }

    /// The tags that must be looked at, when the repository has the tags of `listing`.
    ///
    /// Those are the exact tags, the aliases, the versions that lead an alias in our place, and
    /// the yanked ones, to know what is on them. Without a listing it is the exact tags, unless they are forced.
    #[must_use]
    pub fn tags_to_see(&self, listing: &Listing) -> BTreeSet<Tag> {
        let exact = || self.exact().map(|version| version.tag().clone());
        let Listing::Complete(tags) = listing else {
            return if self.force { BTreeSet::new() } else { exact().collect() };
        };
        let existing = self.existing(tags);
        let mut wanted: BTreeSet<Tag> = exact().chain(self.plain.iter().cloned()).collect();
        wanted.extend(self.yanked.intersection(tags).cloned());
        for version in &self.versions {
            for alias in self.aliases(version) {
                let leader = self.policy.leader(&alias, version, &existing);
                if let Leader::Others(others) | Leader::Tied(others) = &leader {
                    wanted.extend(others.iter().map(|other| other.tag().clone()));
                }
                if !matches!(leader, Leader::Prerelease | Leader::ZeroMajor) {
                    wanted.insert(alias.tag);
                }
            }
        }
        wanted
    }

    /// Whether a tag is certain to be written, judged by the tag list alone: an exact tag or
    /// an alias that is ours to move does not exist yet.
    #[must_use]
    pub fn must_write(&self, tags: &BTreeSet<Tag>) -> bool {
        let existing = self.existing(tags);
        let is_new = |tag: &Tag| !tags.contains(tag);
        let leads = |version: &VersionTag, alias: &Alias| {
            self.policy.leader(alias, version, &existing) == Leader::Incoming
        };
        self.plain.iter().any(is_new)
            || self.exact().any(|version| is_new(version.tag()))
            || self.versions.iter().any(|version| {
                let mut aliases = self.aliases(version);
                aliases.any(|alias| is_new(&alias.tag) && leads(version, &alias))
            })
    }

    /// Who leads each alias, given the tags there are: what a later listing is compared with,
    /// to know whether anything that decides has changed.
    #[must_use]
    pub fn leaders(&self, tags: &BTreeSet<Tag>) -> Vec<(Tag, Leader)> {
        let mut existing = self.existing(tags);
        // What this run writes is no news.
        existing.retain(|version| !self.versions.contains(version));
        let leaders = self.versions.iter().flat_map(|version| {
            let existing = &existing;
            self.aliases(version).map(move |alias| {
                let leader = self.policy.leader(&alias, version, existing);
                (alias.tag, leader)
            })
        });
        leaders.collect()
    }
}
