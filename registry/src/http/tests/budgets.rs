//! How many requests a release costs, counted by the fake registry.

use std::sync::Arc;

use crate::alias::AliasPolicy;
use crate::apply::Applied;
use crate::credential::Credentials;
use crate::fake::{
    Answer, FakeAuth, FakeOptions, FakeRegistry, Fault, FaultRule, TagWrites, TagsBesideTag,
};
use crate::http::options::{RegistryOptions, TagsAtOnce};
use crate::http::registry::Registry;
use crate::http::script::quick;
use crate::http::{Access, RepositoryStore};
use crate::observation::{Guard, Release};
use crate::observe::Target;
use crate::planner::plan;
use crate::secret::Secret;
use crate::store::Store as _;

use super::{by_tag, tag};

pub(super) fn bearer() -> FakeOptions {
    FakeOptions { auth: FakeAuth::bearer("me", "hunter2"), ..FakeOptions::default() }
}

fn store(fake: &FakeRegistry) -> RepositoryStore {
    registry(fake).repository("acme/web", Access::PullPush)
}

/// A client that nothing is known to yet.
pub(super) fn registry(fake: &FakeRegistry) -> Registry {
    registry_with(fake, TagsAtOnce::Learn)
}

fn registry_with(fake: &FakeRegistry, tags_at_once: TagsAtOnce) -> Registry {
    let credentials = Arc::new(Credentials::fixed("me", Secret::new("hunter2")));
    let options = RegistryOptions { credentials, tags_at_once, ..RegistryOptions::default() };
    let host = fake.host().parse().expect("a host");
    let registry = Registry::with_policy(host, &options, quick(options.retries));
    registry.expect("a client")
}

/// Releases the image at the tag `1.2.3` as that version.
async fn release(fake: &FakeRegistry, guard: Guard) {
    let applied = release_from(&store(fake), guard, "1.2.3").await;
    assert!(applied.error.is_none(), "{:?}", applied.error);
}

/// Releases the image at the tag `source` as `1.2.3`.
async fn release_from(web: &RepositoryStore, guard: Guard, source: &str) -> Applied {
    let versions = vec!["1.2.3".parse().expect("a version")];
    let release = Release::new(versions, AliasPolicy::default());
    let release = Release { guard, force: guard == Guard::Off, ..release };
    let target = Target { store: web, repository: "acme/web", concurrency: 8 };
    let observation = target.observe(&release, &by_tag(source)).await.expect("observed");
    let plan = plan(&release, &observation);
    target.apply(&release, observation, &plan).await
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

/// A repository in which the image at `build-7` is to be tagged `1.2.3`, `1.2`, `1`, `latest`.
fn built(options: FakeOptions) -> FakeRegistry {
    let fake = seeded(options);
    let image = fake.tags("acme/web")[&tag("1.2.3")].clone();
    fake.untag("acme/web", "1.2.3");
    fake.tag("acme/web", "build-7", &image);
    fake
}

/// A registry that knows end-7b.
fn several(tags_beside_tag: TagsBesideTag) -> FakeOptions {
    FakeOptions { tags_per_put: 10, tags_beside_tag, ..bearer() }
}

#[tokio::test]
async fn edge_41_4_tags_are_7_requests_cold_and_4_where_one_writes_them_all() {
    use TagsAtOnce::{Always, Learn};
    let refused = || several(TagsBesideTag::Refused);
    for (options, at_once, expected) in [
        // Challenge, token, image, and then each tag.
        (bearer(), Learn, "GET GET GET PUT PUT PUT PUT"),
        (refused(), Always, "GET GET GET PUT"),
        (several(TagsBesideTag::Taken), Learn, "GET GET GET PUT"),
        // As zot and olareg do: the request that was to find out is lost, once.
        (refused(), Learn, "GET GET GET PUT PUT"),
    ] {
        let fake = built(options);
        let registry = registry_with(&fake, at_once);
        let web = registry.repository("acme/web", Access::PullPush);
        let applied = release_from(&web, Guard::Off, "build-7").await;
        assert!(applied.error.is_none(), "{:?}", applied.error);
        assert_eq!(methods(&fake), expected);
        let tags = fake.tags("acme/web");
        let image = &tags[&tag("build-7")];
        assert!(["1.2.3", "1.2", "1", "latest"].iter().all(|name| tags[&tag(name)] == *image));
        // Whatever was learnt is known the next time.
        for alias in ["1.2", "1", "latest"] {
            fake.tag("acme/web", alias, &tags[&tag("1.2.2")]);
        }
        fake.reset_counts();
        let applied = release_from(&web, Guard::Off, "build-7").await;
        assert!(applied.error.is_none(), "{:?}", applied.error);
        let writes = fake.count(|request| request.method == "PUT");
        assert_eq!(writes, if expected.ends_with("PUT PUT PUT PUT") { 4 } else { 1 });
    }
}

#[tokio::test]
async fn edge_41_a_guarded_retag_of_4_tags_is_one_write_where_one_writes_them_all() {
    let fake = built(several(TagsBesideTag::Taken));
    let applied = release_from(&store(&fake), Guard::Full, "build-7").await;
    assert!(applied.error.is_none(), "{:?}", applied.error);
    assert_eq!(fake.count(|request| request.method == "PUT"), 1, "{}", methods(&fake));
    assert!(fake.requests().len() <= 5 + 3 + 1, "{}", methods(&fake));
}

#[tokio::test]
async fn edge_41_tags_that_are_not_taken_are_written_one_by_one() {
    let fake = built(FakeOptions { tags_taken: 2, ..several(TagsBesideTag::Refused) });
    let registry = registry_with(&fake, TagsAtOnce::Always);
    let web = registry.repository("acme/web", Access::PullPush);
    let applied = release_from(&web, Guard::Full, "build-7").await;
    assert!(applied.error.is_none(), "{:?}", applied.error);
    let puts =
        |name: &str| fake.count(|request| request.method == "PUT" && request.path.ends_with(name));
    assert_eq!((puts("manifests/1.2.3"), puts("manifests/1.2")), (0, 0));
    assert_eq!((puts("manifests/1"), puts("manifests/latest")), (1, 1));
}

#[tokio::test]
async fn rule_8_tags_that_were_taken_at_once_go_back_with_the_others() {
    // One of the others fails, or it never becomes known what became of all.
    let failed = || Fault::Answer(Answer::new(500));
    for rule in [
        FaultRule::on("PUT", "/manifests/latest", failed()).times(6),
        FaultRule::on("PUT", "?tag=", Fault::AnswerLost).times(6),
    ] {
        let fake = built(FakeOptions { tags_taken: 2, ..several(TagsBesideTag::Refused) });
        let before = fake.tags("acme/web");
        fake.fail(rule);
        let registry = registry_with(&fake, TagsAtOnce::Always);
        let web = registry.repository("acme/web", Access::PullPush);
        let applied = release_from(&web, Guard::Full, "build-7").await;
        assert!(applied.error.is_some());
        assert_eq!(fake.pending_faults(), 0);
        assert_eq!(fake.tags("acme/web"), before, "{:?}", applied.report);
    }
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
