//! Pace: not to tell of every chunk of a blob.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use plimsoll_registry::Digest;

use crate::event::Event;

/// How often the progress of one blob is told.
pub(crate) struct Pace {
    interval: Duration,
    told: HashMap<Digest, Instant>,
}

impl Pace {
    /// Often enough for a CI system that ends jobs which are silent, and no more.
    pub(crate) fn of_lines() -> Self {
        Self::every(Duration::from_secs(10))
    }

    /// Often enough for a program that draws it.
    pub(crate) fn of_programs() -> Self {
        Self::every(Duration::from_secs(1))
    }

    fn every(interval: Duration) -> Self {
        Self { interval, told: HashMap::new() }
    }

    /// Whether `event` is to be told now. Everything but the progress of a blob is.
    pub(crate) fn allows(&mut self, event: &Event) -> bool {
        self.allows_at(event, Instant::now())
    }

    fn allows_at(&mut self, event: &Event, now: Instant) -> bool {
        match event {
            Event::BlobStarted { digest, .. } => {
                self.told.insert(digest.clone(), now);
                true
            }
            Event::BlobProgress { digest, .. } => {
                let last = self.told.entry(digest.clone()).or_insert(now);
                let is_time = now.duration_since(*last) >= self.interval;
                if is_time {
                    *last = now;
                }
                is_time
            }
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_told_of_once_in_an_interval_and_all_else_always() {
        let (mut pace, start) = (Pace::of_lines(), Instant::now());
        let blobs = [Digest::sha256(b"a"), Digest::sha256(b"b")];
        let progress = |at: usize| Event::BlobProgress { digest: blobs[at].clone(), done: 1 };
        for digest in blobs.clone() {
            assert!(pace.allows_at(&Event::BlobStarted { digest, size: 9 }, start));
        }
        let mut told = |at: usize, second: u64| {
            pace.allows_at(&progress(at), start + Duration::from_secs(second))
        };
        assert_eq!(
            [0, 9, 10, 11, 19, 20].map(|second| told(0, second)),
            [false, false, true, false, false, true]
        );
        assert!(told(1, 20), "each blob has a pace of its own");
        let copied =
            Event::BlobCopied { destination: "d".into(), digest: blobs[0].clone(), size: 9 };
        assert!(pace.allows_at(&copied, start) && pace.allows_at(&copied, start));
    }
}
