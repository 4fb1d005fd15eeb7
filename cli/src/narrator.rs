//! Narrators: tell of a copy, with what they remember of its plan.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use plimsoll_registry::{
    BlobHow, CopyEvent, CopyPlan, CopyReport, Digest, Previous, Progress, Tag, TagOutcome, Total,
};

use crate::console::Console;
use crate::event::{Event, Kept, Share};

/// Tells a console of one copy. Clones are one narrator.
#[derive(Clone)]
pub(crate) struct Narrator {
    console: Console,
    /// What the tags to be written are before that, by destination.
    before: Arc<Mutex<HashMap<(String, Tag), Previous>>>,
}

impl Narrator {
    pub(crate) fn new(console: &Console) -> Self {
        Self { console: console.clone(), before: Arc::default() }
    }

    /// What is to be done.
    pub(crate) fn planned(&self, plan: &CopyPlan) {
        let mut before = self.before.lock().expect("no holder of this lock panics");
        let mut read: BTreeSet<(&Digest, u64)> = BTreeSet::new();
        let mut destinations = Vec::with_capacity(plan.destinations.len());
        for own in &plan.destinations {
            let copies = own.blobs.iter().filter(|step| step.how == BlobHow::Copy);
            read.extend(copies.map(|step| (&step.descriptor.digest, step.descriptor.size)));
            let (copy, mount) = (own.to_copy, own.to_mount);
            let skip = own.blobs.len() as u64 - copy.count - mount.count;
            destinations.push(Share { destination: own.name.clone(), copy, mount, skip });
        }
        let bytes = read.iter().map(|(_, size)| size).sum();
        let read = Total { count: read.len() as u64, bytes };
        self.console.tell(&Event::CopyPlanned { read, destinations });
        for own in &plan.destinations {
            for step in &own.tags {
                let key = (own.name.clone(), step.tag.clone());
                before.insert(key, step.previous.clone());
                self.console.tell(&Event::TagPlanned {
                    repository: own.name.clone(),
                    tag: step.tag.clone(),
                    before: step.previous.clone(),
                    target: step.target.digest.clone(),
                });
            }
            for skip in &own.tag_skips {
                let (repository, tag) = (own.name.clone(), skip.tag.clone());
                let reason = Kept::Copy(skip.reason.clone());
                self.console.tell(&Event::TagKept { repository, tag, reason });
            }
        }
    }

    /// What became of the tags that could not be written: the copy itself tells of the others.
    pub(crate) fn copied(&self, report: &CopyReport) {
        for own in &report.destinations {
            for tag in &own.tags {
                let TagOutcome::Failed { error } = &tag.outcome else { continue };
                self.console.tell(&Event::TagFailed {
                    repository: own.name.clone(),
                    tag: tag.tag.clone(),
                    now: Previous::NotRead,
                    error: error.clone(),
                });
            }
        }
    }
}

impl Progress for Narrator {
    fn event(&self, event: CopyEvent) {
        let CopyEvent::TagWritten { destination, tag, digest } = event else {
            return self.console.tell_all(Event::of_copy(event));
        };
        let key = (destination.to_string(), tag);
        let before = self.before.lock().expect("no holder of this lock panics").remove(&key);
        let ((repository, tag), now) = (key, Previous::At(digest));
        self.console.tell(&match before {
            None | Some(Previous::Absent) => Event::TagCreated { repository, tag, now },
            Some(before) => Event::TagMoved { repository, tag, before, now },
        });
    }
}
