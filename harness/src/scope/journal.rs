//! What the processes of a run know about something they share: one file, read and written by
//! whoever has locked it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::SharedNode;

/// The file, locked by this process until it is dropped or the process ends, however it does.
#[derive(Debug)]
pub(super) struct Journal(File);

/// What it says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    /// Nobody has started anything, or what was started has been removed.
    Nothing,
    /// Somebody has begun to create. Who reads this has the lock, so that one is gone.
    Begun,
    /// It runs.
    Ready {
        /// What was started.
        fingerprint: String,
        nodes: Vec<SharedNode>,
    },
}

impl Journal {
    /// Waits until nobody else has it.
    pub(super) fn lock(path: &Path) -> io::Result<Self> {
        let file =
            File::options().create(true).truncate(false).read(true).write(true).open(path)?;
        file.lock()?;
        Ok(Self(file))
    }

    pub(super) fn read(&mut self) -> io::Result<State> {
        let mut text = String::new();
        self.0.seek(SeekFrom::Start(0))?;
        self.0.read_to_string(&mut text)?;
        if text.is_empty() {
            return Ok(State::Nothing);
        }
        // Half a state is that of a process that was killed while it wrote: it had created.
        Ok(serde_json::from_str(&text).unwrap_or(State::Begun))
    }

    pub(super) fn write(&mut self, state: &State) -> io::Result<()> {
        let text = serde_json::to_string(state)?;
        self.0.seek(SeekFrom::Start(0))?;
        self.0.write_all(text.as_bytes())?;
        self.0.set_len(text.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_a_torn_write_is_a_beginning() {
        let path = std::env::temp_dir().join(format!("plimsoll-journal-{}", std::process::id()));
        let mut journal = Journal::lock(&path).unwrap();
        assert_eq!(journal.read().unwrap(), State::Nothing);
        let node = SharedNode {
            node: "db".to_owned(),
            id: "1".to_owned(),
            name: "plimsoll-db".to_owned(),
        };
        let ready = || State::Ready { fingerprint: "f".to_owned(), nodes: vec![node.clone()] };
        for state in [ready(), State::Begun, ready()] {
            journal.write(&state).unwrap();
            assert_eq!(journal.read().unwrap(), state);
        }
        journal.0.set_len(20).unwrap();
        assert_eq!(journal.read().unwrap(), State::Begun);
        assert!(File::open(&path).unwrap().try_lock().is_err(), "nobody else can have it");
        std::fs::remove_file(path).unwrap();
    }
}
