//! Transport: one request to one answer, over redirects, without credentials of its own.

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderValue, LOCATION, WARNING};
use reqwest::{Client, Method, Url, redirect::Policy};
use tokio::time::{Instant, timeout};
use tracing::{debug, warn};

use super::opened::Opened;
use super::options::RegistryOptions;
use super::payload::Payload;
use super::redirect::{self, RedirectError};
use super::request::{Answer, Failure, Request};
use super::text::{printable, redacted};
use super::tls::{self, Peer};
use super::unreachable;
use crate::store::{Blame, StoreError};

/// How many distinct warnings of a registry are passed on: each once.
const WARNINGS: usize = 50;

/// The connections to one registry and to the hosts that it leads to.
pub(super) struct Transport {
    /// The name of the registry's host, without port.
    home_name: String,
    home: Client,
    away: Client,
    /// The longest to wait for the next bytes of an answer. The library's own limit of that
    /// kind would end every upload that takes longer, since nothing is answered before its end.
    patience: Duration,
    warnings: Mutex<HashSet<String>>,
}

impl Transport {
    /// Connections to the registry at `base`, made when they are needed.
    pub(super) fn new(base: &Url, options: &RegistryOptions) -> Result<Self, StoreError> {
        let is_loopback = is_loopback(base);
        Ok(Self {
            home_name: base.host_str().unwrap_or_default().to_owned(),
            home: client(base, options, Peer::Home, is_loopback)?,
            away: client(base, options, Peer::Away, false)?,
            patience: options.read_timeout,
            warnings: Mutex::default(),
        })
    }

    /// Sends `request`, with `authorization` as long as it stays on its host, and follows
    /// redirects. `attempt` is for the log.
    pub(super) async fn open(
        &self,
        request: &Request,
        authorization: Option<&HeaderValue>,
        attempt: u32,
    ) -> Result<Opened, Failure> {
        let mut url = request.url.clone();
        for _ in 0..=redirect::LIMIT {
            let shown = authorization.filter(|_| redirect::is_same_host(&request.url, &url));
            let opened = self.hop(request, &url, shown, attempt, None).await?;
            if !redirect::is_redirect(opened.head.status) {
                return Ok(opened);
            }
            // To its end, so that the connection can be used again.
            let answer = opened.read(request).await?;
            url = redirect::target(&request.method, &url, answer.status, answer.header(LOCATION))
                .map_err(|error| astray(request, &answer, error))?;
        }
        let error = RedirectError::TooMany;
        let message = format!("{}: {} {}", request.purpose, request.method, redacted(&url));
        Err(Failure::lasting(StoreError::new(Blame::Registry, message).with_source(error)))
    }

    /// [`Transport::open`], and the whole of the answer.
    pub(super) async fn exchange(
        &self,
        request: &Request,
        authorization: Option<&HeaderValue>,
        attempt: u32,
    ) -> Result<Answer, Failure> {
        self.open(request, authorization, attempt).await?.read(request).await
    }

    /// Sends `request` with a body that can be given only once. A redirect is not followed.
    pub(super) async fn upload(
        &self,
        request: &Request,
        payload: Payload,
        authorization: Option<&HeaderValue>,
        attempt: u32,
    ) -> Result<Answer, Failure> {
        let opened = self.hop(request, &request.url, authorization, attempt, Some(payload)).await?;
        let answer = opened.read(request).await?;
        match redirect::is_redirect(answer.status) {
            true => {
                let host = request.url.host_str().unwrap_or_default().to_owned();
                Err(astray(request, &answer, RedirectError::Write { host }))
            }
            false => Ok(answer),
        }
    }

    async fn hop(
        &self,
        request: &Request,
        url: &Url,
        shown: Option<&HeaderValue>,
        attempt: u32,
        payload: Option<Payload>,
    ) -> Result<Opened, Failure> {
        let started = Instant::now();
        let result = self.send(request, url, shown, payload).await;
        let status = match &result {
            Ok(opened) => opened.head.status.as_u16().to_string(),
            Err(failure) => failure.error.to_string(),
        };
        debug!(
            method = %request.method,
            url = redacted(url),
            status,
            attempt,
            duration_ms = started.elapsed().as_millis(),
            "request"
        );
        result
    }

    async fn send(
        &self,
        request: &Request,
        url: &Url,
        shown: Option<&HeaderValue>,
        payload: Option<Payload>,
    ) -> Result<Opened, Failure> {
        let at_home = url.host_str() == Some(self.home_name.as_str());
        let client = if at_home { &self.home } else { &self.away };
        let mut sent = reqwest::Request::new(request.method.clone(), url.clone());
        *sent.headers_mut() = request.headers.clone();
        if let Some(authorization) = shown {
            sent.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        let response = match payload {
            Some(payload) => {
                *sent.body_mut() = Some(payload.body);
                payload.pulse.keep(client.execute(sent)).await
            }
            None => {
                if !request.body.is_empty() {
                    *sent.body_mut() = Some(request.body.clone().into());
                } else if [Method::POST, Method::PUT, Method::PATCH].contains(&request.method) {
                    // Proxies refuse such a request with 411 when it does not say that it is empty.
                    sent.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(0));
                }
                timeout(self.patience, client.execute(sent)).await.ok()
            }
        };
        let Some(response) = response else { return Err(unreachable::silence(request, url)) };
        let response = response.map_err(|error| unreachable::failure(request, url, error))?;
        let head = Answer {
            status: response.status(),
            headers: response.headers().clone(),
            url: url.clone(),
            body: Bytes::new(),
            shown: shown.cloned(),
        };
        self.pass_on_warnings(&head);
        Ok(Opened::new(head, response, self.patience))
    }

    /// `Warning: 299 - "text"` is the registry's way to reach people, once per text.
    fn pass_on_warnings(&self, answer: &Answer) {
        for text in answer.header_lines(WARNING).filter_map(warning_text) {
            let mut seen = self.warnings.lock().expect("no holder of this lock panics");
            if seen.len() < WARNINGS && seen.insert(text.clone()) {
                warn!(registry = self.home_name, "the registry warns: {text}");
            }
        }
    }
}

fn client(
    base: &Url,
    options: &RegistryOptions,
    peer: Peer,
    is_loopback: bool,
) -> Result<Client, StoreError> {
    let is_https = base.scheme() == "https" && peer == Peer::Home;
    let builder = Client::builder()
        .tls_backend_preconfigured(tls::configuration(options, peer, is_https)?)
        .user_agent(&options.user_agent)
        .redirect(Policy::none())
        .referer(false)
        // Retries are counted and paced here, not below.
        .retry(reqwest::retry::never())
        .connect_timeout(options.connect_timeout)
        .http2_adaptive_window(true)
        // All requests share one connection. One that is dead has to be found out before a request
        // is given up: its retries would go out on the same.
        .http2_keep_alive_interval(options.read_timeout / 3)
        .http2_keep_alive_timeout(options.read_timeout / 3);
    // No proxy can reach this machine's own loopback.
    let builder = if is_loopback { builder.no_proxy() } else { builder };
    let builder = if options.http1_only { builder.http1_only() } else { builder };
    builder.build().map_err(|error| {
        let message = format!("set up the HTTP client for {}", redacted(base));
        StoreError::new(Blame::Local, message).with_source(error)
    })
}

fn is_loopback(url: &Url) -> bool {
    let name = url.host_str().unwrap_or_default();
    name.parse::<crate::host::Host>().is_ok_and(|host| host.is_loopback())
}

fn astray(request: &Request, answer: &Answer, error: RedirectError) -> Failure {
    let (method, url, status) = (&request.method, redacted(&answer.url), answer.status.as_u16());
    let message = format!("{}: {method} {url}: {status}", request.purpose);
    Failure::lasting(StoreError::new(Blame::Registry, message).with_source(error))
}

/// The text in `299 - "text"` (RFC 7234, section 5.5); other codes are not for people.
pub(super) fn warning_text(value: &str) -> Option<String> {
    let rest = value.trim().strip_prefix("299 ")?;
    let (_, quoted) = rest.split_once('"')?;
    let text = super::cursor::Cursor::new(&format!("\"{quoted}")).value(&[]);
    Some(printable(&text)).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edge_39_a_warning_is_its_quoted_text() {
        for (value, text) in [
            (r#"299 - "moves \"soon\"""#, Some(r#"moves "soon""#)),
            (r#"299 reg "a" "Sat, 25 Aug 2012 23:34:45 GMT""#, Some("a")),
            (r#"199 - "misc""#, None),
            ("299 - ", None),
            (r#"299 - """#, None),
        ] {
            assert_eq!(warning_text(value).as_deref(), text, "{value}");
        }
    }
}
