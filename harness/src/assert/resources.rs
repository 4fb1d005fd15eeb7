//! What a container may use, and whether it wanted more.

use super::engine::ObserveError;
use super::mismatch::{Difference, Expectation, Observed};
use crate::container::Container;

/// The limits of a container and how it fared with them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// What the container's definition calls it.
    pub node: String,
    /// The memory it may use, in bytes.
    pub memory: Option<u64>,
    /// The processor time it may use, in thousandths of one processor.
    pub millicpus: Option<u64>,
    /// The processes it may have.
    pub pids: Option<u64>,
    /// Whether the kernel killed one of its processes for want of memory.
    pub out_of_memory: bool,
    /// How often the engine restarted it.
    pub restarts: u64,
    /// Whether its root file system can only be read.
    pub read_only: bool,
    /// Whether it has all rights on its machine.
    pub privileged: bool,
}

/// The limits of the container, in one request.
///
/// # Errors
///
/// The container is gone, or the engine refuses.
pub async fn of(container: &Container) -> Result<Resources, ObserveError> {
    let inspected = container.inspect().await?;
    let host = inspected.host_config.unwrap_or_default();
    // The engine writes no limit as nothing, 0 or -1.
    let limit = |value: Option<i64>| {
        value.and_then(|value| u64::try_from(value).ok()).filter(|value| *value != 0)
    };
    Ok(Resources {
        node: container.node().to_owned(),
        memory: limit(host.memory),
        millicpus: limit(host.nano_cpus).map(|nano| nano / 1_000_000),
        pids: limit(host.pids_limit),
        out_of_memory: inspected.state.and_then(|state| state.oom_killed).unwrap_or_default(),
        restarts: limit(inspected.restart_count).unwrap_or_default(),
        read_only: host.readonly_rootfs.unwrap_or_default(),
        privileged: host.privileged.unwrap_or_default(),
    })
}

impl Observed for Resources {
    fn subject(&self) -> String {
        format!("the resources of `{}`", self.node)
    }
}

/// Limits as they should be; what is not said may be anything. Whatever is expected of its
/// limits, a container that ran out of memory, was restarted or is privileged is not as
/// expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResourcesMatcher {
    /// The memory it may use at most, in bytes.
    pub memory: Option<u64>,
    /// The processor time it may use at most, in thousandths of one processor.
    pub millicpus: Option<u64>,
    /// The processes it may have at most.
    pub pids: Option<u64>,
    /// Whether its root file system has to be for reading only.
    pub read_only: bool,
}

/// A container that got by with what it had.
#[must_use]
pub fn sufficient() -> ResourcesMatcher {
    ResourcesMatcher::default()
}

impl ResourcesMatcher {
    /// Expects a limit of so many bytes of memory, or a lower one.
    #[must_use]
    pub fn memory_at_most(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// Expects a limit of so many thousandths of a processor, or a lower one.
    #[must_use]
    pub fn millicpus_at_most(mut self, thousandths: u64) -> Self {
        self.millicpus = Some(thousandths);
        self
    }

    /// Expects a limit of so many processes, or a lower one.
    #[must_use]
    pub fn pids_at_most(mut self, count: u64) -> Self {
        self.pids = Some(count);
        self
    }

    /// Expects a root file system that can only be read.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }
}

impl Expectation<Resources> for ResourcesMatcher {
    fn differences(&self, found: &Resources) -> Vec<Difference> {
        let limits = [
            ("memory", self.memory, found.memory, " bytes"),
            ("processor", self.millicpus, found.millicpus, " thousandths"),
            ("processes", self.pids, found.pids, ""),
        ];
        let limits = limits.into_iter().filter_map(|(place, most, there, unit)| {
            let most = most?;
            let there = match there {
                Some(there) if there <= most => return None,
                Some(there) => format!("{there}{unit}"),
                None => "no limit".to_owned(),
            };
            Some(Difference::new(place, format!("at most {most}{unit}"), there))
        });
        let mut differences: Vec<_> = limits.collect();
        if self.read_only && !found.read_only {
            let there = "one that can be written to";
            differences.push(Difference::new("root file system", "one to read only", there));
        }
        if found.out_of_memory {
            let there = "a process that was killed for want of it";
            differences.push(Difference::new("memory", "enough", there));
        }
        if found.restarts > 0 {
            differences.push(Difference::new("restarts", "none", found.restarts.to_string()));
        }
        if found.privileged {
            differences.push(Difference::new("rights", "those of a container", "all"));
        }
        differences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> Resources {
        let (memory, millicpus) = (Some(64 << 20), Some(1500));
        Resources { node: "web".to_owned(), memory, millicpus, ..Resources::default() }
    }

    #[test]
    fn a_lower_limit_will_do() {
        let expected = sufficient().memory_at_most(64 << 20).millicpus_at_most(2000);
        assert_eq!(found().assert(&expected), Ok(()));
    }

    #[test]
    fn everything_that_differs_is_said() {
        let expected = sufficient().memory_at_most(1 << 20).millicpus_at_most(1000);
        let expected = expected.pids_at_most(100).read_only();
        let found = Resources { out_of_memory: true, restarts: 2, privileged: true, ..found() };
        insta::assert_snapshot!(found.assert(&expected).unwrap_err(), @r"
        match the resources of `web`
          memory: expected at most 1048576 bytes, found 67108864 bytes
          processor: expected at most 1000 thousandths, found 1500 thousandths
          processes: expected at most 100, found no limit
          root file system: expected one to read only, found one that can be written to
          memory: expected enough, found a process that was killed for want of it
          restarts: expected none, found 2
          rights: expected those of a container, found all
        ");
    }
}
