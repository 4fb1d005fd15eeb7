//! Aliases: which tags a version lends its image to, and which version leads each of them.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::tag::Tag;
use crate::version::{VersionGrammar, VersionTag};

/// Which aliases a run keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AliasPolicy {
    /// The shortest alias with numbers in it.
    pub precision: Precision,
    /// Keep `0` and `v0` too: under Semantic Versioning nothing in 0.x is compatible, so they
    /// promise what they cannot hold.
    pub zero_major: bool,
    /// Keep `latest`, or for a variant the bare variant (`alpine`).
    pub latest: bool,
}

/// How far a version is shortened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Precision {
    /// 1.2.3 is also 1.2 and 1.
    #[default]
    Major,
    /// 1.2.3 is also 1.2.
    Minor,
    /// 1.2.3 is not shortened.
    Patch,
}

/// How broad an alias is, narrow first: the order in which aliases are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Breadth {
    /// The version itself.
    Exact,
    /// A tag that is no version and no alias of one, and goes where it is told to.
    Plain,
    /// `1.2`, `1.2-alpine`.
    Minor,
    /// `1`, `1-alpine`.
    Major,
    /// `latest`, `alpine`.
    Latest,
}

/// An alias of a version: the tag, and how broad its series is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The tag.
    pub tag: Tag,
    /// How broad it is.
    pub breadth: Breadth,
}

/// Who leads the series of an alias, seen from the version being released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leader {
    /// The version being released: no stable version of the series is higher or equal.
    Incoming,
    /// Other versions are higher. Several, when they differ only in build or `v`.
    Others(Vec<VersionTag>),
    /// Other tags have the same precedence as the version being released.
    Tied(Vec<VersionTag>),
    /// Nobody: the version being released is a prerelease, and those move no stable alias.
    Prerelease,
    /// Nobody: a zero major version, not asked for.
    ZeroMajor,
}

impl Default for AliasPolicy {
    fn default() -> Self {
        Self { precision: Precision::Major, zero_major: false, latest: true }
    }
}

impl AliasPolicy {
    /// The aliases of `version`, from narrow to broad.
    ///
    /// Those that are never moved (a prerelease's, `0`) are among them, so that a report can
    /// say why not.
    #[must_use]
    pub fn aliases(&self, version: &VersionTag) -> Vec<Alias> {
        let v = if version.is_prefixed() { "v" } else { "" };
        let suffix = version.variant().map(|variant| format!("-{variant}")).unwrap_or_default();
        let (major, minor) = (&version.major, &version.minor);
        let mut aliases = Vec::with_capacity(3);
        let mut add = |breadth, text: String| {
            // Shorter than the version tag they come from, and of the same alphabet.
            let tag = text.parse().expect("a part of a tag is a tag");
            aliases.push(Alias { tag, breadth });
        };
        if self.precision <= Precision::Minor {
            add(Breadth::Minor, format!("{v}{major}.{minor}{suffix}"));
        }
        if self.precision == Precision::Major {
            add(Breadth::Major, format!("{v}{major}{suffix}"));
        }
        if self.latest {
            add(Breadth::Latest, version.variant().unwrap_or("latest").to_owned());
        }
        aliases
    }

    /// Who leads the series of `alias`, an alias of `incoming`, among `existing` versions.
    #[must_use]
    pub fn leader<'v>(
        &self,
        alias: &Alias,
        incoming: &VersionTag,
        existing: impl IntoIterator<Item = &'v VersionTag>,
    ) -> Leader {
        if incoming.prerelease().is_some() {
            return Leader::Prerelease;
        }
        if alias.breadth == Breadth::Major && incoming.major.is_zero() && !self.zero_major {
            return Leader::ZeroMajor;
        }
        let mut ordering = Ordering::Equal;
        let mut leaders: Vec<VersionTag> = Vec::new();
        let of_series = |version: &&VersionTag| {
            version.prerelease().is_none()
                && *version != incoming
                && in_series(alias.breadth, incoming, version)
        };
        for version in existing.into_iter().filter(of_series) {
            let against = leaders.first().unwrap_or(incoming);
            match version.precedence(against) {
                Ordering::Less => continue,
                Ordering::Equal => {}
                Ordering::Greater => {
                    ordering = Ordering::Greater;
                    leaders.clear();
                }
            }
            leaders.push(version.clone());
        }
        match (leaders.is_empty(), ordering) {
            (true, _) => Leader::Incoming,
            (false, Ordering::Greater) => Leader::Others(leaders),
            (false, _) => Leader::Tied(leaders),
        }
    }
}

/// Whether `other` belongs to the series that an alias of `version` stands for.
///
/// A numbered alias is written with its `v` or without, and stands for versions written
/// likewise. `latest` and bare variants have no `v` to tell them apart: both kinds share them.
fn in_series(breadth: Breadth, version: &VersionTag, other: &VersionTag) -> bool {
    let same_variant = version.variant() == other.variant();
    let same_prefix = version.is_prefixed() == other.is_prefixed();
    let same_major = version.major == other.major;
    let same_minor = version.minor == other.minor;
    match breadth {
        Breadth::Exact | Breadth::Plain => version == other,
        Breadth::Minor => same_variant && same_prefix && same_major && same_minor,
        Breadth::Major => same_variant && same_prefix && same_major,
        Breadth::Latest => same_variant,
    }
}

/// The versions among `tags`, by `grammar`; every other tag is none of the planner's business.
pub fn versions<'t>(
    tags: impl IntoIterator<Item = &'t Tag>,
    grammar: &VersionGrammar,
) -> Vec<VersionTag> {
    tags.into_iter().filter_map(|tag| grammar.parse(tag.as_str()).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> VersionTag {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    fn aliases(policy: AliasPolicy, text: &str) -> Vec<String> {
        let aliases = policy.aliases(&version(text));
        aliases.iter().map(|alias| alias.tag.to_string()).collect()
    }

    /// The leader of `alias` when `incoming` is released among `existing`.
    fn leader(alias: &str, incoming: &str, existing: &[&str]) -> Leader {
        let policy = AliasPolicy::default();
        let incoming = version(incoming);
        let existing: Vec<_> = existing.iter().map(|text| version(text)).collect();
        let aliases = policy.aliases(&incoming);
        let alias = aliases.iter().find(|own| own.tag.as_str() == alias).expect("an alias of it");
        policy.leader(alias, &incoming, &existing)
    }

    #[test]
    fn aliases_go_from_narrow_to_broad() {
        let all = AliasPolicy::default();
        assert_eq!(aliases(all, "1.2.3"), ["1.2", "1", "latest"]);
        assert_eq!(aliases(all, "v1.2.3"), ["v1.2", "v1", "latest"]);
        assert_eq!(aliases(all, "1.2.3-alpine"), ["1.2-alpine", "1-alpine", "alpine"]);
        assert_eq!(aliases(all, "1.2.3_b4"), ["1.2", "1", "latest"]);
        let minor = AliasPolicy { precision: Precision::Minor, ..all };
        assert_eq!(aliases(minor, "1.2.3"), ["1.2", "latest"]);
        let patch = AliasPolicy { precision: Precision::Patch, latest: false, ..all };
        assert_eq!(aliases(patch, "1.2.3"), [""; 0]);
    }

    #[test]
    fn edge_19_an_alias_is_led_by_the_highest_stable_version_of_its_own_series() {
        let existing = ["1.2.3", "1.3.0", "1.4.0-rc.1", "1.9.9-alpine", "v1.9.9"];
        assert_eq!(leader("1.2", "1.2.4", &existing), Leader::Incoming);
        assert_eq!(leader("1", "1.2.4", &existing), Leader::Others(vec![version("1.3.0")]));
        assert_eq!(leader("latest", "1.2.4", &existing), Leader::Others(vec![version("v1.9.9")]));
        assert_eq!(leader("1", "1.4.0-rc.2", &existing), Leader::Prerelease);
    }

    #[test]
    fn a_version_is_no_rival_of_itself() {
        assert_eq!(leader("1", "1.2.4", &["1.2.4"]), Leader::Incoming);
    }

    #[test]
    fn edges_20_and_21_equal_precedence_is_a_tie() {
        let tied = |rivals: &[&str]| Leader::Tied(rivals.iter().map(|r| version(r)).collect());
        assert_eq!(
            leader("1", "1.2.3_b2", &["1.2.3_b1", "1.2.3", "1.2.2"]),
            tied(&["1.2.3_b1", "1.2.3"])
        );
        assert_eq!(leader("latest", "1.2.3", &["v1.2.3"]), tied(&["v1.2.3"]));
        assert_eq!(leader("1", "1.2.3", &["v1.2.3"]), Leader::Incoming);
        assert_eq!(
            leader("1", "1.2.3", &["1.2.3_b1", "1.3.0_b1", "1.3.0_b2"]),
            Leader::Others(vec![version("1.3.0_b1"), version("1.3.0_b2")])
        );
    }

    #[test]
    fn edge_19_zero_is_no_alias_unless_asked_for() {
        assert_eq!(leader("0", "0.4.1", &[]), Leader::ZeroMajor);
        assert_eq!(leader("v0", "v0.4.1", &[]), Leader::ZeroMajor);
        assert_eq!(leader("0.4", "0.4.1", &[]), Leader::Incoming);
        let policy = AliasPolicy { zero_major: true, ..AliasPolicy::default() };
        let incoming = version("0.4.1");
        let zero = &policy.aliases(&incoming)[1];
        assert_eq!(policy.leader(zero, &incoming, []), Leader::Incoming);
    }
}
