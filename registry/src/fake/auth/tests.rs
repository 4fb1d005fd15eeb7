use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::fake::testing::{Response, call, fake_with};
use crate::fake::{AuthorizationKind, BearerAuth, FakeAuth, FakeOptions, FakeRegistry, TokenField};

const TAGS: &str = "/v2/app/tags/list";

fn basic(password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("ann:{password}")))
}

fn start(auth: FakeAuth) -> FakeRegistry {
    let fake = fake_with(FakeOptions { auth, ..FakeOptions::default() });
    fake.seed_image("app", "1", &["linux/amd64"]);
    fake
}

fn bearer(change: impl FnOnce(&mut BearerAuth)) -> FakeRegistry {
    let mut auth = BearerAuth::new("ann", "s:e");
    change(&mut auth);
    start(FakeAuth::Bearer(auth))
}

fn get(fake: &FakeRegistry, path: &str, authorization: &str) -> Response {
    call(fake, "GET", path, &[("Authorization", authorization)], b"")
}

/// A token for `scopes`, as a header.
fn token(fake: &FakeRegistry, scopes: &str) -> String {
    let path = format!("/token?service=fake-registry{scopes}");
    let answer = get(fake, &path, &basic("s:e"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    format!("Bearer {}", answer.json()["token"].as_str().expect("a token"))
}

fn challenge(answer: &Response) -> String {
    assert!(answer.is_error(401, "UNAUTHORIZED"), "{}", answer.text());
    answer.header("www-authenticate").expect("a challenge").to_owned()
}

#[test]
fn basic_takes_one_password_and_no_token() {
    let fake = start(FakeAuth::basic("ann", "s:e"));
    let bare = call(&fake, "GET", TAGS, &[], b"");
    assert_eq!(challenge(&bare), r#"Basic realm="fake registry""#);
    assert_eq!(get(&fake, TAGS, &basic("s:e")).status, 200);
    assert_eq!(get(&fake, TAGS, &basic("wrong")).status, 401);
    assert_eq!(get(&fake, TAGS, "Bearer x").status, 401);
    assert_eq!(call(&fake, "GET", "/token", &[], b"").status, 404);
    let kinds: Vec<_> = fake.requests().iter().map(|request| request.authorization).collect();
    let expected = [
        AuthorizationKind::None,
        AuthorizationKind::Basic,
        AuthorizationKind::Basic,
        AuthorizationKind::Bearer,
        AuthorizationKind::None,
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn the_challenge_names_realm_service_and_scope() {
    let fake = bearer(|_| {});
    let start = format!(r#"Bearer realm="http://{}/token",service="fake-registry""#, fake.host());
    let from = "/v2/app/blobs/uploads/?mount=sha256:1&from=base";
    for (method, path, scope) in [
        ("GET", "/v2/", ""),
        ("GET", TAGS, r#",scope="repository:app:pull""#),
        ("HEAD", "/v2/a/b/manifests/1", r#",scope="repository:a/b:pull""#),
        ("PUT", "/v2/app/manifests/1", r#",scope="repository:app:pull,push""#),
        ("DELETE", "/v2/app/manifests/1", r#",scope="repository:app:delete""#),
        ("POST", from, r#",scope="repository:app:pull,push repository:base:pull""#),
    ] {
        let answer = call(&fake, method, path, &[], b"");
        assert_eq!(answer.status, 401);
        let expected = format!("{start}{scope}");
        assert_eq!(answer.header("www-authenticate"), Some(expected.as_str()), "{method} {path}");
    }
}

#[test]
fn a_token_opens_its_scopes_and_nothing_else() {
    let fake = bearer(|_| {});
    let pull = token(&fake, "&scope=repository:app:pull");
    assert_eq!(get(&fake, TAGS, &pull).status, 200);
    assert_eq!(get(&fake, "/v2/", &pull).status, 200);
    let other = get(&fake, "/v2/other/tags/list", &pull);
    assert!(challenge(&other).contains(r#"error="insufficient_scope""#));
    let put = |token: &str| {
        let headers = [("Authorization", token), ("Content-Type", "a/b")];
        call(&fake, "PUT", "/v2/app/manifests/2", &headers, b"{}").status
    };
    assert_eq!(put(&pull), 401);
    assert_eq!(put(&token(&fake, "&scope=repository:app:pull,push")), 201);
    // A password is no token, and an unknown token is none.
    assert_eq!(get(&fake, TAGS, &basic("s:e")).status, 401);
    assert!(challenge(&get(&fake, TAGS, "Bearer x")).contains(r#"error="invalid_token""#));
}

#[test]
fn a_mount_needs_both_scopes_in_one_token() {
    let fake = bearer(|_| {});
    let digest = fake.put_blob("base", "abc");
    let path = format!("/v2/app/blobs/uploads/?mount={digest}&from=base");
    let mount = |token: &str| call(&fake, "POST", &path, &[("Authorization", token)], b"").status;
    assert_eq!(mount(&token(&fake, "&scope=repository:app:pull,push")), 401);
    let two = "&scope=repository:app:pull,push&scope=repository:base:pull";
    assert_eq!(mount(&token(&fake, two)), 201);
    let one = "&scope=repository:app:pull,push%20repository:base:pull";
    assert_eq!(mount(&token(&fake, one)), 201);
}

#[test]
fn the_token_endpoint_knows_its_user() {
    let fake = bearer(|_| {});
    let path = "/token?service=fake-registry&scope=repository:app:pull";
    assert_eq!(get(&fake, path, &basic("wrong")).status, 401);
    assert_eq!(call(&fake, "GET", path, &[], b"").status, 401);
    assert_eq!(get(&fake, "/token?service=other", &basic("s:e")).status, 400);
    assert_eq!(call(&fake, "POST", "/token", &[], b"").status, 404);
}

#[test]
fn nobody_may_pull_where_that_is_allowed() {
    let fake = bearer(|auth| auth.anonymous_pull = true);
    let path = "/token?service=fake-registry&scope=repository:app:pull,push";
    let answer = call(&fake, "GET", path, &[], b"");
    let token = format!("Bearer {}", answer.json()["token"].as_str().expect("a token"));
    assert_eq!(get(&fake, TAGS, &token).status, 200);
    let put = call(&fake, "PUT", "/v2/app/manifests/2", &[("Authorization", &token)], b"{}");
    assert_eq!(put.status, 401);
    assert_eq!(get(&fake, path, &basic("wrong")).status, 401);
}

#[test]
fn tokens_expire_by_time_or_by_hand() {
    let fake = bearer(|auth| auth.lifetime = Some(Duration::from_secs(300)));
    let good = token(&fake, "&scope=repository:app:pull");
    assert_eq!(get(&fake, TAGS, &good).status, 200);
    fake.expire_tokens();
    assert!(challenge(&get(&fake, TAGS, &good)).contains("invalid_token"));

    let fake = bearer(|auth| auth.lifetime = Some(Duration::ZERO));
    let stale = token(&fake, "&scope=repository:app:pull");
    assert_eq!(get(&fake, TAGS, &stale).status, 401);
}

#[test]
fn an_identity_token_is_exchanged_by_post() {
    let fake = bearer(|auth| {
        auth.refresh_token = Some("identity".to_owned());
        auth.lifetime = Some(Duration::from_secs(60));
        auth.field = TokenField::Token;
    });
    let post = |form: &str| {
        let header = [("Content-Type", "application/x-www-form-urlencoded")];
        let form = format!("{form}&service=fake-registry&scope=repository%3Aapp%3Apull");
        call(&fake, "POST", "/token", &header, form.as_bytes())
    };
    let refreshed = post("grant_type=refresh_token&client_id=x&refresh_token=identity");
    let body = refreshed.json();
    assert_eq!((&body["expires_in"], &body["token"]), (&60.into(), &serde_json::Value::Null));
    let token = format!("Bearer {}", body["access_token"].as_str().expect("a token"));
    assert_eq!(get(&fake, TAGS, &token).status, 200);
    assert_eq!(post("grant_type=refresh_token&client_id=x&refresh_token=no").status, 401);
    assert_eq!(post("grant_type=password&client_id=x&username=ann&password=s%3Ae").status, 200);
    assert_eq!(post("grant_type=password&client_id=x&username=ann&password=x").status, 401);
    assert_eq!(post("grant_type=refresh_token&refresh_token=identity").status, 400);
    assert_eq!(post("grant_type=magic&client_id=x").status, 400);
}
