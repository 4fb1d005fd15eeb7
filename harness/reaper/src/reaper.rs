//! The side of the process that starts a reaper.

use std::io::{self, Read, Write, pipe};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;

use crate::HOOKED;
use crate::orders::Orders;

/// The variable and the name that together make an executable the reaper.
pub(crate) const ENVIRONMENT: &str = "PLIMSOLL_REAPER";
pub(crate) const NAME: &str = "plimsoll-reaper";
/// What it writes when it is out of reach of what may kill the process that started it.
pub(crate) const READY: u8 = b'!';
/// What it is told when a creation is asked of the engine, and when the answer is in.
pub(crate) const BEGINS: u8 = b'+';
pub(crate) const ENDS: u8 = b'-';

/// What the reaper keeps of the environment: where its libraries are, and where a build that
/// measures coverage writes it. Secrets are not among it.
const KEPT: [&str; 2] = ["LD_LIBRARY_PATH", "LLVM_PROFILE_FILE"];

/// A reaper that stands by. Dropping this is its signal to begin, like the end of the process.
#[derive(Debug)]
pub struct Reaper {
    notes: io::PipeWriter,
}

/// A reaper that did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReaperError {
    /// The hook that runs before `main` is missing, so that a second run of the executable would
    /// be just that.
    #[error(
        "start the process that cleans up after this one: its code does not run before `main` in \
         this executable"
    )]
    NotHooked,
    /// There is no process to be had.
    #[error("start the process that cleans up after this one")]
    Spawn(#[source] io::Error),
    /// It ended without a word.
    #[error("start the process that cleans up after this one: it ended before it was ready")]
    NotReady,
}

impl Reaper {
    /// Starts this executable again, as a reaper, and blocks until it stands by: a few
    /// milliseconds.
    ///
    /// # Errors
    ///
    /// The executable cannot be started again.
    pub fn start(orders: &Orders) -> Result<Self, ReaperError> {
        if !HOOKED.load(Ordering::Relaxed) {
            return Err(ReaperError::NotHooked);
        }
        let (input, mut notes) = pipe().map_err(ReaperError::Spawn)?;
        let (mut ready, output) = pipe().map_err(ReaperError::Spawn)?;
        let mut command = Command::new(executable().map_err(ReaperError::Spawn)?);
        command.arg0(NAME).env_clear().env(ENVIRONMENT, "1");
        for name in KEPT {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.stdin(input).stdout(output).stderr(Stdio::null());
        let spawned = command.spawn();
        // With its ends of the pipes: they have to close with the other process's.
        drop(command);
        spawned.map_err(ReaperError::Spawn)?;
        let orders =
            serde_json::to_string(orders).map_err(|error| ReaperError::Spawn(error.into()))?;
        let sent = notes.write_all(format!("{orders}\n").as_bytes());
        let mut answer = [0];
        match sent.and_then(|()| ready.read_exact(&mut answer)) {
            Ok(()) if answer == [READY] => Ok(Self { notes }),
            _ => Err(ReaperError::NotReady),
        }
    }

    /// Says that something is about to be asked of the engine.
    ///
    /// # Errors
    ///
    /// The reaper is gone.
    pub fn creation_begins(&self) -> io::Result<()> {
        (&self.notes).write_all(&[BEGINS])
    }

    /// Says that the engine has answered.
    pub fn creation_ends(&self) {
        // A reaper that is gone is found out by the next creation.
        let _ = (&self.notes).write_all(&[ENDS]);
    }
}

/// Where there is one, the link to the open file: the path may hold another build meanwhile.
fn executable() -> io::Result<PathBuf> {
    let link = Path::new("/proc/self/exe");
    if link.exists() { Ok(link.to_owned()) } else { std::env::current_exe() }
}
