//! What goes wrong on the way.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;

use super::*;
use crate::credential::Credentials;
use crate::http::options::RegistryOptions;
use crate::http::registry::Registry;
use crate::http::script::Script;
use crate::http::{Access, RepositoryStore};
use crate::secret::Secret;
use crate::store::{Blame, Store as _};

fn list() -> Reply {
    Reply::json(200, r#"{"name":"a","tags":["1"]}"#)
}

fn store(host: &str, options: &RegistryOptions) -> RepositoryStore {
    let registry = Registry::new(host.parse().expect("a host"), options).expect("a client");
    registry.repository("acme/web", Access::Pull)
}

#[tokio::test]
async fn edge_35_what_passes_is_tried_again_for_every_verb() {
    for status in [408, 425, 429, 500, 502, 503, 504] {
        let busy = || Reply::new(status).with("retry-after", "0");
        let script = Script::replies([busy(), busy(), list(), busy(), found()]).await;
        let web = script.web();
        web.tags().await.unwrap();
        web.head(&by_tag("1")).await.unwrap();
        assert_eq!(script.seen().len(), 5, "{status}");
        let script = Script::replies([busy(), Reply::new(202)]).await;
        script.web().untag(&tag("1")).await.unwrap();
    }
    let script = Script::replies([Reply::closed(), Reply::closed(), list()]).await;
    script.web().tags().await.unwrap();
    assert_eq!(script.seen().len(), 3);
}

#[tokio::test]
async fn edge_35_tries_end_with_the_registry_s_last_words() {
    let script = Script::start(|_, _| refused(429, "TOOMANYREQUESTS", "slow down")).await;
    let options = RegistryOptions { retries: 2, ..RegistryOptions::default() };
    let error = script.web_with(&options).tags().await.unwrap_err();
    assert!(error.to_string().ends_with("429 Too Many Requests: TOOMANYREQUESTS: slow down"));
    assert!(error.remedy().is_some_and(|remedy| remedy.contains("log in")));
    assert_eq!(script.seen().len(), 3);
}

#[tokio::test]
async fn edge_35_a_wait_beyond_the_deadline_is_not_begun() {
    let script = Script::start(|_, _| Reply::new(429).with("retry-after", "3600")).await;
    let web = script.web();
    let error = web.tags().await.unwrap_err();
    assert!(error.remedy().is_some_and(|remedy| remedy.contains("3600 seconds")));
    // The next request does not even ask.
    let error = web.tags().await.unwrap_err();
    assert!(error.to_string().contains("asks to wait longer"), "{error}");
    assert_eq!(script.seen().len(), 1);
}

#[tokio::test]
async fn edge_35_a_wait_in_the_text_of_a_429_counts_like_one_in_the_header() {
    let message = "retry-after: 1h0m0s, allowed: 44000/minute";
    let script = Script::start(|_, _| refused(429, "TOOMANYREQUESTS", message)).await;
    let web = script.web();
    web.tags().await.unwrap_err();
    let error = web.tags().await.unwrap_err();
    assert!(error.to_string().contains("asks to wait longer"), "{error}");
    assert_eq!(script.seen().len(), 1);

    // The header is to be believed first, and no other status speaks of a rate.
    for reply in [
        refused(429, "TOOMANYREQUESTS", message).with("retry-after", "0"),
        refused(503, "UNAVAILABLE", message),
    ] {
        let script = Script::replies([reply, list()]).await;
        script.web().tags().await.unwrap();
        assert_eq!(script.seen().len(), 2);
    }
}

#[tokio::test]
async fn silence_ends_at_the_read_timeout_and_at_the_deadline() {
    let short = Duration::from_millis(30);
    let script = Script::start(|_, _| Reply::silent()).await;
    let impatient =
        RegistryOptions { read_timeout: short, retries: 1, ..RegistryOptions::default() };
    let error = script.web_with(&impatient).tags().await.unwrap_err();
    assert!(error.to_string().contains("did not answer in time"), "{error}");
    assert_eq!(script.seen().len(), 2);

    let busy = RegistryOptions { timeout: short, ..RegistryOptions::default() };
    let error = script.web_with(&busy).tags().await.unwrap_err();
    assert!(error.to_string().contains("no answer within 0.03 s"), "{error}");
    assert_eq!(error.blame(), Blame::Registry);
}

#[tokio::test]
async fn one_silent_probe_does_not_hold_up_the_others_beyond_their_deadline() {
    let script = Script::start(|_, _| Reply::silent()).await;
    let timeout = Duration::from_millis(30);
    let web = script.web_with(&RegistryOptions { timeout, ..RegistryOptions::default() });
    let (a, b) = tokio::join!(web.tags(), web.tags());
    assert!(a.is_err() && b.is_err());
}

#[tokio::test]
async fn a_refused_connection_is_named_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let host = format!("127.0.0.1:{port}");
    let error = store(&host, &RegistryOptions::default()).tags().await.unwrap_err();
    assert!(error.to_string().ends_with(&format!("{host} refuses connections")), "{error}");
    assert!(error.remedy().is_some_and(|remedy| remedy.contains("port")));
}

#[tokio::test]
async fn a_host_that_does_not_exist_is_named_at_once() {
    let host = "registry.invalid:5000";
    let options = RegistryOptions { retries: 0, ..RegistryOptions::default() };
    let error = store(host, &options).tags().await.unwrap_err();
    assert!(error.to_string().ends_with(&format!("there is no host {host}")), "{error}");
    assert!(error.remedy().is_some_and(|remedy| remedy.contains("DNS")));
}

#[tokio::test]
async fn edge_30_a_redirected_read_shows_nothing_to_the_other_host() {
    let storage = Script::start(|_, _| found()).await;
    let away = format!("{}/x?X-Amz-Signature=s", storage.url().replace("127.0.0.1", "localhost"));
    let script = Script::start(move |seen, _| match (seen.target.as_str(), seen.authorization()) {
        (_, None) => Reply::new(401).with("www-authenticate", "Basic realm=x"),
        ("/v2/acme/web/manifests/1", _) => Reply::new(302).with("location", "/here"),
        _ => Reply::new(307).with("location", &away),
    })
    .await;
    let credentials = Arc::new(Credentials::fixed("me", Secret::new("hunter2")));
    let options = RegistryOptions { credentials, ..RegistryOptions::default() };
    script.web_with(&options).get(&by_tag("1")).await.unwrap().unwrap();
    let seen = script.seen();
    assert_eq!(
        seen.iter().map(|seen| seen.authorization().is_some()).collect::<Vec<_>>(),
        [false, true, true]
    );
    assert_eq!(storage.seen()[0].authorization(), None);
}

#[tokio::test]
async fn edge_30_redirects_have_an_end() {
    let script = Script::start(|_, _| Reply::new(307).with("location", "/again")).await;
    let error = script.web().get(&by_tag("1")).await.unwrap_err();
    assert!(std::error::Error::source(&error).is_some());
    assert_eq!(script.seen().len(), 11);
}

#[tokio::test]
async fn edge_30_an_expired_presigned_url_is_asked_for_anew() {
    let storage =
        Script::start(|_, count| if count == 0 { Reply::new(403) } else { found() }).await;
    let away = storage.url().replace("127.0.0.1", "localhost");
    let script = Script::start(move |_, _| Reply::new(307).with("location", &away)).await;
    script.web().get(&by_tag("1")).await.unwrap().unwrap();
    assert_eq!((script.seen().len(), storage.seen().len()), (2, 2));
}

/// What is logged while it lives, by this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn start() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn lines(&self, of: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).expect("text");
        text.lines().filter(|line| line.contains(of)).map(str::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn edge_39_a_warning_is_passed_on_once_per_text() {
    let (log, _guard) = Log::start();
    let warned = |text: &str| list().with("warning", &format!("299 - \"{text}\""));
    let script =
        Script::replies([warned("moves soon"), warned("moves soon"), warned("at noon")]).await;
    let web = script.web();
    for _ in 0..3 {
        web.tags().await.unwrap();
    }
    assert_eq!(log.lines("moves soon").len(), 1);
    assert_eq!(log.lines("WARN").len(), 2);
}

#[tokio::test]
async fn edge_39_one_line_per_request_is_logged_and_nothing_secret() {
    let (log, _guard) = Log::start();
    let script = Script::start(|seen, _| match (seen.target.as_str(), seen.authorization()) {
        (target, Some(_)) if target.starts_with("/token") => {
            Reply::json(200, r#"{"token":"s3cret"}"#)
        }
        (_, Some("Bearer s3cret")) => list(),
        _ => {
            let host = seen.header("host").unwrap_or_default();
            let realm = format!("Bearer realm=\"http://{host}/token\"");
            Reply::new(401).with("www-authenticate", &realm)
        }
    })
    .await;
    let credentials = Arc::new(Credentials::fixed("me", Secret::new("hunter2")));
    let options = RegistryOptions { credentials, ..RegistryOptions::default() };
    script.web_with(&options).tags().await.unwrap();
    let lines = log.lines("plimsoll_registry::http::transport");
    assert_eq!(lines.len(), 3, "{lines:#?}");
    let last = &lines[2];
    for part in ["method=GET", "/v2/acme/web/tags/list?n=1000", "200", "attempt=1", "duration_ms="]
    {
        assert!(last.contains(part), "{last}");
    }
    for secret in ["s3cret", "hunter2", "bWU6aHVudGVyMg=="] {
        assert_eq!(log.lines(secret), [""; 0]);
    }
}
