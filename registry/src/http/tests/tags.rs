//! Tag lists.

use super::*;
use crate::http::script::Script;
use crate::store::{Blame, Store as _, StoreError};

async fn list(
    replies: impl IntoIterator<Item = Reply>,
) -> (Result<Vec<String>, StoreError>, Script) {
    let script = Script::replies(replies).await;
    let tags = script.web().tags().await;
    (tags.map(|tags| tags.iter().map(ToString::to_string).collect()), script)
}

fn page(tags: &[&str]) -> Reply {
    Reply::json(200, &serde_json::json!({ "name": "acme/web", "tags": tags }).to_string())
}

fn numbered(from: usize, count: usize) -> Vec<String> {
    (from..from + count).map(|number| format!("t{number:05}")).collect()
}

fn full(tags: &[String]) -> Reply {
    page(&tags.iter().map(String::as_str).collect::<Vec<_>>())
}

#[tokio::test]
async fn edge_26_links_are_followed_to_the_end() {
    let (tags, script) = list([
        page(&["a", "b"]).with("link", r#"</v2/acme/web/tags/list?last=b&n=2>; rel="next""#),
        page(&["c"]).with("link", "<list?last=c>; rel=next"),
        page(&[]),
    ])
    .await;
    assert_eq!(tags.unwrap(), ["a", "b", "c"]);
    let expected = ["?n=1000", "?last=b&n=2", "?last=c"];
    assert_eq!(script.lines(), expected.map(|query| format!("GET /v2/acme/web/tags/list{query}")));
}

#[tokio::test]
async fn edge_26_a_link_to_another_host_fails_the_list() {
    let (tags, script) =
        list([page(&["a"]).with("link", "<https://evil.example/v2/x>; rel=next")]).await;
    let error = tags.unwrap_err();
    let source = std::error::Error::source(&error).expect("a source").to_string();
    assert!(source.contains("evil.example"), "{source}");
    assert_eq!(script.seen().len(), 1);
}

#[tokio::test]
async fn edge_26_a_loop_of_links_fails_the_list() {
    let next = |last: &str| page(&["a"]).with("link", &format!("<list?last={last}>; rel=next"));
    let (tags, script) = list([next("a"), next("b"), next("a")]).await;
    assert!(tags.unwrap_err().to_string().contains("lead back"));
    assert_eq!(script.seen().len(), 3);
}

#[tokio::test]
async fn edge_26_a_full_page_without_a_link_is_followed_by_last() {
    let (first, second) = (numbered(0, 1000), numbered(1000, 3));
    let (tags, script) = list([full(&first), full(&second)]).await;
    assert_eq!(tags.unwrap().len(), 1003);
    assert_eq!(script.lines()[1], "GET /v2/acme/web/tags/list?n=1000&last=t00999");

    // A registry that ignores both parameters repeats itself: that was all.
    let all = numbered(0, 1500);
    let (tags, script) = list([full(&all), full(&all)]).await;
    assert_eq!((tags.unwrap().len(), script.seen().len()), (1500, 2));

    // Fewer than asked for are all.
    let (tags, script) = list([full(&numbered(0, 999))]).await;
    assert_eq!((tags.unwrap().len(), script.seen().len()), (999, 1));
}

#[tokio::test]
async fn edge_26_no_tags_have_several_forms() {
    for body in [r#"{"name":"acme/web","tags":null}"#, r#"{"name":"acme/web"}"#, r#"{"tags":[]}"#] {
        let (tags, _) = list([Reply::json(200, body)]).await;
        assert_eq!(tags.unwrap(), [""; 0], "{body}");
    }
}

#[tokio::test]
async fn edge_27_an_unknown_repository_has_no_tags() {
    for code in ["NAME_UNKNOWN", "NOT_FOUND"] {
        let (tags, _) = list([refused(404, code, "no")]).await;
        assert_eq!(tags.unwrap(), [""; 0], "{code}");
    }
    let (tags, _) = list([refused(404, "DENIED", "no")]).await;
    assert_eq!(tags.unwrap_err().blame(), Blame::Denied);
}

#[tokio::test]
async fn edge_26_a_404_after_the_first_page_is_no_end() {
    let (tags, _) = list([
        page(&["a"]).with("link", "<list?last=a>; rel=next"),
        refused(404, "NAME_UNKNOWN", "no"),
    ])
    .await;
    assert_eq!(tags.unwrap_err().blame(), Blame::NotFound);
}

#[tokio::test]
async fn what_is_no_registry_is_no_empty_list() {
    let html = |status| Reply::new(status).with("content-type", "text/html; charset=utf-8");
    for reply in [html(404).body("<html>"), html(200).body("<html>")] {
        let (tags, _) = list([reply]).await;
        let error = tags.unwrap_err();
        let expected = "answered with text/html, which is not a registry API";
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(error.blame(), Blame::Registry);
    }
    for reply in [
        Reply::new(404).with("content-type", "text/plain").body("404 page not found"),
        Reply::new(404),
        Reply::json(200, "{}"),
        Reply::json(200, r#"{"tags":["a","#),
        Reply::json(200, r#"{"tags":[1]}"#),
        Reply::json(200, ""),
        Reply::new(204),
    ] {
        let (tags, _) = list([reply.clone()]).await;
        assert_eq!(tags.unwrap_err().blame(), Blame::Registry, "{reply:?}");
    }
}

#[tokio::test]
async fn edge_26_a_truncated_page_fails_the_list() {
    let replies = std::iter::repeat_n(page(&["a", "b"]).truncated(), 6);
    let (tags, script) = list(replies).await;
    assert_eq!(tags.unwrap_err().blame(), Blame::Registry);
    assert_eq!(script.seen().len(), 6, "it is tried again");
}

#[tokio::test]
async fn edge_25_a_name_that_is_no_tag_is_left_out() {
    let (tags, _) = list([page(&["ok", "not ok", "", "-x", "é"])]).await;
    assert_eq!(tags.unwrap(), ["ok"]);
}
