//! Challenges, credentials and tokens.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;

use super::*;
use crate::credential::{Credential, Credentials};
use crate::http::options::RegistryOptions;
use crate::http::script::{Script, Seen};
use crate::http::{Access, RepositoryStore};
use crate::secret::Secret;
use crate::store::{Blame, Store as _, StoreError};

fn with(credentials: Credentials) -> RegistryOptions {
    RegistryOptions { credentials: Arc::new(credentials), ..RegistryOptions::default() }
}

pub(super) fn user() -> RegistryOptions {
    with(Credentials::fixed("me", Secret::new("hunter2")))
}

pub(super) const USER: &str = "Basic bWU6aHVudGVyMg==";

/// Options with `credential` for the scripted registry.
pub(super) fn holding(script: &Script, credential: Credential) -> RegistryOptions {
    let host = format!("127.0.0.1:{}", script.port()).parse().expect("a host");
    with(Credentials::fixed_for(host, credential))
}

/// What a registry without a fault answers to someone it knows.
pub(super) fn served(seen: &Seen) -> Reply {
    match seen.method.as_str() {
        "PUT" => stored(),
        "DELETE" => Reply::new(202),
        _ if seen.target.contains("/tags/list") => Reply::json(200, r#"{"name":"a","tags":["1"]}"#),
        _ => found(),
    }
}

pub(super) fn challenge(seen: &Seen, scope: &str) -> Reply {
    let host = seen.header("host").unwrap_or_default();
    let realm = format!(r#"Bearer realm="http://{host}/token",service="reg"{scope}"#);
    refused(401, "UNAUTHORIZED", "who are you").with("www-authenticate", &realm)
}

/// A registry that wants tokens, and issues them itself, each of them once.
#[derive(Clone, Default)]
struct Bearer {
    issued: Arc<AtomicUsize>,
    good: Arc<Mutex<HashSet<String>>>,
}

impl Bearer {
    async fn start() -> (Script, Self) {
        let bearer = Self::default();
        let registry = bearer.clone();
        (Script::start(move |seen, _| registry.answer(seen)).await, bearer)
    }

    fn answer(&self, seen: &Seen) -> Reply {
        if seen.target.starts_with("/token") {
            let token = format!("t{}", self.issued.fetch_add(1, Ordering::Relaxed));
            self.good.lock().unwrap().insert(format!("Bearer {token}"));
            return Reply::json(200, &format!(r#"{{"token":"{token}"}}"#));
        }
        let is_known =
            seen.authorization().is_some_and(|it| self.good.lock().unwrap().contains(it));
        if is_known { served(seen) } else { challenge(seen, "") }
    }

    fn revoke(&self) {
        self.good.lock().unwrap().clear();
    }
}

async fn retag(web: &RepositoryStore) -> Result<(), StoreError> {
    let manifest = web.get(&by_tag("1.2.3")).await?.expect("it is there");
    for text in ["1.2", "1", "latest", "stable"] {
        web.put(&tag(text), &manifest).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_cold_retag_of_4_tags_is_7_requests() {
    let (script, _) = Bearer::start().await;
    retag(&script.web_with(&user())).await.unwrap();
    let scope = "scope=repository%3Aacme%2Fweb%3Apull%2Cpush";
    let manifests = "/v2/acme/web/manifests";
    let expected = [
        format!("GET {manifests}/1.2.3"),
        format!("GET /token?service=reg&client_id=plimsoll&{scope}"),
        format!("GET {manifests}/1.2.3"),
        format!("PUT {manifests}/1.2"),
        format!("PUT {manifests}/1"),
        format!("PUT {manifests}/latest"),
        format!("PUT {manifests}/stable"),
    ];
    assert_eq!(script.lines(), expected);
    assert_eq!(script.seen()[1].authorization(), Some(USER));
}

#[tokio::test]
async fn a_retag_with_a_password_is_6_requests_and_without_anything_5() {
    let script = Script::start(|seen, _| match seen.authorization() {
        Some(USER) => served(seen),
        _ => Reply::new(401).with("www-authenticate", r#"Basic realm="x""#),
    })
    .await;
    retag(&script.web_with(&user())).await.unwrap();
    assert_eq!(script.seen().len(), 6);

    let script = Script::start(|seen, _| served(seen)).await;
    retag(&script.web()).await.unwrap();
    assert_eq!(script.seen().len(), 5);
}

#[tokio::test]
async fn requests_that_start_together_meet_one_challenge_and_ask_for_one_token() {
    let (script, _) = Bearer::start().await;
    let web = script.web_with(&user());
    let selector = by_tag("1.2.3");
    let (source, list, heads) = tokio::join!(
        web.get(&selector),
        web.tags(),
        join_all((0..8).map(async |n| web.head(&by_tag(&n.to_string())).await)),
    );
    source.unwrap();
    list.unwrap();
    assert!(heads.into_iter().all(|found| found.is_ok_and(|found| found.is_some())));
    let tokens = script.lines().iter().filter(|line| line.contains("/token")).count();
    assert_eq!((tokens, script.seen().len()), (1, 10 + 2));
}

#[tokio::test]
async fn requests_that_start_together_without_a_challenge_cost_nothing_more() {
    let script = Script::start(|seen, _| served(seen)).await;
    let web = script.web();
    join_all((0..8).map(async |n| web.head(&by_tag(&n.to_string())).await)).await;
    assert_eq!(script.seen().len(), 8);
}

#[tokio::test]
async fn writes_may_be_challenged_where_reads_are_not() {
    let script = Script::start(|seen, _| match (seen.method.as_str(), seen.authorization()) {
        ("GET", _) | (_, Some(USER)) => served(seen),
        _ => Reply::new(401).with("www-authenticate", "Basic realm=x"),
    })
    .await;
    let web = script.web_with(&user());
    let manifest = web.get(&by_tag("1")).await.unwrap().unwrap();
    let writes = join_all((0..4).map(async |n| {
        let tag = tag(&n.to_string());
        web.put(&tag, &manifest).await
    }));
    assert!(writes.await.iter().all(Result::is_ok));
    assert_eq!(script.seen().len(), 1 + 1 + 4);
}

#[tokio::test]
async fn a_token_is_for_one_repository_and_shared_by_its_stores() {
    let (script, _) = Bearer::start().await;
    let registry = script.registry(&user());
    for (path, access) in
        [("a", Access::Pull), ("a", Access::Pull), ("a", Access::PullPush), ("b", Access::PullPush)]
    {
        registry.repository(path, access).tags().await.unwrap();
    }
    let scopes: Vec<_> = script
        .lines()
        .iter()
        .filter_map(|line| Some(line.split_once("scope=repository%3A")?.1.to_owned()))
        .collect();
    assert_eq!(scopes, ["a%3Apull", "a%3Apull%2Cpush", "b%3Apull%2Cpush"]);
    assert_eq!(script.seen().len(), 1 + 3 + 4, "one challenge for all");
}

#[tokio::test]
async fn edge_27_a_refused_token_is_renewed_once() {
    let (script, bearer) = Bearer::start().await;
    let web = script.web_with(&user());
    web.tags().await.unwrap();
    bearer.revoke();
    let before = script.seen().len();
    // Together, again, they need one new token: those that were refused last use it.
    join_all((0..4).map(async |n| web.head(&by_tag(&n.to_string())).await.unwrap())).await;
    assert_eq!(bearer.issued.load(Ordering::Relaxed), 2);
    assert!(script.seen().len() <= before + 4 + 1 + 4);
}

#[tokio::test]
async fn edge_27_a_token_that_stays_refused_is_a_denial() {
    let script = Script::start(|seen, count| match seen.target.starts_with("/token") {
        true => Reply::json(200, &format!(r#"{{"token":"t{count}"}}"#)),
        false => challenge(seen, ",scope=\"repository:acme/web:pull\""),
    })
    .await;
    let error = script.web_with(&user()).tags().await.unwrap_err();
    assert_eq!(error.blame(), Blame::Denied);
    assert!(error.to_string().contains("UNAUTHORIZED: who are you"), "{error}");
    assert_eq!(script.seen().len(), 5, "challenge, token, refusal, token, refusal");
}

#[tokio::test]
async fn edge_28_a_token_is_renewed_before_it_expires() {
    let (script, bearer) = Bearer::start().await;
    let web = script.web_with(&user());
    web.tags().await.unwrap();
    for (seconds, issued) in [(49, 1), (2, 2)] {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(seconds)).await;
        tokio::time::resume();
        web.tags().await.unwrap();
        assert_eq!(bearer.issued.load(Ordering::Relaxed), issued);
    }
    assert_eq!(script.seen().len(), 3 + 1 + 2, "no challenge more");
}

#[tokio::test]
async fn a_wrong_password_is_a_denial_with_a_remedy() {
    let script = Script::start(|_, _| {
        refused(401, "UNAUTHORIZED", "wrong: hunter2").with("www-authenticate", "Basic realm=x")
    })
    .await;
    let error = script.web_with(&user()).tags().await.unwrap_err();
    assert_eq!(error.blame(), Blame::Denied);
    let remedy = error.remedy().unwrap_or_default();
    assert!(remedy.contains("docker login 127.0.0.1"), "{remedy}");
    assert!(remedy.contains("--password-stdin"), "{remedy}");
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    assert_eq!(script.seen().len(), 2, "it is shown once");

    let error = script.web().tags().await.unwrap_err();
    assert_eq!((error.blame(), script.seen().len()), (Blame::Denied, 3), "nothing to show");
}

#[tokio::test]
async fn a_registry_token_goes_to_the_registry_as_it_is() {
    let (script, bearer) = Bearer::start().await;
    bearer.good.lock().unwrap().insert("Bearer r3g".to_owned());
    let token = Credential::RegistryToken(Secret::new("r3g"));
    let web = script.web_with(&holding(&script, token));
    web.tags().await.unwrap();
    assert_eq!(script.seen().len(), 2);
    bearer.revoke();
    assert_eq!(web.tags().await.unwrap_err().blame(), Blame::Denied);
    assert_eq!(script.seen().len(), 3, "there is no other");
}

#[tokio::test]
async fn rights_to_delete_are_asked_for_when_they_are_demanded() {
    let script = Script::start(|seen, _| match (seen.method.as_str(), seen.authorization()) {
        _ if seen.target.ends_with("delete") => Reply::json(200, r#"{"token":"all"}"#),
        _ if seen.target.starts_with("/token") => Reply::json(200, r#"{"token":"some"}"#),
        (_, Some("Bearer all")) | ("PUT", Some("Bearer some")) => served(seen),
        ("DELETE", _) => challenge(seen, ",scope=\"repository:acme/web:delete\""),
        _ => challenge(seen, ""),
    })
    .await;
    let web = script.web_with(&user());
    web.put(&tag("1"), &manifest()).await.unwrap();
    web.untag(&tag("1")).await.unwrap();
    web.untag(&tag("1")).await.unwrap();
    assert_eq!(script.seen().len(), 3 + 3 + 1);
}

#[tokio::test]
async fn an_unknown_scheme_is_named() {
    let script = Script::start(|_, _| Reply::new(401).with("www-authenticate", "Negotiate")).await;
    let error = script.web_with(&user()).tags().await.unwrap_err();
    assert_eq!(error.blame(), Blame::Unsupported);
    assert!(error.to_string().contains("Negotiate"), "{error}");
}

#[tokio::test]
async fn edge_39_nothing_secret_is_in_debug_output() {
    let (script, _) = Bearer::start().await;
    let options = user();
    let web = script.web_with(&options);
    web.tags().await.unwrap();
    let text = format!("{options:?} {web:?} {:?}", web.registry());
    for secret in ["hunter2", &USER[6..], "t0"] {
        assert!(!text.contains(secret), "{text}");
    }
}
