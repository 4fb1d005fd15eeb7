//! Exit codes: stable, and the same in `--help`, README and here.

use plimsoll_registry::Blame;

/// How the command ends. Nothing to do is success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ExitCode {
    /// Every tag is as it should be.
    Success = 0,
    /// A file, directory or setting of this machine.
    Local = 1,
    /// The command line is wrong; nothing was tried.
    Usage = 2,
    /// An exact tag holds another image, or versions cannot be told apart. Nothing was written.
    Conflict = 3,
    /// The image does not exist. Nothing was written.
    NotFound = 4,
    /// The registry wants other credentials or rights.
    Denied = 5,
    /// The registry failed, or cannot be reached, or answers what is no registry's answer.
    Registry = 6,
    /// Some tags were written and others were not; the report says which.
    Partial = 7,
}

/// What `--help` says about exit codes.
pub(crate) const HELP: &str = "\
Exit codes:
  0  every tag is as it should be, also when there was nothing to do
  1  a file, directory or setting of this machine
  2  the command line is wrong; nothing was tried
  3  an exact tag holds another image, or versions cannot be told apart; nothing was written
  4  the image does not exist; nothing was written
  5  the registry wants other credentials or rights
  6  the registry failed, cannot be reached, or is none
  7  some tags were written and others were not; the report says which";

impl From<Blame> for ExitCode {
    fn from(blame: Blame) -> Self {
        match blame {
            Blame::Denied => Self::Denied,
            Blame::NotFound => Self::NotFound,
            Blame::Conflict => Self::Conflict,
            Blame::Local => Self::Local,
            _ => Self::Registry,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}
