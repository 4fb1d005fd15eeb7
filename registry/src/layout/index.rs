//! `index.json`: what a layout holds, and under which names.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::Range;

use serde::de::DeserializeOwned;

use crate::digest::Digest;
use crate::layout::json::{self, Parts};
use crate::manifest::{Descriptor, MediaType};
use crate::tag::Tag;

/// The annotation that holds the tag of an entry.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The annotation by which containerd imports an entry: a whole reference, tag included.
const IMAGE_NAME: &str = "io.containerd.image.name";

/// An `index.json` that lists nothing.
pub(crate) const EMPTY: &str = concat!(
    r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","#,
    r#""manifests":[]}"#
);

/// An `index.json` as written, and what its entries say.
#[derive(Debug)]
pub(crate) struct Index {
    text: String,
    manifests: Parts,
    entries: Vec<Entry>,
}

/// One element of `manifests`.
#[derive(Debug)]
struct Entry {
    descriptor: Descriptor,
    /// Any text at all, a tag or not.
    name: Option<String>,
    at: Range<usize>,
}

/// An `index.json` that does not say what the layout holds.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IndexError {
    #[error(transparent)]
    Syntax(#[from] serde_json::Error),
    #[error("{problem} at line {line} column {column}")]
    Shape { problem: String, line: usize, column: usize },
}

/// One tag on several digests: nothing says which of them it means.
#[derive(Debug, thiserror::Error)]
#[error("tag {tag} is on {} and on {}", .digests[0], .digests[1])]
pub(crate) struct Ambiguous {
    pub(crate) tag: Tag,
    digests: [Digest; 2],
}

impl Index {
    pub(crate) fn parse(text: String) -> Result<Self, IndexError> {
        let root = json::root(&text)?;
        let shape = |problem: &str, at: usize| shape(&text, problem, at);
        let object = object(&text, root.clone(), "index.json")?;
        let manifests = object.get("manifests");
        let manifests =
            manifests.ok_or_else(|| shape("there is no manifests array", root.start))?;
        let at = manifests.value.clone();
        let manifests = Parts::array(&text, at.clone())
            .ok_or_else(|| shape("manifests is no array", at.start))?;
        let entry = |(n, part): (usize, &json::Part)| Entry::parse(&text, n, part.value.clone());
        let entries = manifests.parts.iter().enumerate().map(entry).collect::<Result<_, _>>()?;
        Ok(Self { text, manifests, entries })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Every name that is a legal tag; other names are other tools' business.
    pub(crate) fn tags(&self) -> Result<BTreeSet<Tag>, Ambiguous> {
        let names = self.entries.iter().filter_map(|entry| entry.name.as_deref());
        let tags: BTreeSet<Tag> = names.filter_map(|name| name.parse().ok()).collect();
        for tag in &tags {
            self.tagged(tag)?;
        }
        Ok(tags)
    }

    /// What `tag` points at.
    pub(crate) fn tagged(&self, tag: &Tag) -> Result<Option<&Descriptor>, Ambiguous> {
        let mut holders = self.entries.iter().filter(|entry| entry.holds(tag));
        let Some(first) = holders.next().map(|entry| &entry.descriptor) else { return Ok(None) };
        match holders.find(|entry| entry.descriptor.digest != first.digest) {
            None => Ok(Some(first)),
            Some(other) => Err(Ambiguous {
                tag: tag.clone(),
                digests: [first.digest.clone(), other.descriptor.digest.clone()],
            }),
        }
    }

    /// The first entry with that digest.
    pub(crate) fn entry(&self, digest: &Digest) -> Option<&Descriptor> {
        let descriptors = self.entries.iter().map(|entry| &entry.descriptor);
        descriptors.into_iter().find(|descriptor| descriptor.digest == *digest)
    }

    /// What all entries point at, in their order.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = &Descriptor> {
        self.entries.iter().map(|entry| &entry.descriptor)
    }

    /// With containerd's `name` on the entries of `tag`, which it imports them by.
    pub(crate) fn with_image_name(mut self, tag: &Tag, name: &str) -> Result<Self, IndexError> {
        for n in 0..self.entries.len() {
            let entry = &self.entries[n];
            let text = &self.text[entry.at.clone()];
            if entry.holds(tag) {
                let annotations = json::get(text, "annotations").unwrap_or("{}");
                let annotations = json::set(annotations, IMAGE_NAME, &json::quote(name));
                let named = json::set(text, "annotations", &annotations);
                self = Self::parse(json::replace(&self.text, &entry.at, &named))?;
            }
        }
        Ok(self)
    }

    /// With `tag` on `new` and on nothing else; everything else as written.
    pub(crate) fn with_tag(self, tag: &Tag, new: &Descriptor) -> Result<Self, IndexError> {
        let index = self.without_tag(tag)?;
        // An entry that promises another size or type is wrong, and is not copied.
        let same = |entry: &&Entry| entry.descriptor == *new;
        let text = &index.text;
        let unnamed = index.entries.iter().filter(same).find(|entry| entry.name.is_none());
        let changed = if let Some(entry) = unnamed {
            json::replace(text, &entry.at, &named(&text[entry.at.clone()], tag))
        } else {
            let added = match index.entries.iter().find(same) {
                Some(entry) => named(&without_image_name(&text[entry.at.clone()]), tag),
                None => fresh(new, tag),
            };
            index.manifests.with(text, &added)
        };
        Self::parse(changed)
    }

    /// With `tag` on nothing. An entry goes only when another has its digest, so that nothing
    /// the layout holds becomes unreachable; else it stays, without the name.
    pub(crate) fn without_tag(mut self, tag: &Tag) -> Result<Self, IndexError> {
        while let Some(at) = self.entries.iter().position(|entry| entry.holds(tag)) {
            let entry = &self.entries[at];
            let same = |other: &&Entry| other.descriptor.digest == entry.descriptor.digest;
            let changed = if self.entries.iter().filter(same).count() > 1 {
                self.manifests.without(&self.text, at)
            } else {
                let unnamed = unnamed(&self.text[entry.at.clone()], tag);
                json::replace(&self.text, &entry.at, &unnamed)
            };
            self = Self::parse(changed)?;
        }
        Ok(self)
    }
}

impl Entry {
    fn parse(text: &str, n: usize, at: Range<usize>) -> Result<Self, IndexError> {
        let subject = format!("manifests[{n}]");
        let object = object(text, at.clone(), &subject)?;
        let media_type: String = field(text, &object, &subject, "mediaType", at.start)?;
        let descriptor = Descriptor {
            media_type: MediaType::new(&media_type),
            digest: field(text, &object, &subject, "digest", at.start)?,
            size: field(text, &object, &subject, "size", at.start)?,
        };
        let name = match object.get("annotations") {
            None => None,
            Some(part) => {
                let subject = format!("annotations of {subject}");
                let annotations = self::object(text, part.value.clone(), &subject)?;
                // No string is a name too, though no tag: it is there and stays.
                let name = |part: &json::Part| serde_json::from_str(&text[part.value.clone()]);
                annotations.get(REF_NAME).map(|part| name(part).unwrap_or_default())
            }
        };
        Ok(Self { descriptor, name, at })
    }

    fn holds(&self, tag: &Tag) -> bool {
        self.name.as_deref() == Some(tag.as_str())
    }
}

/// The members of an object of which none is there twice.
fn object(text: &str, at: Range<usize>, subject: &str) -> Result<Parts, IndexError> {
    let start = at.start;
    let object = Parts::object(text, at)
        .ok_or_else(|| shape(text, &format!("{subject} is no object"), start))?;
    match object.twice() {
        None => Ok(object),
        Some(part) => {
            let problem = format!("{subject} has {:?} twice", part.key);
            Err(shape(text, &problem, part.value.start))
        }
    }
}

/// The member `key` of the `object` that starts at `at`.
fn field<T: DeserializeOwned>(
    text: &str,
    object: &Parts,
    subject: &str,
    key: &str,
    at: usize,
) -> Result<T, IndexError> {
    let Some(part) = object.get(key) else {
        return Err(shape(text, &format!("{subject} has no {key}"), at));
    };
    serde_json::from_str(&text[part.value.clone()])
        .map_err(|_| shape(text, &format!("{subject} has an illegal {key}"), part.value.start))
}

fn shape(text: &str, problem: &str, at: usize) -> IndexError {
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let column = before.len() - before.rfind('\n').map_or(0, |newline| newline + 1) + 1;
    IndexError::Shape { problem: problem.to_owned(), line, column }
}

/// `entry` with `tag` for its name.
fn named(entry: &str, tag: &Tag) -> String {
    let annotations = json::get(entry, "annotations").unwrap_or("{}");
    let annotations = json::set(annotations, REF_NAME, &json::quote(tag.as_str()));
    json::set(entry, "annotations", &annotations)
}

/// `entry` without its name, and without containerd's name when that says the same.
fn unnamed(entry: &str, tag: &Tag) -> String {
    let image_name = json::get(entry, "annotations").and_then(|all| json::get(all, IMAGE_NAME));
    let image_name: Option<String> = image_name.and_then(|name| serde_json::from_str(name).ok());
    let same = image_name.is_some_and(|name| {
        name.strip_suffix(tag.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with(':'))
    });
    // containerd would go on importing the entry under the tag that has moved away.
    let entry = if same { without_image_name(entry) } else { entry.to_owned() };
    without_annotation(&entry, REF_NAME)
}

/// `entry` without containerd's name, which names another reference than the copy gets.
fn without_image_name(entry: &str) -> String {
    without_annotation(entry, IMAGE_NAME)
}

fn without_annotation(entry: &str, key: &str) -> String {
    let Some(annotations) = json::get(entry, "annotations") else { return entry.to_owned() };
    if json::get(annotations, key).is_none() {
        return entry.to_owned();
    }
    match json::remove(annotations, key) {
        none if none == "{}" => json::remove(entry, "annotations"),
        rest => json::set(entry, "annotations", &rest),
    }
}

/// An entry for a manifest that the index does not mention.
fn fresh(descriptor: &Descriptor, tag: &Tag) -> String {
    let Descriptor { media_type, digest, size } = descriptor;
    let (media_type, digest) = (json::quote(media_type.as_str()), json::quote(digest.as_str()));
    named(&format!(r#"{{"mediaType":{media_type},"digest":{digest},"size":{size}}}"#), tag)
}
