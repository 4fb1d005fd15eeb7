//! Reading and removing.

use super::*;
use crate::digest::Digest;
use crate::http::options::RegistryOptions;
use crate::http::script::Script;
use crate::store::{Blame, Store as _};

#[tokio::test]
async fn edge_5_all_media_types_are_accepted_indexes_first() {
    let script = Script::replies([found(), found()]).await;
    let web = script.web();
    web.head(&by_tag("1")).await.unwrap();
    web.get(&by_tag("1")).await.unwrap();
    for seen in script.seen() {
        assert_eq!(seen.header("accept"), Some(MediaType::ACCEPT.join(", ").as_str()));
    }
    assert_eq!(
        script.lines(),
        ["HEAD", "GET"].map(|verb| format!("{verb} /v2/acme/web/manifests/1"))
    );
}

#[tokio::test]
async fn a_head_says_media_type_digest_and_size() {
    let script = Script::replies([found(), refused(404, "MANIFEST_UNKNOWN", "")]).await;
    let web = script.web();
    let descriptor = web.head(&by_tag("1")).await.unwrap().unwrap();
    assert_eq!(descriptor, *manifest().descriptor());
    assert_eq!(web.head(&by_tag("1")).await.unwrap(), None);
}

#[tokio::test]
async fn edge_3_a_head_that_says_too_little_is_followed_by_a_get() {
    let poor = || Reply::new(200).body(BODY);
    let digest = manifest().digest().to_string();
    for reply in [
        poor().with("content-type", MediaType::OCI_INDEX),
        poor().with("content-type", MediaType::OCI_INDEX).with("docker-content-digest", "junk"),
        poor().with("content-type", "application/json").with("docker-content-digest", &digest),
        poor().with("docker-content-digest", &digest),
        found().with("content-length", "0"),
    ] {
        let get = Reply::new(200).with("content-type", MediaType::OCI_INDEX).body(BODY);
        let script = Script::replies([reply, get]).await;
        let descriptor = script.web().head(&by_tag("1")).await.unwrap().unwrap();
        assert_eq!(descriptor, *manifest().descriptor());
        assert_eq!(script.seen().len(), 2);
    }
}

#[tokio::test]
async fn edge_4_a_host_without_head_is_asked_by_get_from_then_on() {
    let script = Script::start(|seen, _| match seen.method.as_str() {
        "HEAD" => Reply::new(405),
        _ => found(),
    })
    .await;
    let registry = script.registry(&RegistryOptions::default());
    for path in ["a", "b"] {
        let store = registry.repository(path, crate::http::Access::Pull);
        assert!(store.head(&by_tag("1")).await.unwrap().is_some());
    }
    let methods: Vec<_> = script.seen().into_iter().map(|seen| seen.method).collect();
    assert_eq!(methods, ["HEAD", "GET", "GET"]);
}

#[tokio::test]
async fn edge_4_what_head_finds_and_get_does_not_is_absent() {
    let script = Script::start(|seen, _| match seen.method.as_str() {
        "HEAD" => Reply::new(200),
        _ => refused(404, "MANIFEST_UNKNOWN", ""),
    })
    .await;
    assert_eq!(script.web().head(&by_tag("1")).await.unwrap(), None);
}

#[tokio::test]
async fn edge_27_a_refusal_is_never_absence() {
    for status in [401, 403] {
        let script = Script::start(move |_, _| refused(status, "DENIED", "no")).await;
        let web = script.web();
        for error in [
            web.tags().await.unwrap_err(),
            web.head(&by_tag("1")).await.unwrap_err(),
            web.get(&by_tag("1")).await.unwrap_err(),
            web.untag(&tag("1")).await.unwrap_err(),
        ] {
            assert_eq!(error.blame(), Blame::Denied, "{error}");
            assert!(error.remedy().is_some_and(|text| text.contains("docker login 127.0.0.1")));
        }
    }
}

#[tokio::test]
async fn edge_27_a_404_that_speaks_of_rights_is_a_refusal() {
    let script = Script::start(|_, _| refused(404, "DENIED", "no")).await;
    let error = script.web().get(&by_tag("1")).await.unwrap_err();
    assert_eq!(error.blame(), Blame::Denied);
    assert!(error.remedy().is_some_and(|remedy| remedy.contains("docker login")));
}

#[tokio::test]
async fn edge_36_nothing_is_read_when_the_registry_allows_no_more_pulls() {
    let script = Script::start(|_, _| found().with("ratelimit-remaining", "0;w=21600")).await;
    let web = script.web();
    web.get(&by_tag("1")).await.unwrap();
    let error = web.get(&by_tag("2")).await.unwrap_err();
    assert!(error.to_string().contains("limit on pulls"), "{error}");
    web.head(&by_tag("2")).await.expect("that does not count");
    assert_eq!(script.seen().len(), 2);
}

#[tokio::test]
async fn a_get_returns_the_bytes_and_remembers_them_by_digest() {
    let script = Script::replies([found()]).await;
    let web = script.web();
    let first = web.get(&by_tag("1")).await.unwrap().unwrap();
    assert_eq!(first.bytes(), BODY);
    let digest = Selector::Digest(first.digest().clone());
    assert_eq!(web.get(&digest).await.unwrap(), Some(first));
    assert_eq!(script.seen().len(), 1);
}

#[tokio::test]
async fn bytes_that_are_not_what_was_promised_are_an_error() {
    let other = Digest::sha256(b"other");
    let lies = Reply::new(200)
        .with("content-type", MediaType::OCI_INDEX)
        .with("docker-content-digest", other.as_str())
        .body(BODY);
    let script = Script::replies([lies, found()]).await;
    let web = script.web();
    let error = web.get(&by_tag("1")).await.unwrap_err();
    assert_eq!(error.blame(), Blame::Registry);
    assert!(web.get(&Selector::Digest(other)).await.is_err(), "not what was asked for");
}

#[tokio::test]
async fn edge_11_a_sha512_selector_is_verified() {
    let digest = Selector::Digest(Digest::sha512(BODY.as_bytes()));
    let script = Script::replies([found(), found().body("{}")]).await;
    assert!(script.web().get(&digest).await.unwrap().is_some());
    assert!(script.web().get(&digest).await.is_err());
}

#[tokio::test]
async fn edge_6_schema_1_is_named_by_head_and_get() {
    let kind = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    let signed = Digest::sha256(b"without signatures");
    let old = Reply::new(200)
        .with("content-type", kind)
        .with("docker-content-digest", signed.as_str())
        .body(BODY);
    let script = Script::start(move |_, _| old.clone()).await;
    let web = script.web();
    for error in
        [web.head(&by_tag("1")).await.unwrap_err(), web.get(&by_tag("1")).await.unwrap_err()]
    {
        assert_eq!(error.blame(), Blame::Unsupported);
        let source = std::error::Error::source(&error).expect("a source").to_string();
        assert!(source.contains("schema 1"), "{source}");
    }
}

#[tokio::test]
async fn edge_10_a_manifest_beyond_the_limit_is_refused() {
    let small = RegistryOptions { max_manifest_bytes: 10, ..RegistryOptions::default() };
    let script = Script::start(|_, _| found()).await;
    let error = script.web_with(&small).get(&by_tag("1")).await.unwrap_err();
    assert!(error.to_string().contains("larger than 10 bytes"), "{error}");
}

#[tokio::test]
async fn edge_16_untagging_deletes_by_tag_alone() {
    for (reply, blame) in [
        (Reply::new(202), None),
        (Reply::new(200), None),
        (Reply::new(204), None),
        (refused(404, "MANIFEST_UNKNOWN", ""), None),
        (refused(405, "UNSUPPORTED", ""), Some(Blame::Unsupported)),
        (refused(400, "UNSUPPORTED", ""), Some(Blame::Unsupported)),
        (refused(400, "DIGEST_INVALID", ""), Some(Blame::Unsupported)),
        (refused(400, "OTHER", ""), Some(Blame::Registry)),
        (Reply::new(404).with("content-type", "text/html"), Some(Blame::NotFound)),
    ] {
        let script = Script::replies([reply.clone()]).await;
        let result = script.web().untag(&tag("1.2")).await;
        assert_eq!(result.err().map(|error| error.blame()), blame, "{reply:?}");
        assert_eq!(script.lines(), ["DELETE /v2/acme/web/manifests/1.2"]);
    }
}
