//! The engine, and the one thread that talks to it.
//!
//! Every call is made on a runtime of its own, on a thread that lives as long as the process.
//! A pooled connection belongs to the runtime that opened it, and each test has another
//! runtime, or none; and a value that is dropped in a panic cannot wait on the runtime it is
//! dropped from. Handing the work over solves both.

mod candidates;
mod connect;
mod context;
mod error;
mod guarded;
mod host;

use std::env;
use std::fs;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::thread::{self, ThreadId};
use std::time::Duration;

use plimsoll_reaper::{Address, Reaper};
use testcontainers::bollard::Docker;
use testcontainers::core::client::docker_client_instance;
use tokio::runtime::{Builder, EnterGuard, Handle};
use tokio::sync::Mutex;
use tokio::task::{JoinError, JoinHandle};

use self::candidates::{Candidate, Surroundings, address, candidates};
pub use self::candidates::{Origin, SettingError};
use self::error::reason;
pub use self::error::{Attempt, EngineError};
use crate::process::ProcessIdentity;

/// How long a drop waits for what it removes.
const DROP_DEADLINE: Duration = Duration::from_secs(10);

/// A connection to the container engine, shared by the whole process.
#[derive(Clone, Debug)]
pub struct Engine {
    docker: Docker,
    runtime: Handle,
    thread: ThreadId,
    shared: Arc<Shared>,
}

/// What all clones of an engine have in common.
#[derive(Debug)]
struct Shared {
    address: Address,
    origin: Origin,
    host: IpAddr,
    reaper: Mutex<Option<Arc<Reaper>>>,
    swept: AtomicBool,
}

impl Engine {
    /// Connects to the engine that the user has chosen: by `DOCKER_HOST` (with
    /// `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH`), by `DOCKER_CONTEXT` or by the context in use;
    /// else to the first that answers of Docker's default socket, rootless Docker, Docker
    /// Desktop and Podman.
    ///
    /// The first call decides for the whole process, and blocks until the engine has answered.
    ///
    /// # Errors
    ///
    /// There is no engine, it does not answer, or it is older than Docker 20.10. The error says
    /// what was tried.
    pub fn connect() -> Result<Self, EngineError> {
        static ENGINE: OnceLock<Result<Engine, EngineError>> = OnceLock::new();
        ENGINE.get_or_init(|| Self::start(of_this_process()?)).clone()
    }

    /// Connects to the engine at an address like those of `DOCKER_HOST`, for this value and its
    /// clones only.
    ///
    /// # Errors
    ///
    /// Like [`Engine::connect`].
    pub fn connect_to(host: &str) -> Result<Self, EngineError> {
        let origin = Origin::Caller;
        let address = address(host, None, &origin)?;
        Self::start(vec![Candidate { origin, address }])
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.shared.address
    }

    /// Where published ports can be reached: this machine, the one of a remote engine, or, from
    /// inside a container that uses its host's engine, that host. `TESTCONTAINERS_HOST_OVERRIDE`
    /// overrides it.
    #[must_use]
    pub fn host(&self) -> IpAddr {
        self.shared.host
    }

    /// The address of the engine's machine to publish ports on: loopback where that is enough.
    #[must_use]
    pub fn publish_on(&self) -> IpAddr {
        if self.shared.host.is_loopback() { self.shared.host } else { Ipv4Addr::UNSPECIFIED.into() }
    }

    /// Makes sure that testcontainers' own runner uses the same engine. It knows `DOCKER_HOST` and
    /// some sockets, and can be told of no other; a context it does not see.
    ///
    /// # Errors
    ///
    /// It uses another, or none.
    pub async fn check_testcontainers(&self) -> Result<(), EngineError> {
        let Shared { origin, address, .. } = &*self.shared;
        if matches!(origin, Origin::DockerHost | Origin::DefaultSocket) {
            return Ok(());
        }
        let differs =
            |other: String| Err(EngineError::Testcontainers { engine: address.to_string(), other });
        let ids = self.call(|docker| async move {
            let theirs = docker_client_instance().await.map_err(|error| reason(&error))?;
            let info = theirs.info().await.map_err(|error| reason(&error))?;
            let ours = docker.info().await.map_err(|error| reason(&error))?;
            Ok::<_, String>((ours.id, info.id))
        });
        match ids.await {
            Ok((Some(ours), Some(theirs))) if ours == theirs => Ok(()),
            Ok(_) => differs("another engine".to_owned()),
            Err(reason) => differs(format!("none ({reason})")),
        }
    }

    /// One that is not the process's own, on the present runtime.
    #[cfg(test)]
    pub(crate) fn over(docker: Docker) -> Self {
        let shared = Shared {
            address: Address::Unix("/dev/null".into()),
            origin: Origin::Caller,
            host: Ipv4Addr::LOCALHOST.into(),
            reaper: Mutex::default(),
            swept: AtomicBool::new(true),
        };
        let (runtime, thread) = (Handle::current(), thread::current().id());
        Self { docker, runtime, thread, shared: Arc::new(shared) }
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
        joined(self.spawn(work(self.docker.clone()))).await
    }

    /// Like [`Engine::call`], for work that only looks: it ends when nobody waits for it.
    pub(crate) async fn observe<Fut>(&self, work: Fut) -> Fut::Output
    where
        Fut: Future + Send + 'static,
        Fut::Output: Send + 'static,
    {
        joined(AbortOnDrop(self.spawn(work))).await
    }

    /// Does the work before a drop returns, if it does not take too long.
    pub(crate) fn finish<F, Fut>(&self, work: F)
    where
        F: FnOnce(Docker) -> Fut,
        Fut: Future + Send + 'static,
    {
        self.finish_within(DROP_DEADLINE, work);
    }

    /// The same, for work that may take as long as this.
    pub(crate) fn finish_within<F, Fut>(&self, deadline: Duration, work: F)
    where
        F: FnOnce(Docker) -> Fut,
        Fut: Future + Send + 'static,
    {
        let work = work(self.docker.clone());
        let (done, finished) = sync_channel(1);
        self.spawn(async move {
            work.await;
            let _ = done.send(());
        });
        // On the engine's own thread, waiting would keep the work from being done.
        if !self.is_this_thread() {
            let _ = finished.recv_timeout(deadline);
        }
    }

    /// Does what blocks, on a thread for it. Like [`Engine::call`] it is done to its end.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        joined(self.runtime.spawn_blocking(work)).await
    }

    /// Makes this thread's timers and tasks the engine's, while the guard is held.
    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        self.runtime.enter()
    }

    /// Whether this is the thread that does the engine's work.
    pub(crate) fn is_this_thread(&self) -> bool {
        thread::current().id() == self.thread
    }

    /// Spawns work on the engine's runtime; what it creates belongs to whom it belongs here.
    fn spawn<Fut>(&self, work: Fut) -> JoinHandle<Fut::Output>
    where
        Fut: Future + Send + 'static,
        Fut::Output: Send + 'static,
    {
        self.runtime.spawn(ProcessIdentity::current().owns(work))
    }

    fn start(candidates: Vec<Candidate>) -> Result<Self, EngineError> {
        let (ready, connected) = sync_channel(1);
        thread::Builder::new()
            .name("plimsoll-engine".to_owned())
            .spawn(move || serve(candidates, &ready))
            .map_err(|error| EngineError::Thread(Arc::new(error)))?;
        connected.recv().unwrap_or_else(|error| {
            Err(EngineError::Thread(Arc::new(std::io::Error::other(error))))
        })
    }
}

/// What the environment and Docker's files say.
fn of_this_process() -> Result<Vec<Candidate>, SettingError> {
    candidates(&Surroundings {
        variable: &|name| env::var(name).ok().filter(|value| !value.is_empty()),
        read: &|path| fs::read(path),
    })
}

fn serve(candidates: Vec<Candidate>, ready: &SyncSender<Result<Engine, EngineError>>) {
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(EngineError::Thread(Arc::new(error))));
            return;
        }
    };
    runtime.block_on(async {
        let engine = connect::first(candidates).await;
        let usable = engine.is_ok();
        let _ = ready.send(engine);
        if usable {
            std::future::pending::<()>().await;
        }
    });
}

async fn joined<T>(task: impl Future<Output = Result<T, JoinError>>) -> T {
    match task.await {
        Ok(output) => output,
        Err(error) => resume_unwind(error.into_panic()),
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
