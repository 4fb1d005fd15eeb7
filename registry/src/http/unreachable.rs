//! Unreachable hosts: a request without an answer, as an error that says why.

use std::error::Error;
use std::io;

use h2::Reason;
use reqwest::Url;
use rustls::{AlertDescription, CertificateError};

use super::request::{Again, Failure, Request};
use super::text::{printable, redacted};
use crate::store::{Blame, StoreError};

/// What the innermost cause says. The layers between it and this crate only say where they are.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Cause(String);

/// What kept a request from being answered.
struct Diagnosis {
    problem: String,
    remedy: Option<String>,
    again: Again,
}

/// The failure of `request`, while it was at `url`.
pub(super) fn failure(request: &Request, url: &Url, error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let host = host_of(url);
    let diagnosis = diagnose(&error, &host);
    let (method, shown) = (&request.method, redacted(url));
    let message = format!("{}: {method} {shown}: {}", request.purpose, diagnosis.problem);
    let cause = Cause(printable(&innermost(&error).to_string()));
    let store_error = StoreError::new(Blame::Registry, message).with_source(cause);
    let error = match diagnosis.remedy {
        Some(remedy) => store_error.with_remedy(remedy),
        None => store_error,
    };
    Failure { error, again: diagnosis.again }
}

/// The failure of `request` for want of an answer, while it was at `url`.
pub(super) fn silence(request: &Request, url: &Url) -> Failure {
    let (method, shown, host) = (&request.method, redacted(url), host_of(url));
    let message = format!("{}: {method} {shown}: {host} did not answer in time", request.purpose);
    let remedy = "try again later, or with a larger read timeout";
    let error = StoreError::new(Blame::Registry, message).with_remedy(remedy);
    Failure { error, again: Again::Unclear }
}

/// The failure of `request` for an answer from `url` that ended before its end.
pub(super) fn truncation(request: &Request, url: &Url) -> Failure {
    let (method, shown, host) = (&request.method, redacted(url), host_of(url));
    let message = format!("{}: {method} {shown}: {host} broke its answer off", request.purpose);
    Failure { error: StoreError::new(Blame::Registry, message), again: Again::Unclear }
}

/// `host[:port]`, as a message names it.
fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn diagnose(error: &reqwest::Error, host: &str) -> Diagnosis {
    if let Some(tls) = find::<rustls::Error>(error) {
        return diagnose_tls(tls, host);
    }
    if error.is_dns() || mentions(error, "dns error") {
        let problem = format!("there is no host {host}");
        let remedy = "check the spelling of the registry's name and the DNS of this machine";
        // A resolver that is busy says so; one that knows no such name means it.
        let busy = mentions(error, "Temporary failure") || mentions(error, "Try again");
        let again = if busy { Again::Safe } else { Again::Never };
        return Diagnosis { problem, remedy: Some(remedy.to_owned()), again };
    }
    if error.is_connect() {
        return diagnose_connection(error, host);
    }
    if let Some(error) = find::<h2::Error>(error).filter(|error| error.is_remote()) {
        return diagnose_stream(error, host);
    }
    if mentions(error, "invalid HTTP") {
        let problem = format!("{host} does not answer in http");
        let remedy = "if it speaks https, leave out --plain-http; \
                      for a loopback host, name its authority by --ca-file";
        return Diagnosis { problem, remedy: Some(remedy.to_owned()), again: Again::Never };
    }
    let problem = format!("{host} closed the connection before it had answered");
    Diagnosis { problem, remedy: None, again: Again::Unclear }
}

fn diagnose_connection(error: &reqwest::Error, host: &str) -> Diagnosis {
    if error.is_timeout() {
        let problem = format!("cannot connect to {host} in time");
        let remedy = "check that a firewall or proxy lets this machine reach it".to_owned();
        return Diagnosis { problem, remedy: Some(remedy), again: Again::Safe };
    }
    match find::<io::Error>(error).map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => Diagnosis {
            problem: format!("{host} refuses connections"),
            remedy: Some(
                "check that the registry runs, its port, and the proxy if HTTPS_PROXY names one"
                    .to_owned(),
            ),
            again: Again::Never,
        },
        _ => Diagnosis {
            problem: format!("cannot connect to {host}"),
            remedy: None,
            again: Again::Safe,
        },
    }
}

/// What a server says that ends a stream of HTTP/2, or all streams of its connection.
fn diagnose_stream(error: &h2::Error, host: &str) -> Diagnosis {
    let (problem, remedy, again) = match error.reason() {
        Some(Reason::HTTP_1_1_REQUIRED) => {
            let remedy = "pass --http1, or set OCITAG_HTTP1=true";
            (format!("{host} wants HTTP/1.1"), Some(remedy.to_owned()), Again::Never)
        }
        // The server promises that it has not looked at the request (RFC 9113, section 8.7).
        // One that goes away without an error ends only what came too late.
        Some(Reason::REFUSED_STREAM) if error.is_reset() => {
            (format!("{host} turned the request away"), None, Again::Safe)
        }
        Some(Reason::NO_ERROR) if error.is_go_away() => {
            (format!("{host} closed the connection before the request"), None, Again::Safe)
        }
        _ => (format!("{host} broke the request off"), None, Again::Unclear),
    };
    Diagnosis { problem, remedy, again }
}

fn diagnose_tls(error: &rustls::Error, host: &str) -> Diagnosis {
    use rustls::Error as Tls;
    let (problem, remedy) = match error {
        Tls::InvalidCertificate(certificate) => diagnose_certificate(certificate, host),
        Tls::InvalidMessage(_) => (
            format!("{host} does not speak https"),
            "if it speaks http, and the network between is yours, pass --plain-http",
        ),
        Tls::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied,
        ) => (
            format!("{host} wants another client certificate, or one at all"),
            "put it as NAME.cert and NAME.key into the registry's certs.d directory",
        ),
        _ => (format!("TLS with {host} failed"), "see what `openssl s_client -connect` says"),
    };
    Diagnosis { problem, remedy: Some(remedy.to_owned()), again: Again::Never }
}

fn diagnose_certificate(error: &CertificateError, host: &str) -> (String, &'static str) {
    use CertificateError as Certificate;
    match error {
        // A signature that does not fit is that of another authority under a trusted one's name.
        Certificate::UnknownIssuer | Certificate::BadSignature => (
            format!("the certificate of {host} is from an authority that is not trusted here"),
            "name the authority's certificate by --ca-file",
        ),
        Certificate::Expired | Certificate::ExpiredContext { .. } => (
            format!("the certificate of {host} has expired"),
            "renew it at the registry, or correct this machine's clock",
        ),
        Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
            (format!("the certificate of {host} is not valid yet"), "correct this machine's clock")
        }
        Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => (
            format!("the certificate of {host} is for another name"),
            "use a name that is in the certificate",
        ),
        // What a self-signed certificate of a server, taken as its own authority, is refused for.
        _ => (
            format!("the certificate of {host} is not acceptable"),
            "have the registry's certificate issued by an authority, and name that by --ca-file",
        ),
    }
}

/// The sources of `error`, outermost first.
fn chain<'a>(error: &'a reqwest::Error) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let first: &(dyn Error + 'static) = error;
    std::iter::successors(Some(first), |error| inner(*error))
}

/// The next error within `error`. An I/O error hides the one it wraps: `source` skips it.
fn inner<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    if let Some(wrapped) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        return Some(wrapped);
    }
    error.source()
}

fn find<T: Error + 'static>(error: &reqwest::Error) -> Option<&T> {
    chain(error).filter_map(|error| error.downcast_ref()).last()
}

fn mentions(error: &reqwest::Error, text: &str) -> bool {
    chain(error).any(|error| error.to_string().contains(text))
}

fn innermost(error: &reqwest::Error) -> &(dyn Error + 'static) {
    chain(error).last().unwrap_or(error)
}
