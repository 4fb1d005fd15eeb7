//! Creating things on the engine, with a net under it.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use plimsoll_reaper::{Address, Identity, Orders, Reaper, ReaperError, Watch};
use tokio::task::{JoinError, JoinHandle};

use super::{Engine, EngineError, joined};
use crate::inside;
use crate::sweep::sweep;

/// The right to create one thing on the engine: the reaper stands by and knows that something
/// may appear, until this is dropped.
#[derive(Debug)]
pub(crate) struct Guarded {
    engine: Engine,
    note: Note,
}

#[derive(Debug)]
struct Note(Arc<Reaper>);

impl Drop for Note {
    fn drop(&mut self) {
        self.0.creation_ends();
    }
}

impl Engine {
    /// Starts the reaper of this process, unless it stands by, and tells it about a creation.
    /// Once in a process what crashed ones have left is swept away, on the side.
    ///
    /// # Errors
    ///
    /// The reaper does not start: then nothing is created either.
    pub(crate) async fn guarded(&self) -> Result<Guarded, EngineError> {
        // On a task of its own: a reaper that is started and then forgotten would take that for
        // the end of the process.
        let engine = self.clone();
        joined(self.spawn(async move { engine.guard().await })).await
    }

    async fn guard(self) -> Result<Guarded, EngineError> {
        let mut standing_by = self.shared.reaper.lock().await;
        let reaper = match &*standing_by {
            Some(reaper) if reaper.creation_begins().is_ok() => reaper.clone(),
            // There is none yet, or somebody has killed it.
            _ => {
                let reaper = Arc::new(self.start_reaper().await?);
                reaper.creation_begins().map_err(ReaperError::Spawn)?;
                standing_by.insert(reaper).clone()
            }
        };
        drop(standing_by);
        inside::look(&self.docker).await;
        if !self.shared.swept.swap(true, Ordering::Relaxed) {
            let (docker, one_machine) = (self.docker.clone(), self.serves_this_machine_alone());
            // Whoever comes next sweeps what this one could not.
            self.runtime.spawn(async move { sweep(&docker, one_machine).await });
        }
        Ok(Guarded { engine: self, note: Note(reaper) })
    }

    async fn start_reaper(&self) -> Result<Reaper, EngineError> {
        let engine = self.shared.address.clone();
        let orders = Orders { engine, owner: Identity::current(), watch: Watch::Pipe };
        Ok(self.blocking(move || Reaper::start(&orders)).await?)
    }

    /// A socket can be forwarded, but hardly to several machines at once.
    fn serves_this_machine_alone(&self) -> bool {
        matches!(self.shared.address, Address::Unix(_))
    }
}

impl From<ReaperError> for EngineError {
    fn from(error: ReaperError) -> Self {
        Self::Reaper(Arc::new(error))
    }
}

impl Guarded {
    /// Like [`Engine::call`], for work that makes something: if the returned future is dropped,
    /// `discard` gets what has been made meanwhile, and the drop waits for it.
    pub(crate) async fn make<W, T, D, U>(self, work: W, discard: D) -> T
    where
        W: Future<Output = T> + Send + 'static,
        T: Send + 'static,
        D: FnOnce(T) -> U + Send + 'static,
        U: Future + Send + 'static,
    {
        let Self { engine, note } = self;
        let task = engine.spawn(async move {
            let made = work.await;
            drop(note);
            made
        });
        let mut making = Making { engine: &engine, unfinished: Some((task, discard)) };
        joined(poll_fn(|cx| making.poll(cx))).await
    }
}

struct Making<'a, T, D, U>
where
    T: Send + 'static,
    D: FnOnce(T) -> U + Send + 'static,
    U: Future + Send + 'static,
{
    engine: &'a Engine,
    unfinished: Option<(JoinHandle<T>, D)>,
}

impl<T, D, U> Making<'_, T, D, U>
where
    T: Send + 'static,
    D: FnOnce(T) -> U + Send + 'static,
    U: Future + Send + 'static,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        let Some((task, _)) = &mut self.unfinished else { return Poll::Pending };
        let output = ready!(Pin::new(task).poll(cx));
        self.unfinished = None;
        Poll::Ready(output)
    }
}

impl<T, D, U> Drop for Making<'_, T, D, U>
where
    T: Send + 'static,
    D: FnOnce(T) -> U + Send + 'static,
    U: Future + Send + 'static,
{
    fn drop(&mut self) {
        if let Some((task, discard)) = self.unfinished.take() {
            self.engine.finish(|_| async move {
                if let Ok(made) = task.await {
                    discard(made).await;
                }
            });
        }
    }
}
