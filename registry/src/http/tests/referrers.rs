//! Referrers, by the API and without it.

use serde_json::{Value, json};

use crate::fake::{Answer, FakeOptions, FakeRegistry, Fault, FaultRule};
use crate::http::RepositoryStore;
use crate::http::script::{Reply, Script};
use crate::layout::fixture;
use crate::manifest::{Manifest, MediaType};
use crate::referrers::{Referrers as _, fallback};
use crate::store::{Blame, Store as _};

use super::budgets::bearer;
use super::uploads::store;
use super::{by_tag, refused, tag};
use crate::referrers::tests::{names, signature};

fn started(options: FakeOptions) -> FakeRegistry {
    let fake = FakeRegistry::start(FakeOptions { missing_references: true, ..options });
    fake.seed_image("acme/web", "1.2.3", &["linux/amd64"]);
    fake
}

async fn subject(web: &RepositoryStore) -> Manifest {
    web.get(&by_tag("1.2.3")).await.expect("read").expect("there")
}

#[tokio::test]
async fn edge_40_referrers_are_written_once_and_listed_to_the_last_page() {
    let fake = started(FakeOptions { max_referrers_page: 2, ..bearer() });
    let web = store(&fake);
    let subject = subject(&web).await;
    fake.reset_counts();
    for name in ["ann", "bob", "cid", "dan", "eve"] {
        web.add_referrer(&signature(&subject, name)).await.expect("added");
    }
    assert_eq!(fake.requests().len(), 5, "one request each");
    let referrers = web.referrers(subject.digest()).await.expect("listed");
    assert_eq!(names(&referrers), ["ann", "bob", "cid", "dan", "eve"]);
    assert_eq!(fake.requests().len(), 5 + 3);
    assert_eq!(fake.tags("acme/web").len(), 1, "no fallback");
    assert_eq!(referrers[0].artifact_type.as_deref(), Some("application/vnd.acme.signature"));
}

#[tokio::test]
async fn edge_40_without_the_api_an_index_is_kept_and_what_is_in_it_stays() {
    let fake = started(FakeOptions { referrers_unsupported: true, ..bearer() });
    let web = store(&fake);
    let subject = subject(&web).await;
    let tag = fallback::tag(subject.digest());
    assert!(web.referrers(subject.digest()).await.expect("listed").is_empty());
    assert!(web.referrers(subject.digest()).await.expect("listed").is_empty());
    let asked = fake.count(|request| request.path.contains("/referrers/"));
    assert_eq!(asked, 1, "it is remembered that there is no API");
    // Somebody else's entry, and fields that are not known here.
    let other = json!({ "mediaType": MediaType::OCI_MANIFEST, "size": 7, "x": [1],
        "digest": crate::digest::Digest::sha256(b"other"), "annotations": { "by": "zoe" } });
    let index = json!({ "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX,
        "manifests": [other], "annotations": { "keep": "me" } });
    fake.put_manifest("acme/web", tag.as_str(), MediaType::OCI_INDEX, index.to_string());
    for name in ["ann", "bob", "ann"] {
        web.add_referrer(&signature(&subject, name)).await.expect("added");
    }
    let referrers = web.referrers(subject.digest()).await.expect("listed");
    assert_eq!(names(&referrers), ["ann", "bob", "zoe"]);
    let stored = fake.manifest("acme/web", &fake.tags("acme/web")[&tag]).expect("there");
    let stored: Value = serde_json::from_slice(&stored.bytes).expect("json");
    assert_eq!(stored["manifests"][0], other);
    assert_eq!(stored["annotations"]["keep"], "me");
    assert_eq!(stored["manifests"][1]["artifactType"], "application/vnd.acme.signature");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edge_40_writers_at_once_lose_nothing() {
    let fake = started(FakeOptions { referrers_unsupported: true, ..FakeOptions::default() });
    let subject = subject(&store(&fake)).await;
    let all: Vec<String> = (0..8).map(|n| format!("writer {n}")).collect();
    let adding = all.iter().map(|name| {
        // A client of its own, as another process would have.
        let (web, signature) = (store(&fake), signature(&subject, name));
        tokio::spawn(async move { web.add_referrer(&signature).await })
    });
    for added in adding.collect::<Vec<_>>() {
        added.await.expect("ran").expect("added");
    }
    let referrers = store(&fake).referrers(subject.digest()).await.expect("listed");
    assert_eq!(names(&referrers), all);
}

#[tokio::test]
async fn edge_40_a_lost_answer_is_looked_up() {
    for referrers_unsupported in [false, true] {
        let fake = started(FakeOptions { referrers_unsupported, ..FakeOptions::default() });
        let web = store(&fake);
        let subject = subject(&web).await;
        fake.fail(FaultRule::on("PUT", "/manifests/sha256:", Fault::AnswerLost));
        web.add_referrer(&signature(&subject, "ann")).await.expect("added");
        let referrers = web.referrers(subject.digest()).await.expect("listed");
        assert_eq!(names(&referrers), ["ann"]);
        assert_eq!(fake.tags("acme/web").len(), if referrers_unsupported { 2 } else { 1 });
    }
}

#[tokio::test]
async fn edge_40_a_refusal_is_no_absence_and_no_reason_to_fall_back() {
    let fake = started(FakeOptions::default());
    let web = store(&fake);
    let subject = subject(&web).await;
    for status in [401, 403] {
        let denied = Answer::error(status, "DENIED", "no");
        fake.fail(FaultRule::on("GET", "/referrers/", Fault::Answer(denied)));
        let error = web.referrers(subject.digest()).await.expect_err("denied");
        assert_eq!(error.blame(), Blame::Denied);
    }
    // A page for people is no index; the tag holds the list, or there is none.
    fake.fail(FaultRule::on("GET", "/referrers/", Fault::Answer(Answer::html(200))));
    assert!(web.referrers(subject.digest()).await.expect("listed").is_empty());
}

#[tokio::test]
async fn edge_26_pages_of_referrers_that_never_end_or_break_off_are_an_error() {
    let subject = fixture::image("subject");
    let page = r#"{"schemaVersion":2,"manifests":[]}"#;
    let with_link =
        |link: &str| Reply::json(200, page).with("link", &format!("<{link}>; rel=next"));
    let again = with_link(&format!("/v2/acme/web/referrers/{}", subject.digest()));
    for replies in [
        vec![again],
        vec![with_link("http://evil/v2/")],
        vec![with_link("?page=2"), refused(404, "NAME_UNKNOWN", "")],
        vec![with_link("?page=2"), Reply::json(200, "{}")],
    ] {
        let script = Script::replies(replies).await;
        script.web().referrers(subject.digest()).await.expect_err("incomplete");
    }
}

#[tokio::test]
async fn edge_40_a_tag_that_leads_to_the_subject_itself_is_no_list() {
    let fake = started(FakeOptions { referrers_unsupported: true, ..FakeOptions::default() });
    let web = store(&fake);
    let subject = subject(&web).await;
    let fallback = fallback::tag(subject.digest());
    fake.tag("acme/web", fallback.as_str(), subject.digest());
    assert!(web.referrers(subject.digest()).await.expect("listed").is_empty());
    web.add_referrer(&signature(&subject, "ann")).await.expect("added");
    assert_eq!(names(&web.referrers(subject.digest()).await.expect("listed")), ["ann"]);
    assert_eq!(fake.tags("acme/web")[&tag("1.2.3")], *subject.digest());
}
