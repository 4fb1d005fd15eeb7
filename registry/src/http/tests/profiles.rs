//! The whole story over every profile: released, again, the next one, promoted from a repository
//! beside it and from another registry, untagged.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::edges::{promote, release};
use super::tag;
use crate::credential::Credentials;
use crate::digest::Digest;
use crate::fake::{FakeOptions, FakeRegistry, Profile};
use crate::http::Access;
use crate::http::options::RegistryOptions;
use crate::http::registry::Registry;
use crate::http::script::quick;
use crate::secret::Secret;
use crate::store::{Blame, Store as _};
use crate::tag::Tag;

/// A profile's name, and what each act costs.
type Cost = (&'static str, [usize; 5]);

/// The most requests that each act costs, with those for tokens, in the order of the story.
const BUDGETS: [Cost; 13] = [
    ("acr", [9, 6, 10, 25, 27]),
    ("artifactory", [9, 11, 10, 25, 27]),
    ("distribution-2", [9, 6, 10, 28, 27]),
    ("distribution-3", [9, 6, 10, 28, 27]),
    ("ecr", [8, 6, 10, 39, 27]),
    ("gar", [9, 6, 10, 25, 27]),
    ("ghcr", [10, 6, 10, 25, 27]),
    ("gitlab", [9, 6, 10, 28, 27]),
    ("harbor", [9, 6, 10, 25, 27]),
    ("hub", [9, 6, 10, 25, 27]),
    ("nexus", [9, 11, 13, 27, 28]),
    ("quay", [10, 6, 10, 28, 27]),
    ("zot", [7, 6, 7, 22, 24]),
];

fn client(fake: &FakeRegistry, credentials: Option<(&str, &str)>) -> Registry {
    let credentials = match credentials {
        Some((user, password)) => Credentials::fixed(user, Secret::new(password)),
        None => Credentials::anonymous(),
    };
    let options =
        RegistryOptions { credentials: Arc::new(credentials), ..RegistryOptions::default() };
    let host = fake.host().parse().expect("a host");
    Registry::with_policy(host, &options, quick(options.retries)).expect("a client")
}

/// How many requests there were since it was last asked, and how many of them were PUTs of tags.
fn cost(fake: &FakeRegistry) -> (usize, usize) {
    let is_write = |request: &crate::fake::RequestRecord| {
        request.method == "PUT" && request.path.contains("/manifests/")
    };
    let cost = (fake.requests().len(), fake.count(is_write));
    fake.reset_counts();
    cost
}

fn names(tags: &BTreeMap<Tag, Digest>, image: &Digest) -> Vec<String> {
    let own = tags.iter().filter(|(_, digest)| *digest == image);
    own.map(|(tag, _)| tag.to_string()).collect()
}

/// The requests of each act.
async fn story(profile: &Profile) -> [usize; 5] {
    let name = profile.name;
    let platforms = ["linux/amd64", "linux/arm64"];
    let fake = FakeRegistry::of(profile);
    let other = FakeRegistry::start(FakeOptions::default());
    let first = fake.seed_image("acme/web", "build-7", &platforms);
    let registry = client(&fake, profile.credentials());
    let web = registry.repository_with_sources("acme/web", Access::PullPush, &["acme/base"]);
    let mut costs = [0; 5];
    fake.put_blob("acme/base", "there");

    let applied = release(&web, "1.2.3", "build-7").await.expect(name);
    assert!(applied.error.is_none(), "{name}: {:?}", applied.error);
    let released = ["1", "1.2", "1.2.3", "build-7", "latest"];
    assert_eq!(names(&fake.tags("acme/web"), &first), released, "{name}");
    costs[0] = cost(&fake).0;

    let applied = release(&web, "1.2.3", "build-7").await.expect(name);
    assert!(applied.error.is_none() && applied.report.is_unchanged(), "{name}");
    let (requests, writes) = cost(&fake);
    assert_eq!(writes, 0, "{name}: nothing to do");
    costs[1] = requests;

    let second = fake.seed_image("acme/web", "build-8", &["linux/amd64"]);
    let applied = release(&web, "1.2.4", "build-8").await.expect(name);
    assert!(applied.error.is_none(), "{name}: {:?}", applied.error);
    assert_eq!(names(&fake.tags("acme/web"), &first), ["1.2.3", "build-7"], "{name}");
    costs[2] = cost(&fake).0;

    let third = fake.seed_image("acme/base", "1.3.0", &platforms);
    let base = web.source("acme/base").expect("opened with it");
    let applied = promote(&base, &web, Some("acme/base"), "1.3.0").await;
    assert!(applied.error.is_none(), "{name}: {:?}", applied.error);
    let tags = fake.tags("acme/web");
    assert_eq!(names(&tags, &second), ["1.2", "1.2.4", "build-8"], "{name}");
    assert_eq!(names(&tags, &third), ["1", "1.3", "1.3.0", "latest"], "{name}");
    costs[3] = cost(&fake).0;

    let fourth = other.seed_image("acme/web", "2.0.0", &["linux/amd64", "linux/s390x"]);
    let from = client(&other, None).repository("acme/web", Access::Pull);
    let applied = promote(&from, &web, None, "2.0.0").await;
    assert!(applied.error.is_none(), "{name}: {:?}", applied.error);
    let tags = fake.tags("acme/web");
    assert_eq!(names(&tags, &third), ["1", "1.3", "1.3.0"], "{name}");
    assert_eq!(names(&tags, &fourth), ["2", "2.0", "2.0.0", "latest"], "{name}");
    for image in [&third, &fourth] {
        let whole = fake.manifest("acme/web", image).expect("arrived");
        let origin = fake.manifest("acme/base", image).or(other.manifest("acme/web", image));
        assert_eq!(Some(whole), origin, "{name}: byte for byte");
    }
    costs[4] = cost(&fake).0;

    match web.untag(&tag("build-7")).await {
        Ok(()) => assert!(!fake.tags("acme/web").contains_key("build-7"), "{name}"),
        Err(error) => {
            assert!(profile.options.untag_unsupported, "{name}: {error}");
            assert_eq!(error.blame(), Blame::Unsupported);
        }
    }
    assert!(fake.manifest("acme/web", &first).is_some(), "{name}: no digest is deleted");
    assert_eq!((fake.open_uploads(), fake.pending_faults()), (0, 0), "{name}");
    costs
}

#[tokio::test]
async fn every_profile_is_released_and_promoted_to_within_its_budget() {
    let profiles = Profile::all();
    assert_eq!(profiles.len(), BUDGETS.len());
    let mut costs = Vec::new();
    for (profile, (name, _)) in profiles.iter().zip(BUDGETS) {
        assert_eq!(profile.name, name);
        costs.push((name, story(profile).await));
    }
    let within =
        |(own, most): (&Cost, &Cost)| own.1.iter().zip(most.1).all(|(cost, most)| *cost <= most);
    assert!(costs.iter().zip(&BUDGETS).all(within), "it costs {costs:#?}, and may {BUDGETS:#?}");
}
