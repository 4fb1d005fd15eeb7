//! Registries whose HEAD is not their GET.

use super::*;
use crate::http::script::Script;
use crate::http::tests::{found, refused, tag};
use crate::store::Store as _;

#[tokio::test]
async fn edge_4_a_blind_head_is_found_out_by_what_is_listed_and_remembered() {
    let fake = built(FakeOptions { head_blind: true, ..bearer() });
    let web = store(&fake);
    for (round, version) in ["1.2.3", "1.2.4"].into_iter().enumerate() {
        fake.seed_image("acme/web", "build-7", &["linux/amd64"]);
        fake.reset_counts();
        if round == 1 {
            fake.seed_image("acme/web", "build-8", &["linux/arm64"]);
        }
        let source = ["build-7", "build-8"][round];
        let applied = release(&web, version, source).await.expect("observed");
        assert!(applied.error.is_none(), "{:?}", applied.error);
        let tags = fake.tags("acme/web");
        for name in [version, "1.2", "1", "latest"] {
            assert_eq!(tags[&tag(name)], tags[&tag(source)], "{version}: {name}");
        }
        let heads = fake.count(|request| request.method == "HEAD");
        // The aliases are looked at together, before anything is known.
        assert!(heads <= [3, 0][round], "{version}: {}", methods(&fake));
    }
}

#[tokio::test]
async fn edge_4_what_head_describes_and_get_denies_is_absent_and_remembered() {
    let script = Script::start(|seen, _| match seen.method.as_str() {
        "HEAD" => found(),
        _ => refused(404, "MANIFEST_UNKNOWN", ""),
    })
    .await;
    let web = script.web();
    assert!(web.head(&by_tag("1")).await.expect("answered").is_some());
    assert_eq!(web.get(&by_tag("1")).await.expect("answered"), None);
    assert_eq!(web.head(&by_tag("1")).await.expect("answered"), None);
    let methods: Vec<_> = script.seen().into_iter().map(|seen| seen.method).collect();
    assert_eq!(methods, ["HEAD", "GET", "GET"]);
}

#[tokio::test]
async fn edge_4_a_tag_that_was_written_in_between_is_no_contradiction() {
    let fake = built(bearer());
    let web = store(&fake);
    let manifest = web.get(&by_tag("build-7")).await.expect("read").expect("there");
    assert_eq!(web.head(&by_tag("new")).await.expect("answered"), None);
    web.put(&tag("new"), &manifest).await.expect("written");
    assert_eq!(web.get(&by_tag("new")).await.expect("read").as_ref(), Some(&manifest));
    fake.reset_counts();
    assert!(web.head(&by_tag("new")).await.expect("answered").is_some());
    web.untag(&tag("new")).await.expect("removed");
    assert_eq!(web.get(&by_tag("new")).await.expect("read"), None);
    assert!(web.head(&by_tag("1")).await.expect("answered").is_some());
    assert_eq!(fake.count(|request| request.method == "HEAD"), 2);
}

#[tokio::test]
async fn edge_5_a_registry_that_goes_by_accept_gives_the_index_and_not_a_part() {
    for options in [
        FakeOptions { child_without_accept: true, ..bearer() },
        FakeOptions { schema1_without_accept: true, ..bearer() },
    ] {
        let fake = built(options);
        let web = store(&fake);
        let digest = fake.tags("acme/web")[&tag("build-7")].clone();
        let head = web.head(&by_tag("build-7")).await.expect("answered").expect("there");
        let get = web.get(&by_tag("build-7")).await.expect("read").expect("there");
        assert_eq!((&head.digest, get.digest()), (&digest, &digest));
    }
}

#[tokio::test]
async fn edge_36_looking_costs_no_pull_and_none_is_tried_when_none_is_left() {
    let fake = built(FakeOptions { pull_limit: Some(2), ..bearer() });
    let web = store(&fake);
    let applied = release(&web, "1.2.3", "build-7").await.expect("observed");
    assert!(applied.error.is_none(), "{:?}", applied.error);
    assert_eq!(fake.count(|r| r.method == "GET" && r.path.contains("/manifests/")), 1);
    let applied = release(&web, "1.2.3", "1.2.3").await.expect("observed");
    assert!(applied.report.is_unchanged(), "HEAD is enough where nothing is to do");
    web.get(&by_tag("1.2.2")).await.expect("read").expect("the last one");
    fake.reset_counts();
    let error = web.get(&by_tag("1.2.2")).await.expect_err("none is left");
    assert!(error.to_string().contains("limit on pulls is used up"), "{error}");
    assert!(fake.requests().is_empty(), "it was not even asked");
}
