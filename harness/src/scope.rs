//! How long something started lives, and who shares it.
//!
//! - For one test: a plain value. Dropping it removes it.
//! - For one process: [`process`]. Tests that run as threads of it share one.
//! - For one run: [`run`]. Under `cargo nextest`, where each test is a process of its own, all
//!   processes of the run share one; elsewhere it is the same as [`process`].
//!
//! Nothing has to be torn down: what a process owns goes with it, however it ends, and what a
//! run owns goes when its runner and all tests that use it have ended.
//!
//! ```no_run
//! use plimsoll_harness::scope::{self, Shared, ShareError};
//! use plimsoll_harness::{Container, ContainerDefinition};
//!
//! // A fixture: with rstest, put `#[rstest::fixture]` on it.
//! async fn redis() -> Result<Shared<Container>, ShareError> {
//!     scope::run("redis", || ContainerDefinition::new("redis", "redis:7.2").publish(6379)).await
//! }
//! ```
//!
//! A [`crate::Stack`] is shared the same way. One that is `Default` is shared more easily by
//! [`crate::test`], which also cleans its nodes between the tests:
//!
//! ```
//! use plimsoll_harness::{ContainerDefinition, Stack};
//!
//! #[derive(Stack, Clone, Debug)]
//! struct App {
//!     redis: ContainerDefinition,
//! }
//!
//! impl Default for App {
//!     fn default() -> Self {
//!         Self { redis: ContainerDefinition::new("redis", "redis:7.2").publish(6379) }
//!     }
//! }
//!
//! #[plimsoll_harness::test(scope = "run", clean = [redis])]
//! async fn answers(app: &AppLive) -> Result<(), Box<dyn std::error::Error>> {
//!     app.redis.exec(["redis-cli", "ping"]).await?.success()?;
//!     Ok(())
//! }
//! ```

mod journal;
mod run;
mod turn;

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::error::Error;
use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::{OnceCell, RwLock};

use self::run::Run;

pub use self::turn::Turn;
use self::turn::Turns;
use crate::container::Container;
use crate::definition::ContainerDefinition;
use crate::engine::EngineError;
use crate::failure::debug_by_message;
use crate::hash::sha256;
use crate::start::StartError;

/// What tests can share: it is started once, and found by who comes later.
///
/// Its `Debug` text has to be the same in every process, and to differ between two that are not
/// the same: that is how a key that is used for two things is found out.
pub trait Share: Debug + Send + Sync + 'static {
    /// What it is when it runs.
    type Live: Send + Sync + 'static;
    /// Why it does not.
    type Error: Into<Box<dyn Error + Send + Sync>> + Send;

    /// Starts it, and waits until it is ready.
    fn start(&self) -> impl Future<Output = Result<Self::Live, Self::Error>> + Send;

    /// What another process needs to know to use it.
    fn describe(live: &Self::Live) -> Vec<SharedNode>;

    /// Uses what another process has started.
    fn adopt(
        &self,
        nodes: &[SharedNode],
    ) -> impl Future<Output = Result<Self::Live, Self::Error>> + Send;
}

/// A container, network or volume that another process has made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedNode {
    /// Its name in its definition.
    pub node: String,
    /// Its id on the engine.
    pub id: String,
    /// Its name on the engine.
    pub name: String,
}

/// Something that runs and that others use too. It stays when this is dropped.
#[derive(Debug)]
pub struct Shared<T> {
    live: Arc<T>,
    turns: Turns,
}

impl<T> Shared<T> {
    /// Waits until nobody has a turn at it; until this one is dropped nobody else gets one. A
    /// test that puts it back into its first state needs it, and others a turn
    /// [`together`](Shared::together); `#[plimsoll_harness::test]` takes them.
    ///
    /// Not to be called by who has a turn: it would wait for itself.
    ///
    /// # Errors
    ///
    /// The file by which the processes agree cannot be locked.
    pub async fn alone(&self) -> Result<Turn, ShareError> {
        self.turns.alone().await
    }

    /// Waits until nobody is [`alone`](Shared::alone) with it.
    ///
    /// # Errors
    ///
    /// The file by which the processes agree cannot be locked.
    pub async fn together(&self) -> Result<Turn, ShareError> {
        self.turns.together().await
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self { live: self.live.clone(), turns: self.turns.clone() }
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.live
    }
}

/// Something that cannot be shared.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ShareError {
    /// There is no engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// It did not start, or another process's could not be used.
    #[error("{verb} what is shared as `{key}`", verb = if *.adopted { "use" } else { "start" })]
    Start {
        /// What it is shared by.
        key: String,
        /// Whether another process has started it.
        adopted: bool,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Two different things have one key.
    #[error(
        "share `{key}`: another test shares something else by this key; give each definition a key \
         of its own"
    )]
    Differs {
        /// The key.
        key: String,
    },
    /// The files by which processes agree cannot be used.
    #[error("keep {} for what is shared as `{key}`", path.display())]
    State {
        /// What it is shared by.
        key: String,
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
}

debug_by_message!(ShareError);

/// Starts something once in this process, whatever test comes first; the others wait for it.
///
/// # Errors
///
/// It does not start; whoever comes next tries again. Or the key means something else already.
pub async fn process<S: Share>(
    key: &str,
    definition: impl FnOnce() -> S,
) -> Result<Shared<S::Live>, ShareError> {
    let definition = definition();
    let starting = async { definition.start().await.map_err(|source| failed(key, false, source)) };
    let turns = Turns::Process(Arc::new(RwLock::new(())));
    cell(Scope::Process, key, &definition, turns)?.get(starting).await
}

/// Starts something once in this run of tests; the other processes of the run wait for it.
///
/// It is there until the runner and all processes that use it have ended; the gaps between tests
/// do not end it. Its logs are complete in every process.
///
/// # Errors
///
/// Like [`process`]; or the directory by which the processes agree cannot be used.
pub async fn run<S: Share>(
    key: &str,
    definition: impl FnOnce() -> S,
) -> Result<Shared<S::Live>, ShareError> {
    let Some(run) = Run::current(key).await? else { return process(key, definition).await };
    let definition = definition();
    let cell = cell(Scope::Run, key, &definition, run.turns(key))?;
    cell.get(run.share(key, &definition)).await
}

impl Share for ContainerDefinition {
    type Live = Container;
    type Error = StartError;

    async fn start(&self) -> Result<Container, StartError> {
        Self::start(self).await
    }

    fn describe(live: &Container) -> Vec<SharedNode> {
        vec![live.share()]
    }

    async fn adopt(&self, nodes: &[SharedNode]) -> Result<Container, StartError> {
        match nodes {
            [node] => Container::adopt(node).await,
            _ => {
                let found = nodes.iter().map(|shared| shared.node.clone()).collect();
                Err(StartError::NotShared { node: self.name.clone(), found })
            }
        }
    }
}

fn failed(key: &str, adopted: bool, source: impl Into<Box<dyn Error + Send + Sync>>) -> ShareError {
    ShareError::Start { key: key.to_owned(), adopted, source: source.into() }
}

/// What a definition is told apart by. It may hold passwords, so its text is kept nowhere.
fn fingerprint<S: Share>(definition: &S) -> String {
    sha256(format!("{} {definition:?}", type_name::<S>()))
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Scope {
    Process,
    Run,
}

/// One thing that this process shares. It is never dropped: who removes it is the reaper.
struct Cell<T> {
    fingerprint: String,
    live: OnceCell<Arc<T>>,
    turns: Turns,
}

impl<T> Cell<T> {
    async fn get(
        &self,
        start: impl Future<Output = Result<T, ShareError>>,
    ) -> Result<Shared<T>, ShareError> {
        let start = async { start.await.map(Arc::new) };
        let live = self.live.get_or_try_init(|| start).await?.clone();
        Ok(Shared { live, turns: self.turns.clone() })
    }
}

type Cells = HashMap<(Scope, TypeId, String), Arc<dyn Any + Send + Sync>>;

fn cell<S: Share>(
    scope: Scope,
    key: &str,
    definition: &S,
    turns: Turns,
) -> Result<Arc<Cell<S::Live>>, ShareError> {
    static CELLS: LazyLock<Mutex<Cells>> = LazyLock::new(Mutex::default);
    let fingerprint = fingerprint(definition);
    let mut cells = CELLS.lock().unwrap_or_else(PoisonError::into_inner);
    let cell = cells
        .entry((scope, TypeId::of::<S::Live>(), key.to_owned()))
        .or_insert_with(|| {
            let fingerprint = fingerprint.clone();
            Arc::new(Cell::<S::Live> { fingerprint, live: OnceCell::new(), turns })
        })
        .clone();
    let differs = || ShareError::Differs { key: key.to_owned() };
    let cell = cell.downcast::<Cell<S::Live>>().map_err(|_| differs())?;
    if cell.fingerprint == fingerprint { Ok(cell) } else { Err(differs()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Number(u32);

    impl Share for Number {
        type Live = u32;
        type Error = io::Error;

        async fn start(&self) -> io::Result<u32> {
            self.0.checked_sub(1).ok_or(io::Error::other("there is nothing below zero"))
        }

        fn describe(_: &u32) -> Vec<SharedNode> {
            Vec::new()
        }

        async fn adopt(&self, _: &[SharedNode]) -> io::Result<u32> {
            self.start().await
        }
    }

    #[tokio::test]
    async fn defect_7_a_key_is_one_thing() {
        let first = process("one", || Number(7)).await.unwrap();
        let again = process("one", || Number(7)).await.unwrap();
        assert!(std::ptr::eq(&*first, &*again));
        let error = process("one", || Number(8)).await.unwrap_err().to_string();
        assert!(error.starts_with("share `one`: another test shares something else"), "{error}");
        assert_eq!(*process("two", || Number(8)).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn who_is_alone_keeps_all_others_out() {
        let shared = process("turns", || Number(1)).await.unwrap();
        let (one, other) = (shared.together().await.unwrap(), shared.together().await.unwrap());
        let mut alone = std::pin::pin!(shared.alone());
        let waits = std::future::poll_fn(|context| {
            std::task::Poll::Ready(alone.as_mut().poll(context).is_pending())
        });
        assert!(waits.await, "two have a turn");
        drop((one, other));
        let alone = alone.await.unwrap();
        let again = process("turns", || Number(1)).await.unwrap();
        let mut together = std::pin::pin!(again.together());
        let waits = std::future::poll_fn(|context| {
            std::task::Poll::Ready(together.as_mut().poll(context).is_pending())
        });
        assert!(waits.await, "one is alone");
        drop(alone);
        drop(together.await.unwrap());
    }

    #[tokio::test]
    async fn a_container_is_adopted_by_one_node() {
        let definition = ContainerDefinition::new("db", "db:1");
        let node = |node: &str| SharedNode {
            node: node.to_owned(),
            id: "1".to_owned(),
            name: "plimsoll-1".to_owned(),
        };
        let two = definition.adopt(&[node("web"), node("files")]).await.unwrap_err().to_string();
        assert!(
            two.starts_with("use `db` of another process: that one has `web`, `files`"),
            "{two}"
        );
        let none = definition.adopt(&[]).await.unwrap_err().to_string();
        assert!(none.contains("that one has nothing; all tests of a run"), "{none}");
    }

    #[tokio::test]
    async fn a_failed_start_is_tried_again() {
        for _ in 0..2 {
            let error = process("fails", || Number(0)).await.unwrap_err();
            assert_eq!(error.to_string(), "start what is shared as `fails`");
            assert_eq!(error.source().unwrap().to_string(), "there is nothing below zero");
        }
    }
}
