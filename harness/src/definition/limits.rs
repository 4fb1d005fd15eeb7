//! What a container may use up.

/// What a container may use up. By default 4 GiB of memory, no swap beside it, and 4096
/// processes: no test needs more by accident, and one that runs away ends as an exit that says
/// it was out of memory, not as a dead CI machine. An engine that cannot limit (rootless, without
/// delegated cgroups) warns and goes on.
///
/// ```
/// use plimsoll_harness::{ContainerDefinition, Limits};
///
/// let search = ContainerDefinition::new("search", "elasticsearch:8.15.0")
///     .limits(Limits { memory_bytes: Some(8 << 30), ..Limits::default() });
/// let unbounded = search.clone().limits(Limits::none());
/// assert_eq!(unbounded.limits.processes, None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Memory, in bytes; swap is not added to it.
    pub memory_bytes: Option<u64>,
    /// Processes and threads.
    pub processes: Option<u32>,
    /// Size of `/dev/shm` in bytes; 64 MiB if the engine is left to decide.
    pub shm_bytes: Option<u64>,
    /// Limits of each process, as `ulimit` knows them.
    pub ulimits: Vec<Ulimit>,
}

/// A limit of each process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ulimit {
    /// Its name, such as `nofile`.
    pub name: String,
    /// What a process gets.
    pub soft: i64,
    /// What it may raise that to.
    pub hard: i64,
}

impl Limits {
    /// No limit but the engine's own.
    #[must_use]
    pub fn none() -> Self {
        Self { memory_bytes: None, processes: None, shm_bytes: None, ulimits: Vec::new() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory_bytes: Some(4 << 30), processes: Some(4096), ..Self::none() }
    }
}
