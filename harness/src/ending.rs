//! How a container ended.

use std::fmt;
use std::sync::Arc;

use testcontainers::bollard;

/// How a container ended.
#[derive(Clone, Debug)]
pub enum Ending {
    /// Its main process exited.
    Exited(Exit),
    /// The engine stopped answering, or the container was removed by someone else.
    Lost(Arc<bollard::errors::Error>),
}

/// The exit of a container's main process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code; 128 and the signal's number if a signal ended it.
    pub code: i64,
    /// Whether the kernel killed a process of the container because its memory was used up.
    pub oom_killed: bool,
}

impl Exit {
    /// The signal that the exit code stands for. A program may also return such a code itself:
    /// shells do, for what they ran.
    #[must_use]
    pub fn signal(&self) -> Option<&'static str> {
        // POSIX leaves the numbers to the system; these are the same on every Linux that
        // engines run on.
        Some(match self.code - 128 {
            1 => "SIGHUP",
            2 => "SIGINT",
            3 => "SIGQUIT",
            4 => "SIGILL",
            5 => "SIGTRAP",
            6 => "SIGABRT",
            7 => "SIGBUS",
            8 => "SIGFPE",
            9 => "SIGKILL",
            10 => "SIGUSR1",
            11 => "SIGSEGV",
            12 => "SIGUSR2",
            13 => "SIGPIPE",
            14 => "SIGALRM",
            15 => "SIGTERM",
            31 => "SIGSYS",
            _ => return None,
        })
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, oom_killed } = self;
        write!(f, "code {code}")?;
        match (self.signal(), oom_killed) {
            (Some(signal), true) => write!(f, " ({signal}; out of memory)"),
            (Some(signal), false) => write!(f, " ({signal})"),
            (None, true) => write!(f, " (a process of it was killed: out of memory)"),
            (None, false) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_names_its_signal() {
        let exit = |code, oom_killed| Exit { code, oom_killed }.to_string();
        assert_eq!(exit(3, false), "code 3");
        assert_eq!(exit(143, false), "code 143 (SIGTERM)");
        assert_eq!(exit(137, true), "code 137 (SIGKILL; out of memory)");
        assert_eq!(exit(1, true), "code 1 (a process of it was killed: out of memory)");
        assert_eq!(exit(255, false), "code 255");
    }
}
