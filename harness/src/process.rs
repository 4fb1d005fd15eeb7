//! Who started a container: written on it as labels, so that what a dead process left can be
//! told from what a living one uses.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::SystemTime;

/// This process, as no other process of this machine has ever been.
#[derive(Debug)]
pub(crate) struct ProcessIdentity {
    run: String,
    pid: u32,
    /// Clock ticks from boot to the start of the process: a reused pid has another.
    start_time: u64,
    boot_id: String,
}

impl ProcessIdentity {
    pub(crate) fn current() -> &'static Self {
        static CURRENT: LazyLock<ProcessIdentity> = LazyLock::new(ProcessIdentity::read);
        &CURRENT
    }

    /// A name on the engine: `plimsoll-<run>-<name>`, numbered from its second use in this
    /// process on, since tests that run side by side call their nodes the same.
    pub(crate) fn name(&self, name: &str) -> String {
        static USES: LazyLock<Mutex<HashMap<String, u32>>> = LazyLock::new(Mutex::default);
        let mut uses = USES.lock().unwrap_or_else(PoisonError::into_inner);
        let count = uses.entry(name.to_owned()).or_default();
        *count += 1;
        match *count {
            1 => format!("plimsoll-{}-{name}", self.run),
            again => format!("plimsoll-{}-{name}-{again}", self.run),
        }
    }

    pub(crate) fn labels(&self, node: &str) -> HashMap<String, String> {
        let Self { run, pid, start_time, boot_id } = self;
        [
            ("dev.plimsoll.node", node.to_owned()),
            ("dev.plimsoll.run", run.clone()),
            ("dev.plimsoll.pid", pid.to_string()),
            ("dev.plimsoll.start-time", start_time.to_string()),
            ("dev.plimsoll.boot-id", boot_id.clone()),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
    }

    fn read() -> Self {
        let pid = std::process::id();
        // Where there is no /proc the labels say 0 and nothing: not provably dead, so kept.
        let start_time = std::fs::read_to_string("/proc/self/stat")
            .ok()
            .and_then(|stat| start_time(&stat))
            .unwrap_or_default();
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .map(|id| id.trim().to_owned())
            .unwrap_or_default();
        let mut hasher = DefaultHasher::new();
        (pid, start_time, &boot_id, SystemTime::now()).hash(&mut hasher);
        let run = format!("{:08x}", hasher.finish() >> 32);
        Self { run, pid, start_time, boot_id }
    }
}

/// Field 22 of `/proc/<pid>/stat`. Field 2, the program's name, may hold spaces and brackets.
fn start_time(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_time_survives_a_hostile_program_name() {
        let stat = "12 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20";
        assert_eq!(start_time(stat), Some(4242));
        assert_eq!(start_time("12 (cut"), None);
    }

    #[test]
    fn the_second_container_of_a_name_gets_another_name() {
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
    }
}
