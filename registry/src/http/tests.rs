//! The store against a scripted server, by subject.

mod admission;
mod auth;
#[cfg(feature = "fake")]
mod budgets;
#[cfg(feature = "fake")]
mod downloads;
#[cfg(feature = "fake")]
mod edges;
mod faults;
mod http2;
mod issuers;
mod manifests;
mod mirrors;
#[cfg(feature = "fake")]
mod profiles;
mod pushes;
#[cfg(feature = "fake")]
mod referrers;
mod tagging;
mod tags;
mod tls;
#[cfg(feature = "fake")]
mod uploads;

use bytes::Bytes;

use super::script::Reply;
use crate::manifest::{Manifest, MediaType};
use crate::reference::Selector;
use crate::tag::Tag;

fn tag(text: &str) -> Tag {
    text.parse().expect("a legal tag")
}

fn by_tag(text: &str) -> Selector {
    Selector::Tag(tag(text))
}

const BODY: &str = r#"{"schemaVersion":2}"#;

fn manifest() -> Manifest {
    Manifest::received(Bytes::from_static(BODY.as_bytes()), MediaType::OCI_INDEX, None)
        .expect("a manifest")
}

/// What a registry answers to GET and HEAD of [`manifest`].
fn found() -> Reply {
    Reply::new(200)
        .with("content-type", MediaType::OCI_INDEX)
        .with("docker-content-digest", manifest().digest().as_str())
        .body(BODY)
}

fn stored() -> Reply {
    Reply::new(201).with("docker-content-digest", manifest().digest().as_str())
}

fn refused(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(status, &format!(r#"{{"errors":[{{"code":"{code}","message":"{message}"}}]}}"#))
}
