//! Who something on the engine belongs to: written on it as labels, so that what a dead process
//! left can be told from what a living one uses.

use std::collections::HashMap;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::SystemTime;

use plimsoll_reaper::{Identity, LEASE, NODE, RUN, SHARE};

use crate::inside;

tokio::task_local! {
    /// Set while something is created that this process does not own.
    static OWNER: Arc<ProcessIdentity>;
}

/// The process whose end is the end of what is created: this one, or, for what is shared by a
/// run, its runner.
#[derive(Debug)]
pub(crate) struct ProcessIdentity {
    process: Identity,
    /// What names have in common, and no other process's names.
    run: String,
    share: Option<Share>,
    uses: Mutex<HashMap<String, u32>>,
}

/// What something is shared by.
#[derive(Clone, Debug)]
pub(crate) struct Share {
    pub(crate) key: String,
    pub(crate) lease: PathBuf,
}

impl ProcessIdentity {
    /// The owner of what is created now.
    pub(crate) fn current() -> Arc<Self> {
        static SELF: LazyLock<Arc<ProcessIdentity>> =
            LazyLock::new(|| Arc::new(ProcessIdentity::new(Identity::current(), None)));
        OWNER.try_with(Arc::clone).unwrap_or_else(|_| SELF.clone())
    }

    /// The owner of what the processes of a runner share.
    pub(crate) fn of_runner(runner: Identity, share: Share) -> Self {
        Self::new(runner, Some(share))
    }

    /// What names have in common.
    pub(crate) fn run(&self) -> &str {
        &self.run
    }

    /// What is created by this work belongs to this owner.
    pub(crate) async fn owns<F: Future>(self: Arc<Self>, work: F) -> F::Output {
        OWNER.scope(self, work).await
    }

    /// Whether what it owns may outlive this process.
    pub(crate) fn is_shared(&self) -> bool {
        self.share.is_some()
    }

    /// A name on the engine: `plimsoll-<run>-<name>`, numbered from its second use on, since
    /// tests that run side by side call their nodes the same. The run is another in each process,
    /// so in each retry of a test as well.
    pub(crate) fn name(&self, name: &str) -> String {
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        let count = uses.entry(name.to_owned()).or_default();
        *count += 1;
        match *count {
            1 => format!("plimsoll-{}-{name}", self.run),
            again => format!("plimsoll-{}-{name}-{again}", self.run),
        }
    }

    pub(crate) fn labels(&self, node: &str) -> HashMap<String, String> {
        let mut labels =
            HashMap::from([(NODE.to_owned(), node.to_owned()), (RUN.to_owned(), self.run.clone())]);
        labels.extend(self.process.labels().map(|(key, value)| (key.to_owned(), value)));
        labels.extend(inside::label());
        if let Some(Share { key, lease }) = &self.share {
            labels.insert(SHARE.to_owned(), key.clone());
            labels.insert(LEASE.to_owned(), lease.to_string_lossy().into_owned());
        }
        labels
    }

    /// Finds what it owns on the engine, of one share if it is one's.
    pub(crate) fn filter(&self) -> Vec<String> {
        let process =
            self.process.labels().into_iter().map(|(key, value)| format!("{key}={value}"));
        let share = self.share.iter().flat_map(|Share { key, lease }| {
            [format!("{SHARE}={key}"), format!("{LEASE}={}", lease.display())]
        });
        process.chain(share).collect()
    }

    fn new(process: Identity, share: Option<Share>) -> Self {
        let mut hasher = DefaultHasher::new();
        (&process, std::process::id(), SystemTime::now()).hash(&mut hasher);
        let run = format!("{:08x}", hasher.finish() >> 32);
        Self { process, run, share, uses: Mutex::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edge_parallel_names_are_numbered() {
        let process = ProcessIdentity::current();
        let first = process.name("twice");
        assert_eq!(process.name("twice"), format!("{first}-2"));
        assert!(first.starts_with("plimsoll-") && first.ends_with("-twice"), "{first}");
    }

    #[test]
    fn labels_say_which_process() {
        let labels = ProcessIdentity::current().labels("db");
        assert_eq!(labels["dev.plimsoll.node"], "db");
        assert_eq!(labels["dev.plimsoll.pid"], std::process::id().to_string());
        assert!(!labels.contains_key("dev.plimsoll.share"));
    }

    #[tokio::test]
    async fn what_a_runner_owns_says_so_and_nothing_after_it() {
        let share = Share { key: "app".to_owned(), lease: "/run/lease".into() };
        let runner = Identity { pid: 1, ..Identity::current() };
        let owner = Arc::new(ProcessIdentity::of_runner(runner, share));
        let labels = owner.owns(async { ProcessIdentity::current().labels("db") }).await;
        assert_eq!((&labels[SHARE][..], &labels[LEASE][..]), ("app", "/run/lease"));
        assert_eq!(labels["dev.plimsoll.pid"], "1");
        assert!(!ProcessIdentity::current().is_shared());
    }
}
