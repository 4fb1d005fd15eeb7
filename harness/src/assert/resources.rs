//! What a container may use, and whether it wanted more.

use std::fmt;

use super::engine::ObserveError;
use super::mismatch::{Difference, Expectation, Observed};
use super::size::Size;
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

/// One line for each limit, and for whatever happened.
impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node: _, memory, millicpus, pids, .. } = self;
        writeln!(f, "memory: {}", limit(*memory, |bytes| Size(bytes).to_string()))?;
        writeln!(f, "processor: {}", limit(*millicpus, processor))?;
        writeln!(f, "processes: {}", limit(*pids, |count| count.to_string()))?;
        writeln!(f, "restarts: {}", self.restarts)?;
        for (is_so, what) in [
            (self.out_of_memory, "out of memory"),
            (self.read_only, "read-only root file system"),
            (self.privileged, "privileged"),
        ] {
            if is_so {
                writeln!(f, "{what}")?;
            }
        }
        Ok(())
    }
}

fn limit(value: Option<u64>, text: impl FnOnce(u64) -> String) -> String {
    value.map_or("no limit".to_owned(), text)
}

fn processor(thousandths: u64) -> String {
    format!("{thousandths} thousandths of a processor")
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
        let bytes = |bytes| Size(bytes).to_string();
        let count = |count: u64| count.to_string();
        let limits: [(_, _, _, &dyn Fn(u64) -> String); 3] = [
            ("memory", self.memory, found.memory, &bytes),
            ("processor", self.millicpus, found.millicpus, &processor),
            ("processes", self.pids, found.pids, &count),
        ];
        let limits = limits.into_iter().filter_map(|(place, most, there, text)| {
            let most = most?;
            if there.is_some_and(|there| there <= most) {
                return None;
            }
            Some(Difference::new(place, format!("at most {}", text(most)), limit(there, text)))
        });
        let mut differences: Vec<_> = limits.collect();
        if self.read_only && !found.read_only {
            let there = "one that can be written to";
            differences.push(Difference::new("root file system", "one to read only", there));
        }
        if found.out_of_memory {
            let limit = limit(found.memory, bytes);
            let there = format!("one that the kernel killed: the limit is {limit}");
            differences.push(Difference::new("out of memory", "no process", there));
        }
        if found.restarts > 0 {
            differences.push(Difference::new("restarts", "none", found.restarts.to_string()));
        }
        if found.privileged {
            differences.push(Difference::new(
                "rights",
                "those of a container",
                "all: it is privileged",
            ));
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
          memory: expected at most 1048576 bytes (1.0 MiB), found 67108864 bytes (64.0 MiB)
          processor: expected at most 1000 thousandths of a processor, found 1500 thousandths of a processor
          processes: expected at most 100, found no limit
          root file system: expected one to read only, found one that can be written to
          out of memory: expected no process, found one that the kernel killed: the limit is 67108864 bytes (64.0 MiB)
          restarts: expected none, found 2
          rights: expected those of a container, found all: it is privileged
        ");
        insta::assert_snapshot!(found, @r"
        memory: 67108864 bytes (64.0 MiB)
        processor: 1500 thousandths of a processor
        processes: no limit
        restarts: 2
        out of memory
        privileged
        ");
    }
}
