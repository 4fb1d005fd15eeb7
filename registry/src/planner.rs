//! The planner: a release and an observation in, a plan out. Every decision is made here.

use crate::alias::{Alias, Breadth, Leader};
use crate::digest::Digest;
use crate::manifest::Descriptor;
use crate::observation::{Guard, Listing, Observation, Release, SCHEMA};
use crate::plan::{Conflict, Plan, Previous, Skip, SkipReason, Step};
use crate::tag::Tag;
use crate::version::VersionTag;

/// Plans `release`, given what was seen.
///
/// Pure, total and deterministic: it has no effects, no clock and no way to fail. What forbids
/// the release is in [`Plan::conflicts`].
pub fn plan(release: &Release, observation: &Observation) -> Plan {
    let mut planner = Planner {
        release,
        observation,
        existing: match &observation.listing {
            Listing::Complete(tags) => release.existing(tags),
            Listing::NotRead => Vec::new(),
        },
        steps: Vec::new(),
        skips: Vec::new(),
        conflicts: Vec::new(),
    };
    planner.yanked();
    for version in release.exact() {
        planner.exact(version);
    }
    for tag in &release.plain {
        planner.plain(tag);
    }
    for version in &release.versions {
        for alias in release.aliases(version) {
            planner.alias(version, alias);
        }
    }
    let Planner { mut steps, mut skips, conflicts, .. } = planner;
    // Stable: within a breadth the variants stay in the order they were asked for.
    steps.sort_by_key(|step| step.breadth);
    skips.sort_by_key(|skip| skip.breadth);
    Plan {
        schema: SCHEMA,
        repository: observation.repository.clone(),
        versions: release.versions.iter().map(|version| version.tag().clone()).collect(),
        source: observation.source.clone(),
        guard: release.guard,
        steps,
        skips,
        conflicts,
    }
}

struct Planner<'p> {
    release: &'p Release,
    observation: &'p Observation,
    existing: Vec<VersionTag>,
    steps: Vec<Step>,
    skips: Vec<Skip>,
    conflicts: Vec<Conflict>,
}

/// What is known of a tag.
enum Sight<'p> {
    At(&'p Descriptor),
    Absent,
    NotSeen,
}

impl<'p> Planner<'p> {
    /// A yanked version that exists has to be looked at: else a move down would go unseen.
    fn yanked(&mut self) {
        for tag in &self.release.yanked {
            if self.is_listed(tag) && matches!(self.sight(tag), Sight::NotSeen) {
                self.conflicts.push(Conflict::NotSeen { tag: tag.clone() });
            }
        }
    }

    /// Rule 4: an exact version is immutable.
    fn exact(&mut self, version: &VersionTag) {
        let tag = version.tag().clone();
        let source = &self.observation.source;
        let previous = match self.sight(&tag) {
            Sight::At(found) if found.digest == source.digest => {
                return self.already_there(
                    version.tag(),
                    tag.clone(),
                    Breadth::Exact,
                    &found.digest,
                );
            }
            Sight::At(found) if !self.release.force => {
                let (holds, wanted) = (found.digest.clone(), source.digest.clone());
                return self.conflicts.push(Conflict::ExactTagTaken { tag, holds, wanted });
            }
            Sight::At(found) => Previous::At(found.digest.clone()),
            // An exact tag that is listed and not found may yet hold an image.
            Sight::Absent if self.is_listed(&tag) && !self.release.force => {
                return self.conflicts.push(Conflict::Vanished { tag });
            }
            Sight::Absent => Previous::Absent,
            Sight::NotSeen if self.release.force && self.release.guard == Guard::Off => {
                Previous::NotRead
            }
            Sight::NotSeen => return self.conflicts.push(Conflict::NotSeen { tag }),
        };
        let (breadth, target) = (Breadth::Exact, source.clone());
        let (released, version) = (tag.clone(), tag.clone());
        self.steps.push(Step { tag, breadth, released, target, version, previous });
    }

    /// A tag that goes where it is told to.
    fn plain(&mut self, tag: &Tag) {
        let alias = Alias { tag: tag.clone(), breadth: Breadth::Plain };
        let target = self.observation.source.clone();
        self.point(tag, alias, target, tag.clone());
    }

    /// Rule 3: an alias points at the highest stable version of its series.
    fn alias(&mut self, version: &VersionTag, alias: Alias) {
        let leader = self.release.policy.leader(&alias, version, &self.existing);
        match leader {
            Leader::Prerelease => self.skip(version.tag(), alias, SkipReason::Prerelease),
            Leader::ZeroMajor => self.skip(version.tag(), alias, SkipReason::ZeroMajor),
            Leader::Incoming => self.lead(version, alias),
            Leader::Tied(rivals) => self.tie(version, alias, &rivals),
            Leader::Others(leaders) => self.follow(version.tag(), alias, &leaders),
        }
    }

    /// The release leads the alias.
    fn lead(&mut self, version: &VersionTag, alias: Alias) {
        let target = self.observation.source.clone();
        self.point(version.tag(), alias, target, version.tag().clone());
    }

    /// Edges 20 and 21: tags of equal precedence must agree, or be decided by force.
    fn tie(&mut self, version: &VersionTag, alias: Alias, rivals: &[VersionTag]) {
        if !self.release.force {
            let Some(images) = self.images(rivals) else { return };
            let source = &self.observation.source.digest;
            if images.iter().any(|(_, image)| image.digest != *source) {
                return self.conflicts.push(Conflict::Tie {
                    alias: alias.tag,
                    version: version.tag().clone(),
                    rivals: rivals.iter().map(|rival| rival.tag().clone()).collect(),
                });
            }
        }
        self.lead(version, alias);
    }

    /// Other versions lead the alias: it stays on them, or is put right.
    fn follow(&mut self, released: &Tag, alias: Alias, leaders: &[VersionTag]) {
        let Some(images) = self.images(leaders) else { return };
        let tags = || leaders.iter().map(|leader| leader.tag().clone()).collect();
        let current = match self.sight(&alias.tag) {
            Sight::At(found) => Some(&found.digest),
            Sight::Absent => None,
            Sight::NotSeen => return self.conflicts.push(Conflict::NotSeen { tag: alias.tag }),
        };
        if let Some(digest) = current
            && images.iter().any(|(_, image)| image.digest == *digest)
        {
            let reason = SkipReason::Newer { versions: tags(), digest: digest.clone() };
            return self.skip(released, alias, reason);
        }
        let (version, target) = &images[0];
        if images.iter().any(|(_, image)| image.digest != target.digest) {
            return self.skip(released, alias, SkipReason::Undecided { versions: tags() });
        }
        self.point(released, alias, target.clone(), version.clone());
    }

    /// Rule 5: a tag that has the right digest is not written again.
    fn point(&mut self, released: &Tag, alias: Alias, target: Descriptor, version: Tag) {
        let Alias { tag, breadth } = alias;
        let previous = match self.sight(&tag) {
            Sight::At(found) if found.digest == target.digest => {
                return self.already_there(released, tag, breadth, &found.digest);
            }
            Sight::At(found) => {
                if let Some(reason) = self.downgrade(&found.digest, &version) {
                    return self.skip(released, Alias { tag, breadth }, reason);
                }
                Previous::At(found.digest.clone())
            }
            Sight::Absent => Previous::Absent,
            Sight::NotSeen if self.release.guard == Guard::Off => Previous::NotRead,
            Sight::NotSeen => return self.conflicts.push(Conflict::NotSeen { tag }),
        };
        let released = released.clone();
        self.steps.push(Step { tag, breadth, released, target, version, previous });
    }

    /// Edge 24: what keeps an alias that holds `digest` from moving to `version`, where that is
    /// a move down from a yanked version.
    fn downgrade(&self, digest: &Digest, version: &Tag) -> Option<SkipReason> {
        if self.release.allow_downgrade {
            return None;
        }
        let target = self.release.grammar.parse(version.as_str()).ok()?;
        let is_left = |tag: &&Tag| {
            let is_higher = self
                .release
                .grammar
                .parse(tag.as_str())
                .is_ok_and(|yanked| yanked.precedence(&target) == std::cmp::Ordering::Greater);
            is_higher && matches!(self.sight(tag), Sight::At(image) if image.digest == *digest)
        };
        let versions: Vec<Tag> = self.release.yanked.iter().filter(is_left).cloned().collect();
        let (digest, instead) = (digest.clone(), version.clone());
        (!versions.is_empty()).then_some(SkipReason::Yanked { versions, digest, instead })
    }

    fn already_there(&mut self, released: &Tag, tag: Tag, breadth: Breadth, digest: &Digest) {
        let reason = SkipReason::AlreadyThere { digest: digest.clone() };
        self.skip(released, Alias { tag, breadth }, reason);
    }

    fn skip(&mut self, released: &Tag, alias: Alias, reason: SkipReason) {
        let Alias { tag, breadth } = alias;
        let released = released.clone();
        self.skips.push(Skip { tag, breadth, released, reason });
    }

    /// The images of `versions`, which are in the tag list; a conflict where one is not.
    fn images(&mut self, versions: &[VersionTag]) -> Option<Vec<(Tag, Descriptor)>> {
        let mut images = Vec::with_capacity(versions.len());
        for version in versions {
            let tag = version.tag().clone();
            let conflict = match self.sight(&tag) {
                Sight::At(found) => {
                    images.push((tag, found.clone()));
                    continue;
                }
                Sight::Absent => Conflict::Vanished { tag },
                Sight::NotSeen => Conflict::NotSeen { tag },
            };
            if !self.conflicts.contains(&conflict) {
                self.conflicts.push(conflict);
            }
            return None;
        }
        Some(images)
    }

    fn is_listed(&self, tag: &Tag) -> bool {
        match &self.observation.listing {
            Listing::Complete(tags) => tags.contains(tag),
            Listing::NotRead => false,
        }
    }

    /// What is known of `tag`. A tag that a complete list does not have need not be looked at.
    fn sight(&self, tag: &Tag) -> Sight<'p> {
        match (self.observation.seen.get(tag), &self.observation.listing) {
            (Some(Some(found)), _) => Sight::At(found),
            (Some(None), _) => Sight::Absent,
            (None, Listing::Complete(tags)) if !tags.contains(tag) => Sight::Absent,
            (None, _) => Sight::NotSeen,
        }
    }
}

#[cfg(test)]
mod tests;
