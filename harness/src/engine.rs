//! The engine, and the one thread that talks to it.
//!
//! Every call is made on a runtime of its own, on a thread that lives as long as the process.
//! A pooled connection belongs to the runtime that opened it, and each test has another
//! runtime, or none; and a value that is dropped in a panic cannot wait on the runtime it is
//! dropped from. Handing the work over solves both.

use std::future::{Future, poll_fn};
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::thread::{self, ThreadId};
use std::time::Duration;

use testcontainers::bollard::{self, Docker};
use testcontainers::core::client::{ClientError, docker_client_instance};
use tokio::runtime::{Builder, Handle};
use tokio::task::{JoinError, JoinHandle};

/// How long an engine may take to answer its first ping.
const PING_DEADLINE: Duration = Duration::from_secs(10);

/// How long a drop waits for what it removes.
const DROP_DEADLINE: Duration = Duration::from_secs(10);

/// A connection to the container engine, shared by the whole process.
#[derive(Clone, Debug)]
pub struct Engine {
    docker: Docker,
    runtime: Handle,
    thread: ThreadId,
}

/// The engine cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// What `DOCKER_HOST` and the configuration files say makes no sense.
    #[error("configure a connection to the container engine")]
    Configuration(#[source] Arc<ClientError>),
    /// Nobody answers.
    #[error("reach the container engine")]
    Unreachable(#[source] Arc<bollard::errors::Error>),
    /// Somebody listens and does not answer.
    #[error("reach the container engine: no answer in {} seconds", PING_DEADLINE.as_secs())]
    NoAnswer,
    /// There is no thread to be had.
    #[error("start the thread that talks to the container engine")]
    Thread(#[source] Arc<std::io::Error>),
}

impl Engine {
    /// Connects the way testcontainers does: `DOCKER_HOST`, its properties file, the usual
    /// sockets. The first call decides for the whole process, and blocks for one ping.
    ///
    /// # Errors
    ///
    /// There is no engine, or it does not answer.
    pub fn connect() -> Result<Self, EngineError> {
        static ENGINE: OnceLock<Result<Engine, EngineError>> = OnceLock::new();
        ENGINE.get_or_init(Self::start).clone()
    }

    /// The client, for work that is on the engine's runtime already.
    pub(crate) fn docker(&self) -> &Docker {
        &self.docker
    }

    /// Makes calls that this crate has no words for, on the engine's runtime.
    ///
    /// They run to their end even if the returned future is dropped, so nothing is left
    /// half-made.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = plimsoll_harness::Engine::connect()?;
    /// let version = engine.call(|docker| async move { docker.version().await }).await?;
    /// # let _ = version;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn call<F, Fut>(&self, work: F) -> Fut::Output
    where
        F: FnOnce(Docker) -> Fut,
        Fut: Future + Send + 'static,
        Fut::Output: Send + 'static,
    {
        joined(self.runtime.spawn(work(self.docker.clone()))).await
    }

    /// Like [`Engine::call`], for work that makes something: if the returned future is dropped,
    /// `discard` gets what has been made meanwhile, and the drop waits for it.
    pub(crate) async fn make<W, T, D, U>(&self, work: W, discard: D) -> T
    where
        W: Future<Output = T> + Send + 'static,
        T: Send + 'static,
        D: FnOnce(T) -> U + Send + 'static,
        U: Future + Send + 'static,
    {
        let task = self.runtime.spawn(work);
        let mut making = Making { engine: self, unfinished: Some((task, discard)) };
        joined(poll_fn(|cx| making.poll(cx))).await
    }

    /// Like [`Engine::call`], for work that only looks: it ends when nobody waits for it.
    pub(crate) async fn observe<Fut>(&self, work: Fut) -> Fut::Output
    where
        Fut: Future + Send + 'static,
        Fut::Output: Send + 'static,
    {
        joined(AbortOnDrop(self.runtime.spawn(work))).await
    }

    /// Does the work before a drop returns, if it does not take too long.
    pub(crate) fn finish<F, Fut>(&self, work: F)
    where
        F: FnOnce(Docker) -> Fut,
        Fut: Future + Send + 'static,
    {
        let work = work(self.docker.clone());
        let (done, finished) = sync_channel(1);
        self.runtime.spawn(async move {
            work.await;
            let _ = done.send(());
        });
        // On the engine's own thread, waiting would keep the work from being done.
        if thread::current().id() != self.thread {
            let _ = finished.recv_timeout(DROP_DEADLINE);
        }
    }

    fn start() -> Result<Self, EngineError> {
        let (ready, connected) = sync_channel(1);
        thread::Builder::new()
            .name("plimsoll-engine".to_owned())
            .spawn(move || serve(&ready))
            .map_err(|error| EngineError::Thread(Arc::new(error)))?;
        connected.recv().unwrap_or(Err(EngineError::NoAnswer))
    }
}

fn serve(ready: &SyncSender<Result<Engine, EngineError>>) {
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(EngineError::Thread(Arc::new(error))));
            return;
        }
    };
    runtime.block_on(async {
        let engine = connect().await.map(|docker| Engine {
            docker,
            runtime: Handle::current(),
            thread: thread::current().id(),
        });
        let usable = engine.is_ok();
        let _ = ready.send(engine);
        if usable {
            std::future::pending::<()>().await;
        }
    });
}

async fn connect() -> Result<Docker, EngineError> {
    let docker = docker_client_instance()
        .await
        .map_err(|error| EngineError::Configuration(Arc::new(error)))?;
    match tokio::time::timeout(PING_DEADLINE, docker.ping()).await {
        Ok(Ok(_)) => Ok(docker),
        Ok(Err(error)) => Err(EngineError::Unreachable(Arc::new(error))),
        Err(_) => Err(EngineError::NoAnswer),
    }
}

async fn joined<T>(task: impl Future<Output = Result<T, JoinError>>) -> T {
    match task.await {
        Ok(output) => output,
        Err(error) => resume_unwind(error.into_panic()),
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

struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Future for AbortOnDrop<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
