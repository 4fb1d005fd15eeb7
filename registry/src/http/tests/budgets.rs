//! How many requests a release costs, counted by the fake registry.

use std::sync::Arc;

use crate::alias::AliasPolicy;
use crate::credential::Credentials;
use crate::fake::{Answer, FakeAuth, FakeOptions, FakeRegistry, Fault, FaultRule, TagWrites};
use crate::http::options::RegistryOptions;
use crate::http::registry::Registry;
use crate::http::script::quick;
use crate::http::{Access, RepositoryStore};
use crate::observation::{Guard, Release};
use crate::observe::Target;
use crate::planner::plan;
use crate::secret::Secret;
use crate::store::Store as _;

use super::{by_tag, tag};

fn bearer() -> FakeOptions {
    FakeOptions { auth: FakeAuth::bearer("me", "hunter2"), ..FakeOptions::default() }
}

fn store(fake: &FakeRegistry) -> RepositoryStore {
    let credentials = Arc::new(Credentials::fixed("me", Secret::new("hunter2")));
    let options = RegistryOptions { credentials, ..RegistryOptions::default() };
    let host = fake.host().parse().expect("a host");
    let registry = Registry::with_policy(host, &options, quick(options.retries));
    registry.expect("a client").repository("acme/web", Access::PullPush)
}

/// Releases the image at the tag `1.2.3` as that version.
async fn release(fake: &FakeRegistry, guard: Guard) {
    let versions = vec!["1.2.3".parse().expect("a version")];
    let release = Release::new(versions, AliasPolicy::default());
    let release = Release { guard, force: guard == Guard::Off, ..release };
    let web = store(fake);
    let target = Target { store: &web, repository: "acme/web", concurrency: 8 };
    let observation = target.observe(&release, &by_tag("1.2.3")).await.expect("observed");
    let plan = plan(&release, &observation);
    let applied = target.apply(&release, observation, &plan).await;
    assert!(applied.error.is_none(), "{:?}", applied.error);
}

/// A repository in which `1.2.3` is new and its aliases point elsewhere.
fn seeded(options: FakeOptions) -> FakeRegistry {
    let fake = FakeRegistry::start(options);
    let old = fake.seed_image("acme/web", "1.2.2", &["linux/amd64"]);
    for alias in ["1.2", "1", "latest"] {
        fake.tag("acme/web", alias, &old);
    }
    fake.seed_image("acme/web", "1.2.3", &["linux/amd64", "linux/arm64"]);
    fake.reset_counts();
    fake
}

fn methods(fake: &FakeRegistry) -> String {
    let requests = fake.requests();
    let lines: Vec<_> = requests.iter().map(|request| request.method.as_str()).collect();
    lines.join(" ")
}

#[tokio::test]
async fn a_guarded_retag_with_3_aliases_stays_in_its_budget() {
    let fake = seeded(bearer());
    release(&fake, Guard::Full).await;
    let challenges = fake.count(|request| request.status == Some(401));
    let tokens = fake.count(|request| request.path.starts_with("/token"));
    let writes = fake.count(|request| request.method == "PUT");
    assert_eq!((challenges, tokens, writes), (1, 1, 3), "{}", methods(&fake));
    // Two lists, a look at each alias and at the source, and one read of that.
    let reads = fake.requests().len() - challenges - tokens - writes;
    assert!(reads <= 2 + 3 + 1 + 1, "{reads}: {}", methods(&fake));
    let latest = fake.tags("acme/web")[&tag("latest")].clone();
    assert_eq!(latest, fake.tags("acme/web")[&tag("1.2.3")]);
}

#[tokio::test]
async fn an_unguarded_retag_stays_in_its_budget() {
    let fake = seeded(bearer());
    release(&fake, Guard::Off).await;
    let writes = fake.count(|request| request.method == "PUT");
    assert_eq!(fake.requests().len(), 3 + writes, "{}", methods(&fake));
}

#[tokio::test]
async fn nothing_to_do_reads_and_writes_no_manifest() {
    let fake = seeded(bearer());
    release(&fake, Guard::Full).await;
    fake.reset_counts();
    release(&fake, Guard::Full).await;
    let manifests =
        fake.count(|request| request.path.contains("/manifests/") && request.method != "HEAD");
    assert_eq!(manifests, 0, "{}", methods(&fake));
}

#[tokio::test]
async fn edge_18_every_kind_of_immutable_tag_is_told_from_a_denial() {
    for status in [400, 403, 409, 412] {
        for tag_writes in [TagWrites::Immutable(status), TagWrites::Once(status)] {
            let fake = seeded(FakeOptions { tag_writes, ..bearer() });
            let web = store(&fake);
            let manifest = web.get(&by_tag("1.2.3")).await.expect("read").expect("there");
            web.put(&tag("1.2.3"), &manifest).await.expect("it is there already");
            let error = web.put(&tag("1.2.2"), &manifest).await.expect_err("it is elsewhere");
            assert_eq!(error.blame(), crate::store::Blame::Conflict, "{status}: {error}");
        }
    }
}

#[tokio::test]
async fn edge_35_a_release_survives_what_passes() {
    let fake = seeded(bearer());
    let busy = || Fault::Answer(Answer::new(429).header("Retry-After", "0"));
    fake.fail(FaultRule::on("GET", "/token", busy()));
    fake.fail(FaultRule::on("GET", "/tags/list", Fault::Truncate));
    fake.fail(FaultRule::on("HEAD", "/manifests/", Fault::Reset));
    fake.fail(FaultRule::on("PUT", "/manifests/1.2", Fault::AnswerLost));
    fake.fail(FaultRule::on("PUT", "/manifests/latest", busy()));
    release(&fake, Guard::Full).await;
    assert_eq!(fake.pending_faults(), 0);
    let tags = fake.tags("acme/web");
    assert!(["1.2", "1", "latest"].iter().all(|alias| tags[&tag(alias)] == tags[&tag("1.2.3")]));
    // The one whose answer was lost was looked at, and not written again.
    let writes = fake.count(|request| request.method == "PUT");
    assert_eq!(writes, 3 + 1, "{}", methods(&fake));
}

#[tokio::test]
async fn edge_27_a_release_survives_the_end_of_its_token() {
    let fake = seeded(bearer());
    let web = store(&fake);
    let manifest = web.get(&by_tag("1.2.3")).await.expect("read").expect("there");
    fake.expire_tokens();
    web.put(&tag("1.2"), &manifest).await.expect("a new token");
    assert_eq!(fake.requests().len(), 3 + 3, "{}", methods(&fake));
}

#[tokio::test]
async fn edge_26_pages_of_the_fake_are_all_read() {
    for ignore_page_size in [false, true] {
        let options = FakeOptions { max_page: 2, ignore_page_size, ..bearer() };
        let fake = seeded(options);
        assert_eq!(store(&fake).tags().await.expect("a list").len(), 5);
    }
}
