//! Who may use what is shared, while another test puts it back into its first state.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use super::ShareError;
use crate::engine::Engine;

/// The right to use something shared, until it is dropped: see [`super::Shared::alone`].
#[derive(Debug)]
#[must_use = "it ends when it is dropped"]
pub struct Turn {
    _held: Held,
}

#[derive(Debug)]
enum Held {
    Together(#[expect(dead_code, reason = "held")] OwnedRwLockReadGuard<()>),
    Alone(#[expect(dead_code, reason = "held")] OwnedRwLockWriteGuard<()>),
    /// The kernel lets go of the lock with the file, and so when the process ends.
    File(#[expect(dead_code, reason = "held")] File),
}

/// Where the turns at one thing are kept.
#[derive(Clone, Debug)]
pub(super) enum Turns {
    /// The tests are threads of this process.
    Process(Arc<RwLock<()>>),
    /// They are processes.
    Run { engine: Engine, key: String, path: PathBuf },
}

impl Turns {
    pub(super) async fn alone(&self) -> Result<Turn, ShareError> {
        let held = match self {
            Self::Process(turns) => Held::Alone(turns.clone().write_owned().await),
            Self::Run { engine, key, path } => lock(engine, key, path, File::lock).await?,
        };
        Ok(Turn { _held: held })
    }

    pub(super) async fn together(&self) -> Result<Turn, ShareError> {
        let held = match self {
            Self::Process(turns) => Held::Together(turns.clone().read_owned().await),
            Self::Run { engine, key, path } => lock(engine, key, path, File::lock_shared).await?,
        };
        Ok(Turn { _held: held })
    }
}

/// Each turn opens the file anew: threads of one process keep each other out as well.
async fn lock(
    engine: &Engine,
    key: &str,
    path: &std::path::Path,
    lock: fn(&File) -> std::io::Result<()>,
) -> Result<Held, ShareError> {
    let file = path.to_owned();
    let locking = engine.blocking(move || {
        let file = File::options().create(true).append(true).open(file)?;
        lock(&file).map(|()| Held::File(file))
    });
    locking.await.map_err(|source| ShareError::State {
        key: key.to_owned(),
        path: path.to_owned(),
        source,
    })
}
