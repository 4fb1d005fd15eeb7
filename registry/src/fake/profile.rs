//! Profiles: what well-known registries are reported to do, as data.
//!
//! A profile is no registry: it is a fake with the quirks that somebody wrote down. Every quirk
//! says who did.

mod hosted;
mod installed;

use super::FakeRegistry;
use super::fault::FaultRule;
use super::options::{BearerAuth, FakeAuth, FakeOptions};

/// The user of every profile that wants one, unless it says otherwise.
const USER: &str = "ci";

/// That user's password.
const PASSWORD: &str = "secret";

/// A registry by its quirks.
#[derive(Clone, Debug)]
pub struct Profile {
    /// What it is asked for by: `ecr`.
    pub name: &'static str,
    /// What people call it: `Amazon ECR`.
    pub title: &'static str,
    /// What its quirks amount to.
    pub options: FakeOptions,
    /// What goes wrong with it now and then: each rule strikes once.
    pub faults: Vec<FaultRule>,
    /// The quirks, and where each is from.
    pub claims: Vec<Claim>,
}

/// One quirk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What it does.
    pub quirk: &'static str,
    /// Who says so: a thread, a page of documentation, a section of a specification.
    pub source: &'static str,
}

impl Profile {
    /// All of them, by name.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all = hosted::profiles();
        all.extend(installed::profiles());
        all.sort_by_key(|profile| profile.name);
        all
    }

    /// The one of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|profile| profile.name == name)
    }

    /// The user and password that it wants, if it wants any.
    #[must_use]
    pub fn credentials(&self) -> Option<(&str, &str)> {
        match &self.options.auth {
            FakeAuth::Anonymous => None,
            FakeAuth::Basic { user, password }
            | FakeAuth::Bearer(BearerAuth { user, password, .. }) => Some((user, password)),
        }
    }
}

impl FakeRegistry {
    /// Starts an empty registry that does what `profile` says.
    ///
    /// # Panics
    /// As [`FakeRegistry::start`].
    #[must_use]
    pub fn of(profile: &Profile) -> Self {
        let fake = Self::start(profile.options.clone());
        profile.faults.iter().for_each(|rule| fake.fail(rule.clone()));
        fake
    }
}

fn bearer() -> FakeOptions {
    FakeOptions { auth: FakeAuth::bearer(USER, PASSWORD), ..FakeOptions::default() }
}

fn claims<const N: usize>(claims: [(&'static str, &'static str); N]) -> Vec<Claim> {
    claims.into_iter().map(|(quirk, source)| Claim { quirk, source }).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn profiles_have_names_of_their_own_and_claims_with_sources() {
        let all = Profile::all();
        let names: BTreeSet<_> = all.iter().map(|profile| profile.name).collect();
        assert_eq!((all.len(), names.len()), (13, 13));
        for profile in &all {
            assert!(
                profile.name.bytes().all(|b| b.is_ascii_lowercase() || b"-0123456789".contains(&b))
            );
            assert!(!profile.claims.is_empty(), "{}", profile.name);
            for claim in &profile.claims {
                assert!(!claim.quirk.is_empty() && claim.source.len() > 8, "{claim:?}");
            }
            let found = Profile::named(profile.name).expect("by its name");
            assert_eq!(found.title, profile.title);
        }
        assert!(Profile::named("none").is_none());
    }

    #[test]
    fn what_a_profile_wants_is_what_it_takes() {
        let ecr = Profile::named("ecr").expect("a profile");
        assert_eq!(ecr.credentials(), Some(("AWS", PASSWORD)));
        assert!(matches!(ecr.options.auth, FakeAuth::Basic { .. }));
        let fake = FakeRegistry::of(&Profile::named("ghcr").expect("a profile"));
        assert_eq!(fake.pending_faults(), 1);
    }
}
