//! What a reaper is told when it starts, in one line of JSON.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::identity::{Identity, LEASE};
use crate::program::LEASE_FILE;

/// What to remove, from where, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// The engine.
    pub engine: Address,
    /// Whoever's things are to be removed, once it is gone.
    pub owner: Identity,
    /// How to know that it is.
    pub watch: Watch,
}

/// How to know that the owner is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Watch {
    /// It started the reaper, and the pipe between them ends.
    Pipe,
    /// It is the runner of this and of other processes; they keep the file `lease` of the
    /// directory locked while they use what it owns. The directory goes with it.
    Runner {
        /// The directory of the run.
        directory: PathBuf,
    },
}

impl Orders {
    /// The labels of what is to be removed.
    pub(crate) fn labels(&self) -> Vec<String> {
        let owner = self.owner.labels().into_iter().map(|(key, value)| format!("{key}={value}"));
        let lease = match &self.watch {
            Watch::Pipe => None,
            Watch::Runner { directory } => {
                Some(format!("{LEASE}={}", directory.join(LEASE_FILE).display()))
            }
        };
        owner.chain(lease).collect()
    }
}
