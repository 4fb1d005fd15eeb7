//! Issuers of tokens.

use super::auth::{USER, challenge, holding, served, user};
use super::*;
use crate::credential::Credential;
use crate::http::options::RegistryOptions;
use crate::http::script::Script;
use crate::secret::Secret;
use crate::store::{Blame, Store as _};

fn identity() -> Credential {
    Credential::IdentityToken(Secret::new("1dentity"))
}

#[tokio::test]
async fn edge_29_an_identity_token_is_posted_and_shown_by_get_where_post_is_unknown() {
    let script = Script::start(|seen, _| match (seen.method.as_str(), seen.authorization()) {
        ("POST", None) => Reply::json(200, r#"{"access_token":"t"}"#),
        (_, Some("Bearer t")) => served(seen),
        _ => challenge(seen, ""),
    })
    .await;
    script.web_with(&holding(&script, identity())).tags().await.unwrap();
    let body = String::from_utf8(script.seen()[1].body.clone()).unwrap();
    assert!(body.contains("grant_type=refresh_token") && body.ends_with("=1dentity"), "{body}");

    for status in [404, 405] {
        let script = Script::start(move |seen, _| match (seen.method.as_str(), &seen.target) {
            ("POST", _) => Reply::new(status),
            (_, target) if target.starts_with("/token") => Reply::json(200, r#"{"token":"t"}"#),
            _ if seen.authorization() == Some("Bearer t") => served(seen),
            _ => challenge(seen, ""),
        })
        .await;
        script.web_with(&holding(&script, identity())).tags().await.unwrap();
        let shown = script.seen()[2].authorization().map(str::to_owned).unwrap_or_default();
        assert!(shown.starts_with("Basic "), "{shown}");
    }
}

#[tokio::test]
async fn the_issuer_s_no_is_a_denial_and_its_nonsense_is_not() {
    for (reply, blame) in [
        (Reply::json(401, r#"{"details":"incorrect username or password"}"#), Blame::Denied),
        (refused(403, "DENIED", "no"), Blame::Denied),
        (Reply::json(400, r#"{"error":"invalid_grant"}"#), Blame::Denied),
        (Reply::json(400, r#"{"error":"invalid_request"}"#), Blame::Registry),
        (Reply::json(200, "{}"), Blame::Registry),
        (Reply::new(200).with("content-type", "text/html").body("<html>"), Blame::Registry),
        (Reply::json(200, r#"{"token":"a\nb"}"#), Blame::Local),
    ] {
        let script = Script::start(move |seen, _| match seen.target.starts_with("/token") {
            true => reply.clone(),
            false => challenge(seen, ""),
        })
        .await;
        let error = script.web_with(&user()).tags().await.unwrap_err();
        assert_eq!(error.blame(), blame, "{error}");
        assert!(error.to_string().starts_with("list tags of 127.0.0.1"), "{error}");
        assert_eq!(script.seen().len(), 2, "{error}");
    }
}

#[tokio::test]
async fn an_issuer_that_is_busy_is_asked_again() {
    let script = Script::start(|seen, count| match (seen.target.starts_with("/token"), count) {
        (true, 1) => Reply::new(503).with("retry-after", "0"),
        (true, _) => Reply::json(200, r#"{"token":"t"}"#),
        _ if seen.authorization() == Some("Bearer t") => served(seen),
        _ => challenge(seen, ""),
    })
    .await;
    script.web_with(&user()).tags().await.unwrap();
    assert_eq!(script.seen().len(), 4);
}

#[tokio::test]
async fn an_issuer_that_never_answers_is_asked_as_often_as_any_other() {
    let script = Script::start(|seen, _| match seen.target.starts_with("/token") {
        true => Reply::closed(),
        false => challenge(seen, ""),
    })
    .await;
    let options = RegistryOptions { retries: 2, ..user() };
    let error = script.web_with(&options).put(&tag("1"), &manifest()).await.unwrap_err();
    assert!(error.to_string().contains("/token"), "{error}");
    assert_eq!(script.seen().len(), 1 + 3, "{:?}", script.lines());
}

#[tokio::test]
async fn edge_29_an_issuer_elsewhere_is_shown_the_credentials_only_by_the_registry_s_word() {
    let issuer = Script::start(|_, _| Reply::json(200, r#"{"token":"t"}"#)).await;
    let realm = format!(r#"Bearer realm="{}/token""#, issuer.url());
    let script = Script::start(move |seen, _| match seen.authorization() {
        Some("Bearer t") => served(seen),
        _ => Reply::new(401).with("www-authenticate", &realm),
    })
    .await;
    script.web_with(&user()).tags().await.unwrap();
    assert_eq!(issuer.seen()[0].authorization(), Some(USER));
    assert_eq!(
        issuer.lines(),
        ["GET /token?client_id=plimsoll&scope=repository%3Aacme%2Fweb%3Apull%2Cpush"]
    );

    // The word of a host that the registry redirects to is not the registry's.
    let realm = format!(r#"Bearer realm="{}/token""#, issuer.url());
    let storage = Script::start(move |_, _| Reply::new(401).with("www-authenticate", &realm)).await;
    let away = format!("{}/blob", storage.url().replace("127.0.0.1", "localhost"));
    let script = Script::start(move |_, _| Reply::new(307).with("location", &away)).await;
    let error = script.web_with(&user()).get(&by_tag("1")).await.unwrap_err();
    assert_eq!(error.blame(), Blame::Denied);
    assert_eq!((issuer.seen().len(), storage.seen().len()), (1, 1));
}

#[tokio::test]
async fn edge_29_a_realm_in_the_clear_is_refused_off_this_machine() {
    let script = Script::start(|_, _| {
        Reply::new(401).with("www-authenticate", r#"Bearer realm="http://auth.example/token""#)
    })
    .await;
    let error = script.web_with(&user()).tags().await.unwrap_err();
    let source = std::error::Error::source(&error).expect("a source").to_string();
    assert!(source.contains("not encrypted"), "{source}");
}
