//! What is right, said without any of the code under test: its own reading of version tags,
//! its own series and its own order.

use super::world::{Names, TagId, TagSet, World};
use crate::alias::{AliasPolicy, Precision};

/// A version tag: `[v]MAJOR.MINOR.PATCH[-rc.N][-VARIANT]`, all that the scenarios use.
pub(super) struct Version<'t> {
    v: &'t str,
    numbers: [u32; 3],
    prerelease: bool,
    variant: Option<&'t str>,
}

/// The versions that an alias stands for.
struct Series {
    alias: TagId,
    /// The stable versions, highest first.
    versions: Vec<TagId>,
    /// Whether a run has to leave it right.
    wanted: bool,
}

/// The rules, for the tags of one scenario.
pub(super) struct Oracle {
    series: Vec<Series>,
    initial: World,
    exact: TagSet,
}

impl<'t> Version<'t> {
    pub(super) fn parse(tag: &'t str) -> Option<Self> {
        let (v, rest) = match tag.strip_prefix('v') {
            Some(rest) => ("v", rest),
            None => ("", tag),
        };
        let mut parts = rest.split('-');
        let mut numbers = parts.next()?.split('.').map(str::parse);
        let mut number = || numbers.next()?.ok();
        let numbers = [number()?, number()?, number()?];
        let mut parts = parts.peekable();
        let prerelease = parts.next_if(|part| part.starts_with("rc.")).is_some();
        Some(Self { v, numbers, prerelease, variant: parts.next() })
    }

    pub(super) fn aliases(&self, policy: AliasPolicy) -> Vec<String> {
        let Self { v, numbers: [major, minor, _], prerelease, variant } = self;
        let suffix = variant.map(|variant| format!("-{variant}")).unwrap_or_default();
        let mut aliases = Vec::new();
        if *prerelease {
            return aliases;
        }
        if policy.precision != Precision::Patch {
            aliases.push(format!("{v}{major}.{minor}{suffix}"));
        }
        if policy.precision == Precision::Major {
            aliases.push(format!("{v}{major}{suffix}"));
        }
        if policy.latest {
            aliases.push(variant.unwrap_or("latest").to_owned());
        }
        aliases
    }
}

impl Oracle {
    /// `initial` is the world the runs begin in, `released` are the exact tags they write.
    pub(super) fn new(names: &Names, initial: World, released: TagSet) -> Self {
        let tags = || (0u8..).zip(&names.tags);
        let versions = || tags().filter_map(|(id, tag)| Some((id, Version::parse(tag.as_str())?)));
        let mut series = Vec::new();
        for (alias, tag) in tags() {
            let of_alias = |version: &Version<'_>| {
                version.aliases(names.policy).iter().any(|own| own == tag.as_str())
            };
            let mut own: Vec<_> = versions().filter(|(_, version)| of_alias(version)).collect();
            own.sort_by_key(|(_, version)| std::cmp::Reverse(version.numbers));
            if own.is_empty() {
                continue;
            }
            let wanted = own.iter().any(|(version, _)| released >> version & 1 == 1);
            let versions = own.into_iter().map(|(version, _)| version).collect();
            series.push(Series { alias, versions, wanted });
        }
        Self { series, initial, exact: names.exact() }
    }

    /// Rule 4: an exact tag that exists does not change.
    pub(super) fn exact_tag_changed(&self, before: World, after: World) -> Option<TagId> {
        let changed = |tag: &TagId| {
            let (before, after) = (before.at(*tag), after.at(*tag));
            self.exact >> tag & 1 == 1 && before.is_some() && after.is_some() && before != after
        };
        (0..TagSet::BITS as TagId).find(changed)
    }

    /// Rule 6: an alias that a run has written, and that is on no existing version of its
    /// series.
    pub(super) fn alias_ahead(&self, world: World) -> Option<TagId> {
        let ahead = |series: &&Series| {
            let image = world.at(series.alias);
            image.is_some()
                && image != self.initial.at(series.alias)
                && series.versions.iter().all(|version| world.at(*version) != image)
        };
        self.series.iter().find(ahead).map(|series| series.alias)
    }

    /// Rule 3: an alias that is not on the highest version of its series.
    pub(super) fn alias_wrong(&self, world: World) -> Option<TagId> {
        let wrong = |series: &&Series| {
            let highest = series.versions.iter().find_map(|version| world.at(*version));
            series.wanted && highest.is_some() && world.at(series.alias) != highest
        };
        self.series.iter().find(wrong).map(|series| series.alias)
    }
}
