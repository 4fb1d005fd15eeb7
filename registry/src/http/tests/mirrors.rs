//! A mirror gives what a digest names, and decides nothing.

use std::sync::Arc;

use super::*;
use crate::blob::{BlobSink as _, BlobSource as _};
use crate::credential::Credentials;
use crate::digest::Digest;
use crate::http::options::RegistryOptions;
use crate::http::script::Script;
use crate::http::{Access, RepositoryStore};
use crate::manifest::Descriptor;
use crate::secret::Secret;
use crate::store::Store as _;

const CONTENT: &str = "a blob that is long enough to be cut in two";

fn blob() -> Descriptor {
    let digest = Digest::sha256(CONTENT.as_bytes());
    Descriptor { media_type: MediaType::new("x/y"), digest, size: CONTENT.len() as u64 }
}

fn by_digest() -> Selector {
    Selector::Digest(manifest().digest().clone())
}

/// A registry that has everything, to whoever shows a password.
async fn origin() -> Script {
    Script::start(|seen, _| match seen.target.as_str() {
        _ if seen.authorization().is_none() => {
            Reply::new(401).with("www-authenticate", "Basic realm=\"x\"")
        }
        target if target.contains("/blobs/sha256:") => match seen.header("range") {
            None => Reply::new(200).body(CONTENT),
            Some(range) => {
                let first: usize = range["bytes=".len()..range.len() - 1].parse().expect("a range");
                let range = format!("bytes {first}-{}/{}", CONTENT.len() - 1, CONTENT.len());
                Reply::new(206).with("content-range", &range).body(&CONTENT[first..])
            }
        },
        target if target.contains("/tags/list") => Reply::json(200, r#"{"name":"a","tags":["1"]}"#),
        _ if seen.method == "PUT" => stored(),
        _ => found(),
    })
    .await
}

/// The repository `acme/web` of `origin`, with `mirror` below `hub/`.
fn mirrored(origin: &Script, mirror: &Script) -> RepositoryStore {
    let credentials = Arc::new(Credentials::fixed("me", Secret::new("hunter2")));
    let options = RegistryOptions { credentials, ..RegistryOptions::default() };
    let own = RegistryOptions { retries: 0, ..RegistryOptions::default() };
    let registry = origin.registry(&options).with_mirror(mirror.registry(&own), "/hub");
    registry.repository("acme/web", Access::PullPush)
}

async fn read(store: &RepositoryStore) -> String {
    let mut reader = store.open_blob(&blob()).await.expect("opened").expect("there");
    let mut text = String::new();
    while let Some(chunk) = reader.chunk().await.expect("read") {
        text.push_str(str::from_utf8(&chunk).expect("UTF-8"));
    }
    text
}

/// The requests to `origin` that were let in.
fn asked(origin: &Script) -> Vec<String> {
    let seen = origin.seen();
    let known = seen.iter().filter(|seen| seen.authorization().is_some());
    known.map(|seen| seen.line().replace(manifest().digest().as_str(), "DIGEST")).collect()
}

#[tokio::test]
async fn what_a_digest_names_comes_from_the_mirror_and_the_origin_s_password_stays_away() {
    let origin = origin().await;
    let mirror = Script::start(|seen, _| match seen.target.contains("/blobs/") {
        true => Reply::new(200).body(CONTENT),
        false => found(),
    })
    .await;
    let web = mirrored(&origin, &mirror);
    assert_eq!(web.get(&by_digest()).await.expect("answered"), Some(manifest()));
    assert_eq!(read(&web).await, CONTENT);
    assert_eq!(asked(&origin), [""; 0]);
    let paths = ["manifests", "blobs"].map(|noun| format!("GET /v2/hub/acme/web/{noun}/sha256:"));
    for (line, path) in mirror.lines().iter().zip(&paths) {
        assert!(line.starts_with(path), "{line}");
    }
    assert!(mirror.seen().iter().all(|seen| seen.authorization().is_none()));
}

#[tokio::test]
async fn what_decides_is_asked_of_the_origin_alone() {
    let origin = origin().await;
    let mirror = Script::replies([]).await;
    let web = mirrored(&origin, &mirror);
    web.tags().await.expect("answered");
    web.head(&by_tag("1")).await.expect("answered");
    web.head(&by_digest()).await.expect("answered");
    web.put(&tag("1"), &manifest()).await.expect("stored");
    web.has_blob(&blob()).await.expect("answered");
    assert_eq!(asked(&origin).len(), 5);
    assert_eq!(mirror.lines(), [""; 0]);
}

#[tokio::test]
async fn where_a_tag_points_says_the_origin_and_what_is_there_the_mirror() {
    let origin = origin().await;
    let mirror = Script::replies([found()]).await;
    let web = mirrored(&origin, &mirror);
    assert_eq!(web.get(&by_tag("1")).await.expect("answered"), Some(manifest()));
    assert_eq!(asked(&origin), ["HEAD /v2/acme/web/manifests/1"]);
    assert_eq!(mirror.lines().len(), 1);
}

#[tokio::test]
async fn what_the_mirror_does_not_give_comes_from_the_origin() {
    let other = || Reply::new(200).with("content-type", MediaType::OCI_INDEX).body("{}");
    for reply in [
        Reply::new(404),
        Reply::new(500),
        Reply::new(403),
        Reply::closed(),
        other(),
        Reply::new(200).with("content-type", "text/html").body("<html>"),
    ] {
        let again = reply.clone();
        let (origin, mirror) = (origin().await, Script::start(move |_, _| again.clone()).await);
        let web = mirrored(&origin, &mirror);
        assert_eq!(web.get(&by_digest()).await.expect("answered"), Some(manifest()), "{reply:?}");
        assert_eq!(read(&web).await, CONTENT, "{reply:?}");
        assert_eq!(asked(&origin).len(), 2, "{reply:?}");
        assert!(!mirror.seen().is_empty());
    }
}

#[tokio::test]
async fn a_mirror_that_fails_is_left_alone_and_one_that_lacks_something_is_not() {
    for (status, count) in [(500, 1), (404, 2)] {
        let origin = origin().await;
        let mirror = Script::start(move |_, _| Reply::new(status)).await;
        let web = mirrored(&origin, &mirror);
        read(&web).await;
        read(&web).await;
        assert_eq!(mirror.lines().len(), count, "{status}");
    }
}

#[tokio::test]
async fn a_blob_that_breaks_off_at_the_mirror_goes_on_at_the_origin() {
    let origin = origin().await;
    let mirror = Script::replies([Reply::new(200).body(CONTENT).truncated()]).await;
    assert_eq!(read(&mirrored(&origin, &mirror)).await, CONTENT);
    let seen = origin.seen();
    let half = format!("bytes={}-", CONTENT.len() / 2);
    assert_eq!(seen.last().and_then(|seen| seen.header("range")), Some(half.as_str()));
}
