//! `ocitag untag`: removes tags, and never what they point at.

use std::fmt::Write as _;

use plimsoll_registry::{Digest, Reference, SCHEMA, Selector, Store, StoreError, Tag};
use serde::Serialize;

use crate::args::{Format, UntagArgs};
use crate::console::Console;
use crate::destination::Destinations;
use crate::event::Event;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::{Output, json};

/// What `--output json` prints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Untagged {
    schema: u32,
    tags: Vec<Removed>,
    errors: Vec<Failure>,
}

/// One reference whose tag is gone.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Removed {
    reference: String,
    /// What it pointed at; nothing when it was not there.
    before: Option<Digest>,
}

pub(crate) async fn run(args: &UntagArgs, console: &Console) -> Result<Output, Failure> {
    let mut references: Vec<Reference> = Vec::new();
    for image in &args.images {
        let reference: Reference =
            image.parse().map_err(|error| Failure::of(&error, ExitCode::Usage))?;
        if reference.digest().is_some() || reference.tag().is_none() {
            return Err(Failure::usage(format!("{reference} does not name a tag alone"))
                .with_remedy("write IMAGE:TAG; a digest is never deleted"));
        }
        references.push(reference);
    }
    let mut destinations = Destinations::new(&args.registry, &references)?;
    let mut untagged = Untagged { schema: SCHEMA, tags: Vec::new(), errors: Vec::new() };
    for reference in &references {
        let Some(tag) = reference.tag() else { continue };
        let store = destinations.open(reference)?;
        match remove(&*store, tag).await {
            Ok(before) => {
                if let Some(before) = before.clone() {
                    let repository = reference.location().to_string();
                    console.tell(&Event::TagRemoved { repository, tag: tag.clone(), before });
                }
                untagged.tags.push(Removed { reference: reference.to_string(), before });
            }
            Err(error) => {
                untagged.errors.push(Failure::from(error));
                break;
            }
        }
    }
    Ok(untagged.printed(args))
}

/// What the tag pointed at.
async fn remove(store: &dyn Store, tag: &Tag) -> Result<Option<Digest>, StoreError> {
    let before = store.head(&Selector::Tag(tag.clone())).await?;
    if before.is_some() {
        store.untag(tag).await?;
    }
    Ok(before.map(|before| before.digest))
}

impl Untagged {
    fn printed(self, args: &UntagArgs) -> Output {
        let text = || {
            let mut text = String::new();
            for Removed { reference, before } in &self.tags {
                let fate = match before {
                    Some(digest) => format!("{}  removed", digest.short()),
                    None => "was not there".to_owned(),
                };
                // Infallible: writing to a String.
                let _ = writeln!(text, "{reference}  {fate}");
            }
            text
        };
        let stdout = match args.output.output {
            Format::Json => json(&self),
            Format::Text if args.output.quiet => String::new(),
            Format::Text => text(),
        };
        let removed_some = self.tags.iter().any(|removed| removed.before.is_some());
        let code = match self.errors.first() {
            None => ExitCode::Success,
            Some(_) if removed_some => ExitCode::Partial,
            Some(error) => error.exit_code,
        };
        let events = self.errors.into_iter().map(Event::Error).collect();
        Output { stdout, events, code }
    }
}
