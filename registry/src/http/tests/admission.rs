//! Whether a registry knows the user.

use super::auth::{USER, challenge, user};
use super::*;
use crate::http::Admission;
use crate::http::script::Script;
use crate::store::Blame;

const WRONG: &str = "Basic realm=\"x\"";

#[tokio::test]
async fn a_password_is_shown_to_the_registry_itself() {
    let script = Script::start(|seen, _| match seen.authorization() {
        Some(USER) => Reply::json(200, "{}"),
        _ => refused(401, "UNAUTHORIZED", "who are you").with("www-authenticate", WRONG),
    })
    .await;
    assert_eq!(script.registry(&user()).admission().await.unwrap(), Admission::Known);
    assert_eq!(script.lines(), ["GET /v2/", "GET /v2/"]);
}

#[tokio::test]
async fn a_token_is_asked_for_without_scope() {
    let script = Script::start(|seen, _| match (seen.target.as_str(), seen.authorization()) {
        ("/v2/", Some("Bearer t")) => Reply::json(200, "{}"),
        ("/v2/", _) => challenge(seen, ""),
        (_, Some(USER)) => Reply::json(200, r#"{"token":"t"}"#),
        _ => Reply::new(401),
    })
    .await;
    assert_eq!(script.registry(&user()).admission().await.unwrap(), Admission::Known);
    let token = "GET /token?service=reg&client_id=plimsoll";
    assert_eq!(script.lines(), ["GET /v2/", token, "GET /v2/"]);
}

#[tokio::test]
async fn a_registry_that_asks_for_nothing_says_nothing_of_the_credentials() {
    let script = Script::start(|_, _| Reply::json(200, "{}")).await;
    assert_eq!(script.registry(&user()).admission().await.unwrap(), Admission::Open);
    assert_eq!(script.seen()[0].authorization(), None);
}

#[tokio::test]
async fn edge_39_a_refusal_is_denied_with_a_remedy_and_without_the_password() {
    let echo = r#"{"details":"hunter2 is wrong"}"#;
    let basic = Script::start(move |_, _| Reply::json(401, echo).with("www-authenticate", WRONG));
    let bearer = Script::start(move |seen, _| match seen.target.as_str() {
        "/v2/" => challenge(seen, ""),
        _ => Reply::json(401, echo),
    });
    for script in [basic.await, bearer.await] {
        let error = script.registry(&user()).admission().await.unwrap_err();
        assert_eq!(error.blame(), Blame::Denied, "{error}");
        assert!(error.to_string().starts_with("log in to 127.0.0.1:"), "{error}");
        assert!(error.to_string().contains("<redacted> is wrong"), "{error}");
        assert!(error.remedy().unwrap().contains("access token"), "{error:?}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[tokio::test]
async fn what_is_no_registry_is_no_refusal() {
    for reply in [
        Reply::new(404),
        Reply::new(500),
        Reply::new(200).with("content-type", "text/html").body("<html>"),
    ] {
        let script = Script::start(move |_, _| reply.clone()).await;
        let error = script.registry(&user()).admission().await.unwrap_err();
        assert_eq!(error.blame(), Blame::Registry, "{error}");
    }
}
