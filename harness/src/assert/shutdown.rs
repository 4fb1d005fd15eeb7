//! How a container ends when it is told to.
//!
//! When the main process of a container ends, the kernel kills all others: none outlives it. So
//! what to look for is not who is left but who was orphaned on the way: a worker that was killed
//! because its master ended first has not written its last line.
//! [`ShutdownMatcher::says_times`] expects one from each.

use std::fmt;
use std::time::{Duration, Instant};

use testcontainers::bollard::query_parameters::KillContainerOptions;

use super::engine::{ObserveError, ask, main_pid};
use super::mismatch::{Difference, Expectation, Observed};
use super::text::Text;
use crate::container::Container;
use crate::ending::Exit;
use crate::line::LogTail;
use crate::wait::WaitError;

/// How a container ended, or that it did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// What the container's definition calls it.
    pub node: String,
    /// The signal that was sent.
    pub signal: String,
    /// The code its main process ended with; nothing if it was still running at the deadline.
    pub code: Option<i64>,
    /// How long that took, from before the signal was sent until all its output was in.
    pub took: Duration,
    /// Whether the kernel killed it for want of memory.
    pub out_of_memory: bool,
    /// The last lines of both streams.
    pub tail: LogTail,
}

/// Sends a signal, such as `SIGTERM`, to the container's main process and waits for its end.
///
/// # Errors
///
/// The container does not run, or the engine refuses or is lost. That the container still runs
/// at the deadline is not an error but something found.
pub async fn send(
    container: &Container,
    signal: &str,
    deadline: Duration,
) -> Result<Shutdown, ObserveError> {
    let what = format!("the end of `{}` by {signal}", container.node());
    let options = KillContainerOptions { signal: signal.to_owned() };
    main_pid(container, &what).await?;
    let begun = Instant::now();
    ask(
        container,
        &what,
        |docker, id| async move { docker.kill_container(&id, Some(options)).await },
    )
    .await?;
    let code = match container.wait_exit(deadline).await {
        Ok(code) => Some(code),
        Err(WaitError::TimedOut { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let took = begun.elapsed();
    let state = container.inspect().await?.state.unwrap_or_default();
    Ok(Shutdown {
        node: container.node().to_owned(),
        signal: signal.to_owned(),
        code,
        took,
        out_of_memory: state.oom_killed.unwrap_or_default(),
        tail: container.tail(),
    })
}

impl Observed for Shutdown {
    fn subject(&self) -> String {
        format!("the end of `{}` by {}", self.node, self.signal)
    }

    fn in_full(&self) -> Option<String> {
        Some(self.tail.to_string().trim_start().to_owned())
    }
}

/// The exit and the last lines, without the time, which is another one each time.
impl fmt::Display for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.exit() {
            Some(exit) => write!(f, "{exit}{}", self.tail),
            None => write!(f, "still running{}", self.tail),
        }
    }
}

impl Shutdown {
    fn exit(&self) -> Option<Exit> {
        Some(Exit { code: self.code?, oom_killed: self.out_of_memory })
    }
}

/// An end as it should be.
///
/// ```
/// use std::time::Duration;
/// use plimsoll_harness::assert::shutdown::exits;
/// use plimsoll_harness::assert::text::matching;
///
/// let graceful = exits(0).within(Duration::from_secs(5)).says(matching("Shutting down"));
/// # let _ = graceful;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShutdownMatcher {
    /// The exit code.
    pub code: i64,
    /// How long it may take.
    pub within: Option<Duration>,
    /// What should be among its last lines, on whichever stream, and on how many of them.
    pub says: Vec<(Text, usize)>,
}

/// An end with this exit code.
#[must_use]
pub fn exits(code: i64) -> ShutdownMatcher {
    ShutdownMatcher { code, within: None, says: Vec::new() }
}

impl ShutdownMatcher {
    /// Says how long it may take.
    #[must_use]
    pub fn within(mut self, limit: Duration) -> Self {
        self.within = Some(limit);
        self
    }

    /// Names a line that should be among its last fifty.
    #[must_use]
    pub fn says(self, line: impl Into<Text>) -> Self {
        self.says_times(1, line)
    }

    /// Says how many such lines should be among its last fifty, or more: one from each process
    /// that has to be told of the end, so that none was orphaned and killed.
    #[must_use]
    pub fn says_times(mut self, count: usize, line: impl Into<Text>) -> Self {
        self.says.push((line.into(), count));
        self
    }
}

impl Expectation<Shutdown> for ShutdownMatcher {
    fn differences(&self, found: &Shutdown) -> Vec<Difference> {
        let mut differences = Vec::new();
        if found.code != Some(self.code) {
            let there = describe(found);
            differences.push(Difference::new("exit", format!("code {}", self.code), there));
        }
        if let (Some(limit), Some(_)) =
            (self.within.filter(|limit| *limit < found.took), found.code)
        {
            let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
            let (limit, took) = (format!("at most {}", seconds(limit)), seconds(found.took));
            differences.push(Difference::new("time", limit, took));
        }
        let lines = || found.tail.stdout.iter().chain(&found.tail.stderr);
        for (text, count) in &self.says {
            let (said, others): (Vec<_>, Vec<_>) =
                lines().partition(|line| text.fits(line.as_bytes()));
            if said.len() >= *count {
                continue;
            }
            let expected =
                if *count == 1 { text.to_string() } else { format!("{text} {count} times") };
            let there = match said.len() {
                0 => "no such line".to_owned(),
                said => {
                    format!("{said} of them: was a process killed because another ended first?")
                }
            };
            let nearest = text.nearest(others.into_iter().map(String::as_str));
            let nearest = nearest.map(|line| format!("`{line}`"));
            differences.push(Difference::new("last lines", expected, there).nearest(nearest));
        }
        differences
    }
}

/// How it ended, and what to do about it if it did not.
fn describe(found: &Shutdown) -> String {
    match found.exit() {
        Some(exit) => exit.to_string(),
        None => format!(
            "it still running after {:.1} s: as pid 1 it has to handle the signal itself, or needs \
             an init such as tini before it",
            found.took.as_secs_f64()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert::text::matching;

    fn end(code: Option<i64>) -> Shutdown {
        Shutdown {
            node: "web".to_owned(),
            signal: "SIGTERM".to_owned(),
            code,
            took: Duration::from_millis(3200),
            out_of_memory: false,
            tail: LogTail {
                stdout: vec!["worker 1 left".to_owned()],
                stderr: Vec::new(),
                terminal: false,
            },
        }
    }

    #[test]
    fn an_end_as_expected_is_one() {
        let expected = exits(0).within(Duration::from_secs(4)).says("worker 1 left");
        assert_eq!(end(Some(0)).assert(&expected), Ok(()));
    }

    #[test]
    fn everything_that_differs_is_said() {
        let expected = exits(0).within(Duration::from_secs(3)).says("worker 2 left");
        let expected = expected.says(matching("^bye$")).says_times(2, matching("worker . left"));
        insta::assert_snapshot!(end(Some(143)).assert(&expected).unwrap_err(), @r"
        match the end of `web` by SIGTERM
          exit: expected code 0, found code 143 (SIGTERM)
          time: expected at most 3.0 s, found 3.2 s
          last lines: expected `worker 2 left`, found no such line; nearest is `worker 1 left`
          last lines: expected /^bye$/, found no such line
          last lines: expected /worker . left/ 2 times, found 1 of them: was a process killed because another ended first?
          found in full:
            stdout, last lines:
                worker 1 left
            stderr: nothing
        ");
    }

    #[test]
    fn who_does_not_end_is_told_why() {
        insta::assert_snapshot!(end(None).assert(&exits(0)).unwrap_err(), @r"
        match the end of `web` by SIGTERM
          exit: expected code 0, found it still running after 3.2 s: as pid 1 it has to handle the signal itself, or needs an init such as tini before it
          found in full:
            stdout, last lines:
                worker 1 left
            stderr: nothing
        ");
        let killed = Shutdown { out_of_memory: true, ..end(Some(137)) };
        insta::assert_snapshot!(killed.assert(&exits(0)).unwrap_err(), @r"
        match the end of `web` by SIGTERM
          exit: expected code 0, found code 137 (SIGKILL; out of memory)
          found in full:
            stdout, last lines:
                worker 1 left
            stderr: nothing
        ");
    }
}
