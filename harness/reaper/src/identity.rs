//! A process, as no other process has ever been, and the labels that say so.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};

/// The label with a container's, network's or volume's name in its definition.
pub const NODE: &str = "dev.plimsoll.node";
/// The label with the part of names that is the process's own.
pub const RUN: &str = "dev.plimsoll.run";
/// The label with the key that processes share something by.
pub const SHARE: &str = "dev.plimsoll.share";
/// The label with the file that is locked while something shared is in use.
pub const LEASE: &str = "dev.plimsoll.lease";

const PID: &str = "dev.plimsoll.pid";
const START_TIME: &str = "dev.plimsoll.start-time";
const BOOT_ID: &str = "dev.plimsoll.boot-id";
const HOST: &str = "dev.plimsoll.host";

/// A process. Two that are equal are one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Its number, as it sees it itself.
    pub pid: u32,
    /// Clock ticks from boot to its start: a reused number has another.
    pub start_time: u64,
    /// The kernel's run; a crash of the machine ends all its processes.
    pub boot_id: String,
    /// The machine, and which process numbers are meant: `<machine id>-<pid namespace>`.
    pub host: String,
}

impl Identity {
    /// This process.
    #[must_use]
    pub fn current() -> Self {
        Self::of(std::process::id()).unwrap_or_else(|| Self {
            // Where there is no /proc nothing is provably dead, so nothing is swept.
            pid: std::process::id(),
            start_time: 0,
            boot_id: String::new(),
            host: String::new(),
        })
    }

    /// The process with a number, if there is one.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        let stat = Stat::of(pid)?;
        let read = |path: &str| Some(fs::read_to_string(path).ok()?.trim().to_owned());
        let boot_id = read("/proc/sys/kernel/random/boot_id")?;
        let machine = read("/etc/machine-id").unwrap_or_default();
        let namespace = fs::metadata("/proc/self/ns/pid").ok()?.ino();
        let host = format!("{machine}-{namespace}");
        Some(Self { pid, start_time: stat.start_time, boot_id, host })
    }

    /// The labels of what belongs to it.
    #[must_use]
    pub fn labels(&self) -> [(&'static str, String); 4] {
        let Self { pid, start_time, boot_id, host } = self;
        [
            (PID, pid.to_string()),
            (START_TIME, start_time.to_string()),
            (BOOT_ID, boot_id.clone()),
            (HOST, host.clone()),
        ]
    }

    /// The process that something with these labels belongs to.
    #[must_use]
    pub fn of_labels(labels: &HashMap<String, String>) -> Option<Self> {
        let label = |key: &str| labels.get(key).filter(|value| !value.is_empty());
        Some(Self {
            pid: label(PID)?.parse().ok()?,
            start_time: label(START_TIME)?.parse().ok()?,
            boot_id: label(BOOT_ID)?.clone(),
            host: label(HOST)?.clone(),
        })
    }

    /// The filter that finds what belongs to processes of the same machine.
    #[must_use]
    pub fn host_filter(&self) -> String {
        format!("{HOST}={}", self.host)
    }

    /// Whether it has ended, for certain, seen from `here`.
    ///
    /// `one_machine` says that the engine serves this machine alone. Machines that were cloned
    /// have one machine id, so another boot is the same machine's past only then.
    #[must_use]
    pub fn is_dead(&self, here: &Self, one_machine: bool) -> bool {
        if self.host != here.host || here.boot_id.is_empty() {
            return false;
        }
        if self.boot_id != here.boot_id {
            return one_machine;
        }
        match Stat::of(self.pid) {
            Some(stat) => stat.ended || stat.start_time != self.start_time,
            // `hidepid` hides the processes of others, so what cannot be read is asked for.
            None => Pid::from_raw(self.pid.cast_signed())
                .is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH)),
        }
    }
}

/// The parent of a process.
#[must_use]
pub fn parent(pid: u32) -> Option<u32> {
    Stat::of(pid).map(|stat| stat.parent)
}

/// Whether another process belongs to the same session as this one.
///
/// In a process namespace whose first process has begun no session (`unshare --pid`, some CI
/// runners) all sessions from outside are number 0, and so are not told apart; the first process
/// itself, which is given every orphan there, is then not taken for one of the session.
#[must_use]
pub fn share_a_session(pid: u32) -> bool {
    let session = |pid| Stat::of(pid).map(|stat| stat.session);
    match (session(pid), session(std::process::id())) {
        (Some(0), Some(0)) => pid != 1,
        (theirs, ours) => theirs.is_some() && theirs == ours,
    }
}

/// What `/proc/<pid>/stat` says.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    /// Nothing of it runs any more; its parent has not looked yet.
    ended: bool,
    /// 0 if it was begun outside of the process namespace.
    session: u32,
    start_time: u64,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Fields 3, 4, 6 and 22. Field 2, the program's name, may hold spaces and brackets.
    fn parse(stat: &str) -> Option<Self> {
        let (_, after_name) = stat.rsplit_once(')')?;
        let mut fields = after_name.split_whitespace();
        let ended = matches!(fields.next()?, "Z" | "X");
        let parent = fields.next()?.parse().ok()?;
        let session = fields.nth(1)?.parse().ok()?;
        Some(Self { parent, ended, session, start_time: fields.nth(15)?.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_program_name_hides_no_field() {
        let stat = "12 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20";
        let running = Stat { parent: 1, ended: false, session: 3, start_time: 4242 };
        assert_eq!(Stat::parse(stat), Some(running));
        let zombie = Stat { parent: 1, ended: true, session: 3, start_time: 4242 };
        assert_eq!(Stat::parse(&stat.replace(") S ", ") Z ")), Some(zombie));
        assert_eq!(Stat::parse("12 (cut"), None);
    }

    #[test]
    fn labels_and_back() {
        let labels = Identity::current().labels();
        let map = labels.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        assert_eq!(Identity::of_labels(&map), Some(Identity::current()));
        assert_eq!(Identity::of_labels(&HashMap::new()), None);
    }

    #[test]
    fn edge_crashed_runs_are_dead_only_if_provably() {
        let here = Identity::current();
        let dead = |identity: Identity| identity.is_dead(&here, true);
        assert!(!dead(here.clone()));
        // Process 1 lives and did not start at this tick: its number was another's before.
        assert!(dead(Identity { pid: 1, start_time: u64::MAX, ..here.clone() }));
        // Beyond the greatest process number there is.
        assert!(dead(Identity { pid: 1 << 30, ..here.clone() }));
        let other_boot = Identity { boot_id: "another".to_owned(), ..here.clone() };
        assert!(dead(other_boot.clone()));
        assert!(!other_boot.is_dead(&here, false), "a clone of this machine may be alive");
        assert!(!dead(Identity { host: "another".to_owned(), pid: 1 << 30, ..here.clone() }));
    }
}
