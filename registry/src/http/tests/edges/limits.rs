//! What registries count, and how long what was learnt is believed.

use std::time::Duration;

use super::*;
use crate::fake::{Answer, Fault, FaultRule};
use crate::http::options::RegistryOptions;
use crate::http::script::{Reply, Script};
use crate::http::tests::{BODY, manifest, refused, stored, tag};
use crate::store::{Blame, Store as _};

#[tokio::test]
async fn edge_26_pages_are_of_what_every_registry_allows_and_of_what_it_gives() {
    for max_page in [1, 50, 100, 1000] {
        let fake = FakeRegistry::start(FakeOptions { max_page, ..bearer() });
        let image = fake.seed_image("acme/web", "1.0.0", &["linux/amd64"]);
        for patch in 1..203 {
            fake.tag("acme/web", &format!("1.0.{patch}"), &image);
        }
        assert_eq!(store(&fake).tags().await.expect("complete").len(), 203);
        let first = fake.requests().into_iter().find(|request| request.path.contains("/tags/"));
        assert!(first.expect("a list").path.ends_with("/tags/list?n=1000"), "ECR takes no more");
        let pages = fake.count(|r| r.path.contains("/tags/") && r.status == Some(200));
        assert_eq!(pages, 203_usize.div_ceil(max_page));
    }
}

#[tokio::test]
async fn edge_26_where_large_pages_are_refused_small_ones_are_asked_for_from_then_on() {
    let options = FakeOptions { max_page: 100, page_size_refused: true, ..bearer() };
    let fake = FakeRegistry::start(options);
    let image = fake.seed_image("acme/web", "1.0.0", &["linux/amd64"]);
    for patch in 1..203 {
        fake.tag("acme/web", &format!("1.0.{patch}"), &image);
    }
    let web = store(&fake);
    for refused in [1, 0] {
        fake.reset_counts();
        assert_eq!(web.tags().await.expect("complete").len(), 203);
        assert_eq!(fake.count(|request| request.status == Some(413)), refused);
        assert_eq!(fake.count(|request| request.status == Some(200) && !is_token(request)), 3);
    }
    // What is refused however few are asked for is an error.
    fake.configure(|options| options.max_page = 10);
    let error = web.tags().await.expect_err("too many all the same");
    assert!(error.to_string().contains("max is 10"), "{error}");
}

fn is_token(request: &crate::fake::RequestRecord) -> bool {
    request.path.starts_with("/token")
}

#[tokio::test]
async fn edge_27_a_challenge_is_answered_once() {
    let script = Script::start(|seen, _| match seen.target.as_str() {
        target if target.starts_with("/token") => Reply::json(200, r#"{"token":"t"}"#),
        _ => {
            let host = seen.header("host").unwrap_or_default();
            let challenge = format!(r#"Bearer realm="http://{host}/token",service="s""#);
            refused(401, "UNAUTHORIZED", "who are you").with("www-authenticate", &challenge)
        }
    })
    .await;
    let error = script.web().get(&by_tag("1")).await.expect_err("never admitted");
    assert_eq!(error.blame(), Blame::Denied);
    let asked = script.lines().iter().filter(|line| line.contains("/manifests/")).count();
    // Without a token, with one, and with another in case that one had ended.
    assert!(asked <= 3, "{:?}", script.lines());
}

#[tokio::test]
async fn edge_27_a_403_about_what_is_not_there_is_no_permission_to_write_it() {
    // What some registries say of a tag that does not exist.
    let script = Script::start(|seen, _| match (seen.method.as_str(), seen.target.as_str()) {
        ("GET", target) if target.contains("/tags/list") => {
            Reply::json(200, r#"{"name":"a","tags":["1.2.3","1.2"]}"#)
        }
        ("PUT", _) => stored(),
        _ => refused(403, "DENIED", "no"),
    })
    .await;
    let error = release(&script.web(), "1.2.3", "1.2.3").await.expect_err("not known");
    let ObserveError::Store(error) = error else { panic!("{error}") };
    assert_eq!(error.blame(), Blame::Denied);
    assert!(script.seen().iter().all(|seen| seen.method != "PUT"));
}

#[tokio::test]
async fn edge_27_an_unknown_destination_is_a_new_one() {
    let from = built(bearer());
    let to = FakeRegistry::start(bearer());
    from.tag("acme/web", "1.2.3", &from.tags("acme/web")[&tag("build-7")]);
    let applied = promote(&store(&from), &store(&to), None, "1.2.3").await;
    assert!(applied.error.is_none(), "{:?}", applied.error);
    assert_eq!(to.tags("acme/web").len(), 4);
}

#[tokio::test]
async fn edge_35_a_wait_that_stands_in_the_body_is_survived() {
    let fake = built(bearer());
    let busy = r#"{"errors":[{"code":"TOOMANYREQUESTS",
        "message":"retry-after: 1.88ms, allowed: 44000/minute"}]}"#;
    let busy = Answer::new(429).body("application/json", busy);
    for path in ["/manifests/1.2.3", "/manifests/latest", "/tags/list"] {
        let method = if path == "/tags/list" { "GET" } else { "PUT" };
        fake.fail(FaultRule::on(method, path, Fault::Answer(busy.clone())).times(2));
    }
    let applied = release(&store(&fake), "1.2.3", "build-7").await.expect("observed");
    assert!(applied.error.is_none(), "{:?}", applied.error);
    assert_eq!(fake.pending_faults(), 0);
}

#[tokio::test]
async fn edge_39_an_error_shows_no_more_than_8_kib_of_its_body() {
    let page = "x".repeat(1 << 20);
    let script = Script::start(move |_, _| Reply::new(403).body(&page)).await;
    let error = script.web().tags().await.expect_err("refused");
    let length = error.to_string().len();
    assert!((100..=8 << 10).contains(&length), "{length}");
}

#[tokio::test]
async fn edge_10_manifests_of_many_mib_are_read_by_default() {
    assert!(RegistryOptions::default().max_manifest_bytes >= 32 << 20);
    let padding = " ".repeat(5 << 20);
    let fake = FakeRegistry::start(FakeOptions::default());
    let large = format!("{BODY}{padding}");
    fake.put_manifest("acme/web", "large", manifest().media_type().as_str(), large.clone());
    let read = store(&fake).get(&by_tag("large")).await.expect("read").expect("there");
    assert_eq!(read.bytes().len(), large.len());
}

#[tokio::test]
async fn edge_41_what_a_registry_cannot_is_asked_again_after_an_hour() {
    let script = Script::start(|_, _| stored()).await;
    let web = script.web();
    let tags = [tag("a"), tag("b"), tag("c")];
    let asked = |count: usize| {
        assert_eq!(
            script.seen().iter().filter(|seen| seen.target.contains("?tag=")).count(),
            count
        );
    };
    web.put_tags(&tags, &manifest()).await.expect("answered");
    web.put_tags(&tags, &manifest()).await.expect("answered");
    asked(1);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(3601)).await;
    tokio::time::resume();
    web.put_tags(&tags, &manifest()).await.expect("answered");
    asked(2);
}
