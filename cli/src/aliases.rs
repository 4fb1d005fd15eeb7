//! `ocitag aliases`: the references of a release, offline.

use std::collections::BTreeSet;
use std::path::Path;

use plimsoll_registry::{Alias, Breadth, Joined, Leader, Reference, Release, Tag};
use serde::Serialize;

use crate::event::Event;
use crate::failure::Failure;

/// What `ocitag aliases` prints.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Aliases {
    schema: u32,
    /// Exact first, then narrow to broad.
    references: Vec<String>,
    /// The aliases that are not among them.
    kept: Vec<Kept>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    tag: Tag,
    reason: String,
}

impl Aliases {
    /// The references of `images` under `release`, where `existing` tags are known.
    pub(crate) fn of(release: &Release, images: &[Reference], existing: &BTreeSet<Tag>) -> Self {
        let existing = release.existing(existing);
        let mut tags: Vec<Alias> = Vec::new();
        let mut kept = Vec::new();
        for version in &release.versions {
            tags.push(Alias { tag: version.tag().clone(), breadth: Breadth::Exact });
            for alias in release.policy.aliases(version) {
                let reason = match release.policy.leader(&alias, version, &existing) {
                    Leader::Incoming => {
                        tags.push(alias);
                        continue;
                    }
                    Leader::Others(others) => {
                        format!("{} newer than {version}", is_or_are(&others))
                    }
                    Leader::Tied(rivals) => {
                        format!("{} of the same precedence as {version}", is_or_are(&rivals))
                    }
                    Leader::Prerelease => format!("{version} is a prerelease"),
                    Leader::ZeroMajor => "0.x versions promise no compatibility".to_owned(),
                };
                kept.push(Kept { tag: alias.tag, reason });
            }
        }
        tags.sort_by_key(|alias| alias.breadth);
        let of_image = |image: &Reference| {
            tags.iter().map(|alias| image.with_tag(&alias.tag).to_string()).collect::<Vec<_>>()
        };
        let references = images.iter().flat_map(of_image).collect();
        Self { schema: plimsoll_registry::SCHEMA, references, kept }
    }

    /// One reference a line.
    pub(crate) fn text(&self) -> String {
        self.references.iter().map(|reference| format!("{reference}\n")).collect()
    }

    /// Why an alias is missing.
    pub(crate) fn notes(&self) -> impl Iterator<Item = Event> {
        let note = |kept: &Kept| format!("no {}: {}", kept.tag, kept.reason);
        self.kept.iter().map(note).map(|message| Event::Note { message })
    }
}

fn is_or_are(versions: &[plimsoll_registry::VersionTag]) -> String {
    let tags: Vec<Tag> = versions.iter().map(|version| version.tag().clone()).collect();
    format!("{} {}", Joined(&tags), if tags.len() > 1 { "are" } else { "is" })
}

/// Reads a tag list, one tag a line; empty lines do not count.
pub(crate) fn read_tags(path: &Path, text: &str) -> Result<BTreeSet<Tag>, Failure> {
    let mut tags = BTreeSet::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let tag = line.parse().map_err(|error| {
            Failure::usage(format!("--existing: {}, line {}: {error}", path.display(), at + 1))
                .with_remedy("give one tag a line, without the image's name")
        })?;
        tags.insert(tag);
    }
    Ok(tags)
}
