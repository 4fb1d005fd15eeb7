//! Lines: events for people, one line for each that ends something.

use std::collections::HashMap;
use std::time::Instant;

use indicatif::DecimalBytes;
use plimsoll_registry::{Digest, Previous, Tag};

use crate::event::{Event, Share};
use crate::failure::one_line;
use crate::pace::Pace;

/// What has to be known of earlier events to tell of later ones.
pub(crate) struct Lines {
    pace: Pace,
    /// The blobs under way.
    blobs: HashMap<Digest, Blob>,
    /// Whether tags are told of. They are written in a moment, and the report says it all: so
    /// only when asked for, or at the end of a long copy.
    tags: bool,
}

struct Blob {
    size: u64,
    started: Instant,
}

impl Lines {
    pub(crate) fn new(tags: bool) -> Self {
        Self { pace: Pace::of_lines(), blobs: HashMap::new(), tags }
    }

    /// What to print, without the last line's end.
    pub(crate) fn tell(&mut self, event: &Event) -> Option<String> {
        if !self.pace.allows(event) {
            return None;
        }
        if let Event::CopyPlanned { destinations, .. } = event {
            self.tags = true;
            let lines: Vec<_> = destinations.iter().map(share).collect();
            return Some(lines.join("\n"));
        }
        self.of_blob(event).or_else(|| self.of_tag(event)).or_else(|| of_message(event))
    }

    fn of_blob(&mut self, event: &Event) -> Option<String> {
        Some(match event {
            Event::BlobStarted { digest, size } => {
                let blob = Blob { size: *size, started: Instant::now() };
                self.blobs.insert(digest.clone(), blob);
                return None;
            }
            Event::BlobProgress { digest, done } => {
                let Blob { size, started } = self.blobs.get(digest)?;
                let rate = *done as f64 / started.elapsed().as_secs_f64().max(0.001);
                format!(
                    "copying {}: {} of {}, {}/s",
                    digest.short(),
                    DecimalBytes(*done),
                    DecimalBytes(*size),
                    DecimalBytes(rate as u64)
                )
            }
            Event::BlobCopied { destination, digest, size } => {
                format!("copied {} ({}) to {destination}", digest.short(), DecimalBytes(*size))
            }
            Event::BlobMounted { destination, digest, size } => {
                format!("mounted {} ({}) in {destination}", digest.short(), DecimalBytes(*size))
            }
            Event::ManifestWritten { destination, digest } => {
                format!("wrote manifest {} to {destination}", digest.short())
            }
            Event::DestinationFailed { error, .. } => {
                format!("stopped: {error}")
            }
            _ => return None,
        })
        .map(|line| one_line(&line))
    }

    fn of_tag(&self, event: &Event) -> Option<String> {
        let tagged = |repository: &str, tag: &Tag, before: Option<&Previous>, now: &Previous| {
            let digest = |at: Option<&Previous>| at.and_then(Previous::digest).map(Digest::short);
            let from = digest(before).map(|from| format!(" {from} ->")).unwrap_or_default();
            format!("tagged {repository}:{tag}{from} {}", digest(Some(now)).unwrap_or_default())
        };
        let line = match event {
            Event::TagCreated { repository, tag, now } => tagged(repository, tag, None, now),
            Event::TagMoved { repository, tag, before, now } => {
                tagged(repository, tag, Some(before), now)
            }
            Event::TagRolledBack { repository, tag, .. } => format!("put back {repository}:{tag}"),
            Event::TagRemoved { repository, tag, .. } => format!("removed {repository}:{tag}"),
            _ => return None,
        };
        self.tags.then(|| one_line(&line))
    }
}

/// What is not progress.
pub(crate) fn of_message(event: &Event) -> Option<String> {
    match event {
        Event::Log { message } => Some(one_line(message)),
        Event::Note { message } => Some(format!("note: {}", one_line(message))),
        Event::Warning { message } => Some(format!("warning: {}", one_line(message))),
        Event::Error(failure) => Some(failure.text().trim_end().to_owned()),
        _ => None,
    }
}

fn share(share: &Share) -> String {
    let Share { destination, copy, mount, skip } = share;
    let (size, count) = (DecimalBytes(copy.bytes), copy.count);
    let blobs = if count == 1 { "blob" } else { "blobs" };
    one_line(&format!(
        "planned {destination}: copy {count} {blobs} ({size}), mount {}, skip {skip}",
        mount.count
    ))
}
