//! The fallback: an index of referrers under a tag, kept by those who write to it.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Reference, Referrer, read};
use crate::digest::Digest;
use crate::manifest::{Manifest, MediaType};
use crate::reference::Selector;
use crate::store::{Blame, Store, StoreError};
use crate::tag::Tag;

/// How often an entry is added again that others have overwritten.
const TRIES: u32 = 24;

/// The shortest time after which a write by somebody else is taken to be over, however quick our
/// own was.
const SETTLED: Duration = Duration::from_millis(100);

/// What the tag holds.
enum Held {
    /// Nothing, or the subject itself, which GitLab finds under any form of its digest.
    Nothing,
    /// An index.
    Index(Manifest),
    /// Something else: old versions of cosign copied the subject to this tag.
    Other(Manifest),
}

/// The tag of the index for `subject`: `sha256-<hex>`.
pub(crate) fn tag(subject: &Digest) -> Tag {
    let algorithm: String = subject.algorithm().chars().take(32).collect();
    let encoded: String = subject.encoded().chars().take(64).collect();
    let legal = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let text: String = format!("{algorithm}-{encoded}").chars().map(legal).collect();
    text.parse().expect("a digest begins with a letter or digit, and is shortened to fit")
}

/// The referrers in the index; none when there is none.
pub(crate) async fn list(store: &dyn Store, subject: &Digest) -> Result<Vec<Referrer>, StoreError> {
    let found = store.get(&Selector::Tag(tag(subject))).await?;
    Ok(match held(found, subject) {
        Held::Index(index) => read(index.bytes()).unwrap_or_default(),
        Held::Nothing | Held::Other(_) => Vec::new(),
    })
}

/// Adds an entry to the index of a store that others may write to at any time, and makes sure
/// that it stays there.
///
/// No registry can replace a tag only if it still is what was read, so two writers who read the
/// same index lose one of their entries. Whoever reads before our write has written about as
/// long after it as we took ourselves: a look after twice that time finds what they overwrote.
pub(crate) async fn add(store: &dyn Store, reference: &Reference) -> Result<(), StoreError> {
    let tag = tag(&reference.subject);
    for _ in 0..TRIES {
        let started = Instant::now();
        let found = store.get(&Selector::Tag(tag.clone())).await?;
        let Some(changed) = merged(found, reference)? else { return Ok(()) };
        store.put(&tag, &changed).await?;
        let settled = (2 * started.elapsed()).max(SETTLED);
        tokio::time::sleep(settled.mul_f64(1.0 + fastrand::f64() / 2.0)).await;
    }
    let entry = &reference.entry["digest"];
    let message = format!("add {entry} to {tag}: others keep overwriting it");
    Err(StoreError::new(Blame::Conflict, message).with_remedy("run the same command again"))
}

/// What the tag is to hold, which now holds `found`, so that the reference is in it; `None` when
/// it is there already.
pub(crate) fn merged(
    found: Option<Manifest>,
    reference: &Reference,
) -> Result<Option<Manifest>, StoreError> {
    let Reference { subject, entry } = reference;
    match held(found, subject) {
        Held::Nothing => Ok(with(None, entry)),
        Held::Index(index) => Ok(with(Some(&index), entry)),
        Held::Other(other) => Err(occupied(&tag(subject), &other)),
    }
}

fn held(found: Option<Manifest>, subject: &Digest) -> Held {
    match found {
        None => Held::Nothing,
        Some(found) if found.digest() == subject => Held::Nothing,
        Some(found) if found.media_type().as_str() == MediaType::OCI_INDEX => Held::Index(found),
        Some(found) => Held::Other(found),
    }
}

/// The index with `entry`, everything else as it was; `None` when it is there.
fn with(index: Option<&Manifest>, entry: &Value) -> Option<Manifest> {
    let empty = || json!({ "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX });
    let read = index.and_then(|index| serde_json::from_slice(index.bytes()).ok());
    let mut body: Value = read.filter(Value::is_object).unwrap_or_else(empty);
    if !body["manifests"].is_array() {
        body["manifests"] = json!([]);
    }
    let entries = body["manifests"].as_array_mut()?;
    if entries.iter().any(|own| own["digest"] == entry["digest"]) {
        return None;
    }
    entries.push(entry.clone());
    let bytes = Bytes::from(body.to_string());
    Some(Manifest::received(bytes, MediaType::OCI_INDEX, None).expect("an index is a manifest"))
}

fn occupied(tag: &Tag, other: &Manifest) -> StoreError {
    let kind = other.media_type();
    let message = format!("add a referrer at {tag}: it holds {kind}, which is no index of them");
    StoreError::new(Blame::Conflict, message)
        .with_remedy(format!("remove the tag {tag} if nothing needs it"))
}
