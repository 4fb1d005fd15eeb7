//! Several tags in one request.

use std::collections::BTreeSet;

use super::*;
use crate::digest::Digest;
use crate::http::options::{RegistryOptions, TagsAtOnce};
use crate::http::script::Script;
use crate::store::Store as _;

fn tags(text: &str) -> Vec<Tag> {
    text.split_whitespace().map(tag).collect()
}

fn set(text: &str) -> BTreeSet<Tag> {
    tags(text).into_iter().collect()
}

/// `?tag=...` beside a tag, as zot puts it.
fn wants_digest() -> Reply {
    let body = r#"{"errors":[{"code":"MANIFEST_INVALID","message":"manifest invalid","detail":{
        "reason":"tag query parameters are only valid when pushing a manifest by digest"}}]}"#;
    Reply::json(400, body)
}

fn taken(tags: &str) -> Reply {
    tags.split_whitespace().fold(stored(), |reply, tag| reply.with("oci-tag", tag))
}

fn by_digest(tags: &str) -> String {
    let query: Vec<_> = tags.split_whitespace().map(|tag| format!("tag={tag}")).collect();
    format!("PUT /v2/acme/web/manifests/{}?{}", manifest().digest(), query.join("&"))
}

#[tokio::test]
async fn edge_41_a_registry_that_cannot_has_written_the_first_tag_and_is_remembered() {
    let script = Script::start(|_, _| stored()).await;
    let web = script.web();
    let written = web.put_tags(&tags("1.2.3 1.2 1"), &manifest()).await.unwrap();
    assert_eq!(written, set("1.2.3"));
    assert_eq!(script.lines(), ["PUT /v2/acme/web/manifests/1.2.3?tag=1.2&tag=1"]);
    assert_eq!(script.seen()[0].body, BODY.as_bytes());
    // All repositories of the host know.
    let other = web.registry().repository("acme/other", crate::http::Access::PullPush);
    assert!(other.put_tags(&tags("1.2.3 1.2 1"), &manifest()).await.unwrap().is_empty());
    assert!(web.put_tags(&tags("1.2.3"), &manifest()).await.unwrap().is_empty());
    assert_eq!(script.seen().len(), 1);
}

#[tokio::test]
async fn edge_41_one_that_wants_a_digest_gets_it_and_from_then_on_at_once() {
    let replies = [wants_digest(), taken("a b c"), stored().with("oci-tag", "d,  e"), stored()];
    let script = Script::replies(replies).await;
    let web = script.web();
    assert_eq!(web.put_tags(&tags("a b c"), &manifest()).await.unwrap(), set("a b c"));
    assert_eq!(web.put_tags(&tags("d e f"), &manifest()).await.unwrap(), set("d e"));
    // It can no more.
    assert!(web.put_tags(&tags("d e"), &manifest()).await.unwrap().is_empty());
    assert!(web.put_tags(&tags("d e"), &manifest()).await.unwrap().is_empty());
    let lines = script.lines();
    assert_eq!(lines[0], "PUT /v2/acme/web/manifests/a?tag=b&tag=c");
    assert_eq!(lines[1..], [by_digest("a b c"), by_digest("d e f"), by_digest("d e")]);
}

#[tokio::test]
async fn edge_41_only_tags_that_were_asked_for_and_are_named_count_as_written() {
    let script = Script::replies([taken("b x")]).await;
    let written = script.web().put_tags(&tags("a b c"), &manifest()).await.unwrap();
    assert_eq!(written, set("a b"));
}

#[tokio::test]
async fn edge_41_too_many_are_split() {
    for status in [414, 431] {
        let script = Script::start(move |seen, _| match seen.target.matches("tag=").count() {
            0 | 1 => stored(),
            2 => {
                let query = seen.target.split_once('?').expect("a query").1.to_owned();
                query.split('&').fold(stored(), |reply, pair| reply.with("oci-tag", &pair[4..]))
            }
            _ => Reply::new(status),
        })
        .await;
        let known =
            RegistryOptions { tags_at_once: TagsAtOnce::Always, ..RegistryOptions::default() };
        let web = script.web_with(&known);
        let written = web.put_tags(&tags("a b c d e"), &manifest()).await.unwrap();
        assert_eq!(written, set("a b c d"), "the last one is no crowd");
        let expected = [by_digest("a b c d e"), by_digest("a b"), by_digest("c d")];
        assert_eq!(script.lines(), expected);
        // It is remembered.
        web.put_tags(&tags("a b c"), &manifest()).await.unwrap();
        assert_eq!(script.lines()[3], by_digest("a b"));
    }
}

#[tokio::test]
async fn edge_41_what_is_refused_is_left_to_be_put_one_by_one() {
    for (status, is_remembered) in
        [(400, true), (404, true), (405, true), (401, false), (403, false), (409, false)]
    {
        let script = Script::start(move |_, _| refused(status, "DENIED", "no")).await;
        let web = script.web();
        assert!(web.put_tags(&tags("a b"), &manifest()).await.unwrap().is_empty());
        assert_eq!(script.seen().len(), 1, "{status}");
        assert!(web.put_tags(&tags("a b"), &manifest()).await.unwrap().is_empty());
        assert_eq!(script.seen().len(), if is_remembered { 1 } else { 2 }, "{status}");
    }
    let never = RegistryOptions { tags_at_once: TagsAtOnce::Never, ..RegistryOptions::default() };
    let script = Script::replies([]).await;
    assert!(script.web_with(&never).put_tags(&tags("a b"), &manifest()).await.unwrap().is_empty());
    assert!(script.seen().is_empty());
}

#[tokio::test]
async fn edge_41_an_answer_that_leaves_it_open_is_an_error() {
    let other = Digest::sha256(b"other");
    let elsewhere = move || Reply::new(201).with("docker-content-digest", other.as_str());
    let script = Script::start(move |_, _| elsewhere()).await;
    script.web().put_tags(&tags("a b"), &manifest()).await.expect_err("something else is stored");
    let script = Script::start(|_, _| Reply::new(500)).await;
    script.web().put_tags(&tags("a b"), &manifest()).await.expect_err("nothing is known");
    let script = Script::start(|_, _| Reply::new(201).with("content-type", "text/html")).await;
    script.web().put_tags(&tags("a b"), &manifest()).await.expect_err("a page");
}

#[tokio::test]
async fn edge_41_a_tag_that_is_named_after_an_ordinary_put_tells() {
    let script = Script::replies([taken("a"), taken("b c")]).await;
    let web = script.web();
    web.put(&tag("a"), &manifest()).await.unwrap();
    assert_eq!(web.put_tags(&tags("b c"), &manifest()).await.unwrap(), set("b c"));
    assert_eq!(script.lines()[1], by_digest("b c"));
}
