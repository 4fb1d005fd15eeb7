//! Bars: events for people who look on, drawn and redrawn on a terminal.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressFinish, ProgressStyle};
use plimsoll_registry::Digest;

use crate::console::print;
use crate::event::Event;
use crate::failure::one_line;
use crate::lines;

/// A bar for each blob under way, and below them one for all.
///
/// Nothing is coloured, so there is nothing for `NO_COLOR` to take away.
#[derive(Default)]
pub(crate) struct Bars {
    screen: MultiProgress,
    blobs: HashMap<Digest, ProgressBar>,
    total: Option<ProgressBar>,
    counts: Counts,
}

/// What has been done by now.
#[derive(Default)]
struct Counts {
    /// The bytes to be read, of what is under way or done; more than planned when a registry
    /// does not mount what it was asked to.
    started: u64,
    copied: u64,
    mounted: u64,
    skipped: u64,
}

impl Bars {
    pub(crate) fn tell(&mut self, event: &Event) {
        match event {
            Event::Looking { repository } => self.status(&format!("looking at {repository}")),
            Event::CopyPlanned { read, .. } => {
                let total = self.total();
                total.set_length(read.bytes);
                total.set_style(style("{bar:16} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {wide_msg}"));
                total.set_message("");
            }
            Event::BlobStarted { digest, size } => self.started(digest, *size),
            Event::BlobProgress { digest, done } => self.moved(digest, *done),
            Event::BlobCopied { digest, .. } => {
                self.counts.copied += 1;
                if let Some(bar) = self.blobs.remove(digest) {
                    bar.finish_and_clear();
                }
                self.count();
            }
            Event::BlobMounted { .. } => {
                self.counts.mounted += 1;
                self.count();
            }
            Event::BlobSkipped { .. } => {
                self.counts.skipped += 1;
                self.count();
            }
            Event::TagCreated { repository, tag, .. } | Event::TagMoved { repository, tag, .. } => {
                self.status(&format!("tagged {repository}:{tag}"));
            }
            Event::DestinationFailed { error, .. } => {
                self.say(&one_line(&format!("stopped: {error}")));
            }
            _ => {
                if let Some(text) = lines::of_message(event) {
                    self.say(&text);
                }
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        self.blobs.drain().for_each(|(_, bar)| bar.finish_and_clear());
        if let Some(total) = self.total.take() {
            total.finish_and_clear();
        }
    }

    fn started(&mut self, digest: &Digest, size: u64) {
        self.counts.started += size;
        let total = self.total();
        let length = total.length().unwrap_or_default().max(self.counts.started);
        total.set_length(length);
        let bar = self.screen.insert_before(&total, ProgressBar::new(size));
        bar.set_style(style(
            "{prefix} {bar:16} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec}",
        ));
        bar.set_prefix(digest.short());
        self.blobs.insert(digest.clone(), bar);
    }

    fn moved(&mut self, digest: &Digest, done: u64) {
        let Some(bar) = self.blobs.get(digest) else { return };
        let before = bar.position();
        bar.set_position(done);
        if let Some(total) = &self.total {
            // A blob that is read again goes back, and so does the total.
            total.set_position((total.position() + done).saturating_sub(before));
        }
    }

    fn count(&mut self) {
        let Counts { copied, mounted, skipped, .. } = self.counts;
        self.status(&format!("copied {copied}, mounted {mounted}, skipped {skipped}"));
    }

    fn status(&mut self, text: &str) {
        self.total().set_message(one_line(text));
    }

    /// The bar below all others: a spinner until it is known how much there is to copy.
    fn total(&mut self) -> ProgressBar {
        let screen = &self.screen;
        let new = || {
            let bar = screen.add(ProgressBar::no_length().with_finish(ProgressFinish::AndClear));
            bar.set_style(style("{spinner} {wide_msg}"));
            // What moves shows that the program has not died while a registry takes its time.
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        };
        self.total.get_or_insert_with(new).clone()
    }

    /// Prints above the bars.
    fn say(&self, text: &str) {
        self.screen.suspend(|| print(text));
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .expect("the template is well-formed")
        .progress_chars("=> ")
}
