//! The run this process is a part of, and how its processes agree.
//!
//! A directory per run holds a file `lease`, which every process that shares something keeps
//! locked (shared) until it ends; a file that the reaper of the run keeps locked; and a journal
//! for each key. The kernel lets go of a lock when its process ends, however it does.

use std::env;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_reaper::{Identity, LEASE_FILE, Leftovers, Orders, REAPER_FILE, Reaper, Watch};
use tokio::sync::OnceCell;

use super::journal::{Journal, State};
use super::turn::Turns;
use super::{Share, ShareError, failed, fingerprint};
use crate::engine::{Engine, EngineError};
use crate::hash::sha256;
use crate::process::{self, ProcessIdentity};

/// The variable that says which run a process is a part of. Its runner itself has it not.
const RUN_ID: &str = "NEXTEST_RUN_ID";

/// The run of several processes that this one belongs to.
#[derive(Debug)]
pub(super) struct Run {
    engine: Engine,
    runner: Identity,
    directory: PathBuf,
    _lease: File,
}

impl Run {
    /// The run, if there is one of several processes. The first call joins it, until the process
    /// ends.
    pub(super) async fn current(key: &str) -> Result<Option<&'static Self>, ShareError> {
        static CURRENT: OnceCell<Run> = OnceCell::const_new();
        let Some(id) = env::var(RUN_ID).ok().filter(|id| !id.is_empty()) else { return Ok(None) };
        let Some(runner) = runner(&id) else { return Ok(None) };
        let joining = || Self::join(key, directory(&id), runner);
        CURRENT.get_or_try_init(joining).await.map(Some)
    }

    async fn join(key: &str, directory: PathBuf, runner: Identity) -> Result<Self, ShareError> {
        let engine = Engine::connect()?;
        let orders = Orders {
            engine: engine.address().clone(),
            owner: runner.clone(),
            watch: Watch::Runner { directory: directory.clone() },
        };
        let path = directory.clone();
        let joined = engine.blocking(move || {
            own(&path)?;
            let lease = open(&path.join(LEASE_FILE))?;
            lease.lock_shared()?;
            stand_by(&path, &orders).map(|()| lease)
        });
        let lease = joined.await.map_err(|source| match source.downcast() {
            Ok(error) => ShareError::Engine(EngineError::Reaper(Arc::new(error))),
            Err(source) => {
                ShareError::State { key: key.to_owned(), path: directory.clone(), source }
            }
        })?;
        Ok(Self { engine, runner, directory, _lease: lease })
    }

    /// Who uses what is shared by the key.
    pub(super) fn turns(&self, key: &str) -> Turns {
        let path = self.directory.join(format!("{}.turn", sha256(key)));
        Turns::Run { engine: self.engine.clone(), key: key.to_owned(), path }
    }

    /// What is shared by the key: created, if this process is the first that needs it.
    pub(super) async fn share<S: Share>(
        &self,
        key: &str,
        definition: &S,
    ) -> Result<S::Live, ShareError> {
        let path = self.directory.join(format!("{}.json", sha256(key)));
        let broken = |source| ShareError::State { key: key.to_owned(), path: path.clone(), source };
        let share = process::Share { key: key.to_owned(), lease: self.directory.join(LEASE_FILE) };
        let owner = Arc::new(ProcessIdentity::of_runner(self.runner.clone(), share));
        let locking = {
            let path = path.clone();
            self.engine.blocking(move || Journal::lock(&path)).await
        };
        let mut journal = locking.map_err(broken)?;
        match journal.read().map_err(broken)? {
            State::Ready { fingerprint: theirs, nodes } => {
                if theirs != fingerprint(definition) {
                    return Err(ShareError::Differs { key: key.to_owned() });
                }
                drop(journal);
                let adopting = owner.owns(definition.adopt(&nodes)).await;
                return adopting.map_err(|source| failed(key, true, source));
            }
            State::Begun => self.clear(&owner).await,
            State::Nothing => {}
        }
        journal.write(&State::Begun).map_err(broken)?;
        match owner.clone().owns(definition.start()).await {
            Ok(live) => {
                let nodes = S::describe(&live);
                let fingerprint = fingerprint(definition);
                journal.write(&State::Ready { fingerprint, nodes }).map_err(broken)?;
                Ok(live)
            }
            Err(source) => {
                self.clear(&owner).await;
                journal.write(&State::Nothing).map_err(broken)?;
                Err(failed(key, false, source))
            }
        }
    }

    /// Removes what was made of something that nobody has finished.
    async fn clear(&self, owner: &ProcessIdentity) {
        let labels = owner.filter();
        let clearing = |docker| async move {
            // What is still there after this is the reaper's.
            if let Ok(found) = Leftovers::find(&docker, &labels).await {
                found.remove(&docker).await;
            }
        };
        self.engine.call(clearing).await;
    }
}

/// The process that runs the tests of the run: the nearest ancestor that is not part of it
/// itself. A test may have a wrapper for its parent.
#[cfg(target_os = "linux")]
fn runner(id: &str) -> Option<Identity> {
    let variable = format!("{RUN_ID}={id}");
    let mut pid = std::process::id();
    loop {
        pid = plimsoll_reaper::parent(pid)?;
        let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
        if !environment.split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes()) {
            break;
        }
    }
    // A test whose runner was killed has been given to a process that knows nothing of it.
    plimsoll_reaper::share_a_session(pid).then(|| Identity::of(pid))?
}

/// No other system says when a process ends that is no child.
#[cfg(not(target_os = "linux"))]
fn runner(_: &str) -> Option<Identity> {
    None
}

/// In the temporary directory, not in the target directory, which a test cannot know. One for each
/// user: another's files could not be opened.
fn directory(id: &str) -> PathBuf {
    let id: String = id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    let user = fs::metadata("/proc/self").map(|metadata| metadata.uid()).unwrap_or_default();
    env::temp_dir().join(format!("plimsoll-runs-{user}")).join(id)
}

/// Creates the directory for this user's eyes only. Someone else's would be an attack.
fn own(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let user = fs::metadata("/proc/self")?.uid();
    for path in directory.ancestors().take(2) {
        let metadata = fs::symlink_metadata(path)?;
        if !metadata.is_dir() || metadata.uid() != user || metadata.mode() & 0o022 != 0 {
            let problem = format!("{} is not this user's own directory", path.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, problem));
        }
    }
    Ok(())
}

fn open(path: &Path) -> io::Result<File> {
    File::options().create(true).append(true).open(path)
}

/// Starts the reaper of the run, unless it stands by.
fn stand_by(directory: &Path, orders: &Orders) -> io::Result<()> {
    let starting = open(&directory.join("start"))?;
    starting.lock()?;
    let reaper = open(&directory.join(REAPER_FILE))?;
    if reaper.try_lock().is_ok() {
        // It takes the lock itself before it says that it is ready.
        drop(reaper);
        Reaper::start(orders).map_err(io::Error::other)?;
    }
    Ok(())
}
