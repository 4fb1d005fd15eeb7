//! Writing tags.

use super::*;
use crate::digest::Digest;
use crate::http::script::Script;
use crate::store::{Blame, Store as _, StoreError};

async fn push(replies: impl IntoIterator<Item = Reply>) -> (Result<(), StoreError>, Script) {
    let script = Script::replies(replies).await;
    (script.web().put(&tag("1.2"), &manifest()).await, script)
}

/// The tag at another digest.
fn elsewhere() -> Reply {
    Reply::new(200)
        .with("content-type", MediaType::OCI_INDEX)
        .with("docker-content-digest", Digest::sha256(b"other").as_str())
        .with("content-length", "5")
}

#[tokio::test]
async fn edge_1_a_push_sends_bytes_and_media_type_as_they_are() {
    for status in [200, 201, 202, 204] {
        let (result, script) = push([Reply::new(status)]).await;
        result.unwrap();
        let seen = script.seen().remove(0);
        assert_eq!(seen.line(), "PUT /v2/acme/web/manifests/1.2");
        assert_eq!(seen.header("content-type"), Some(MediaType::OCI_INDEX));
        assert_eq!(seen.body, BODY.as_bytes());
    }
}

#[tokio::test]
async fn edge_2_another_digest_in_the_answer_is_an_error() {
    let (result, _) = push([stored()]).await;
    result.unwrap();
    let sha512 = Digest::sha512(BODY.as_bytes());
    let (result, _) = push([Reply::new(201).with("docker-content-digest", sha512.as_str())]).await;
    result.unwrap();

    let wrong = Digest::sha256(b"other");
    let (result, _) = push([Reply::new(201).with("docker-content-digest", wrong.as_str())]).await;
    let text = result.unwrap_err().to_string();
    assert!(text.contains(wrong.as_str()) && text.contains(manifest().digest().as_str()), "{text}");
}

#[tokio::test]
async fn edge_18_an_immutable_tag_at_the_same_digest_is_a_success() {
    for status in [400, 403, 409, 412] {
        let (result, script) = push([refused(status, "DENIED", "no"), found()]).await;
        result.unwrap_or_else(|error| panic!("{status}: {error}"));
        assert_eq!(script.seen()[1].method, "HEAD");
    }
}

#[tokio::test]
async fn edge_18_an_immutable_tag_elsewhere_is_a_conflict() {
    for (status, code, message) in [
        (400, "ImageTagAlreadyExistsException", "the tag already exists and cannot be overwritten"),
        (403, "DENIED", "tag is immutable"),
        (409, "CONFLICT", ""),
        (412, "PRECONDITION", "configured as immutable, cannot be updated"),
    ] {
        let (result, _) = push([refused(status, code, message), elsewhere()]).await;
        let error = result.unwrap_err();
        assert_eq!(error.blame(), Blame::Conflict, "{error}");
        assert!(error.to_string().contains("immutable"), "{error}");
    }
}

#[tokio::test]
async fn edge_18_a_refusal_that_is_about_something_else_stays_what_it_is() {
    let missing = || refused(404, "MANIFEST_UNKNOWN", "");
    for (refusal, look, blame) in [
        (refused(403, "DENIED", "no"), missing(), Blame::Denied),
        (refused(403, "DENIED", "no"), elsewhere(), Blame::Denied),
        (refused(403, "DENIED", "no"), refused(403, "DENIED", ""), Blame::Denied),
        (refused(400, "MANIFEST_INVALID", "bad"), elsewhere(), Blame::Registry),
        (refused(412, "PRECONDITION", "signature missing"), missing(), Blame::Conflict),
    ] {
        let (result, _) = push([refusal.clone(), look]).await;
        let error = result.unwrap_err();
        assert_eq!(error.blame(), blame, "{error}");
        assert!(!error.to_string().contains("is immutable"), "{error}");
    }
}

#[tokio::test]
async fn edge_10_a_manifest_too_large_names_the_limit() {
    let (result, _) = push([Reply::new(413)]).await;
    let remedy = result.unwrap_err().remedy().map(str::to_owned).unwrap_or_default();
    assert!(remedy.contains("19 bytes"), "{remedy}");
}

#[tokio::test]
async fn an_unknown_repository_is_named_with_a_remedy() {
    let (result, _) = push([refused(404, "NAME_UNKNOWN", "no such project")]).await;
    let error = result.unwrap_err();
    assert_eq!(error.blame(), Blame::NotFound);
    assert!(error.remedy().is_some_and(|remedy| remedy.contains("create")));
}

#[tokio::test]
async fn edge_35_an_unclear_push_looks_before_it_writes_again() {
    let late = || Reply::new(504);
    for unclear in [Reply::closed(), late(), Reply::new(502), Reply::new(408)] {
        // It had worked.
        let (result, script) = push([unclear.clone(), found()]).await;
        result.unwrap();
        let lines = ["PUT", "HEAD"].map(|verb| format!("{verb} /v2/acme/web/manifests/1.2"));
        assert_eq!(script.lines(), lines, "{unclear:?}");
        // It had not.
        let (result, script) = push([unclear.clone(), elsewhere(), stored()]).await;
        result.unwrap();
        assert_eq!(script.seen().len(), 3, "{unclear:?}");
        // The look fails, too.
        let (result, script) = push([unclear.clone(), Reply::new(500), stored()]).await;
        result.unwrap();
        assert_eq!(script.seen().len(), 3, "{unclear:?}");
    }
}

#[tokio::test]
async fn edge_35_a_push_that_was_turned_away_is_written_again_without_a_look() {
    for status in [425, 429, 503] {
        let (result, script) = push([Reply::new(status).with("retry-after", "0"), stored()]).await;
        result.unwrap();
        assert_eq!(script.seen().len(), 2, "{status}");
    }
}

#[tokio::test]
async fn edge_30_a_push_follows_307_to_the_same_host_and_nowhere_else() {
    let moved = |status, to: &str| Reply::new(status).with("location", to);
    let (result, script) = push([moved(307, "/v2/moved"), stored()]).await;
    result.unwrap();
    assert_eq!(script.seen()[1].line(), "PUT /v2/moved");
    assert_eq!(script.seen()[1].body, BODY.as_bytes());
    for reply in [moved(302, "/v2/moved"), moved(308, "http://localhost:1/x"), Reply::new(307)] {
        let (result, script) = push([reply]).await;
        assert!(result.is_err());
        assert_eq!(script.seen().len(), 1);
    }
}
