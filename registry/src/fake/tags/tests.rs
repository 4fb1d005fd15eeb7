use serde_json::{Value, json};

use crate::fake::testing::{Response, call, fake, fake_with};
use crate::fake::{Answer, FakeOptions, FakeRegistry};

fn list(fake: &FakeRegistry, query: &str) -> Response {
    call(fake, "GET", &format!("/v2/app/tags/list{query}"), &[], b"")
}

fn seeded(options: FakeOptions) -> FakeRegistry {
    let fake = fake_with(options);
    for tag in ["b", "a", "10", "9", "C"] {
        fake.seed_image("app", tag, &["linux/amd64"]);
    }
    fake
}

#[test]
fn all_tags_come_in_order() {
    let fake = seeded(FakeOptions::default());
    let all = list(&fake, "");
    assert_eq!(all.json(), json!({ "name": "app", "tags": ["10", "9", "C", "a", "b"] }));
    assert_eq!(all.header("link"), None);
}

#[test]
fn pages_are_followed_by_link_to_the_end() {
    let fake = seeded(FakeOptions::default());
    let first = list(&fake, "?n=2");
    assert_eq!(first.json()["tags"], json!(["10", "9"]));
    assert_eq!(first.header("link"), Some(r#"</v2/app/tags/list?n=2&last=9>; rel="next""#));
    let second = list(&fake, "?n=2&last=9");
    assert_eq!(second.json()["tags"], json!(["C", "a"]));
    let third = list(&fake, "?n=2&last=a");
    assert_eq!((&third.json()["tags"], third.header("link")), (&json!(["b"]), None));
    // A full last page has no next; a `last` need not exist.
    assert_eq!(list(&fake, "?n=1&last=a").header("link"), None);
    assert_eq!(list(&fake, "?last=A").json()["tags"], json!(["C", "a", "b"]));
    assert!(list(&fake, "?n=many").is_error(400, "PAGINATION_NUMBER_INVALID"));
}

#[test]
fn the_registry_limits_or_ignores_the_page_size() {
    let fake = seeded(FakeOptions { max_page: 2, ..FakeOptions::default() });
    assert_eq!(list(&fake, "").json()["tags"], json!(["10", "9"]));
    assert_eq!(list(&fake, "?n=100").json()["tags"], json!(["10", "9"]));
    assert_eq!(list(&fake, "?n=1").json()["tags"], json!(["10"]));
    fake.configure(|options| {
        options.ignore_page_size = true;
        options.absolute_locations = true;
    });
    let page = list(&fake, "?n=1");
    assert_eq!(page.json()["tags"], json!(["10", "9"]));
    let link = page.header("link").expect("there is more");
    assert!(link.starts_with(&format!("<http://{}/v2/app/tags/list?", fake.host())), "{link}");
}

#[test]
fn an_empty_list_is_not_an_unknown_repository() {
    let fake = fake();
    assert!(list(&fake, "").is_error(404, "NAME_UNKNOWN"));
    fake.seed_image("app", "1", &["linux/amd64"]);
    fake.untag("app", "1");
    assert_eq!(list(&fake, "").json()["tags"], json!([]));
    fake.configure(|options| options.tags_null_when_empty = true);
    assert_eq!(list(&fake, "").json()["tags"], Value::Null);
}

#[test]
fn the_list_may_be_refused_or_be_anything() {
    let fake = seeded(FakeOptions { deny_tag_list: true, ..FakeOptions::default() });
    assert!(list(&fake, "").is_error(403, "DENIED"));
    let cut = Answer::new(200).body("application/json", r#"{"tags":["10","#);
    fake.configure(|options| {
        options.deny_tag_list = false;
        options.tag_list_raw = Some(cut);
    });
    assert_eq!(list(&fake, "").text(), r#"{"tags":["10","#);
}
