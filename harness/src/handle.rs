//! What can be done with a running container.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use testcontainers::bollard::Docker;
use testcontainers::bollard::models::ContainerInspectResponse;

use crate::buffer::{LogBuffer, LogMark};
use crate::copy::{self, CopyError};
use crate::definition::NetworkAttachment;
use crate::disconnect::{self, Disconnected};
use crate::ending::Ending;
use crate::engine::Engine;
use crate::exec::Exec;
use crate::http::ContainerHttp;
use crate::line::{LogLine, LogTail};
use crate::logs::Logs;
use crate::port::{self, EngineAddresses, PortError, Reach};
use crate::power;
use crate::request::{RequestError, Step};
use crate::wait::{Condition, PortAddresses, Wait, WaitError, run};

/// A container, for as long as there is one: what [`Container`](crate::Container) derefs to.
/// Clones of it do not keep the container alive.
///
/// It works on any runtime, and what it starts on the engine runs to its end if a future is
/// dropped.
#[derive(Clone, Debug)]
pub struct ContainerHandle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    engine: Engine,
    node: String,
    id: String,
    name: String,
    logs: Arc<LogBuffer>,
}

impl ContainerHandle {
    pub(crate) fn new(
        engine: Engine,
        node: String,
        id: String,
        name: String,
        logs: Arc<LogBuffer>,
    ) -> Self {
        Self { shared: Arc::new(Shared { engine, node, id, name, logs }) }
    }

    /// Its id on the engine.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    /// Its name on the engine, `plimsoll-<run>-<name>`. Other containers find it by alias.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Its name in its definition.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.shared.node
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    pub(crate) fn buffer(&self) -> &Arc<LogBuffer> {
        &self.shared.logs
    }

    /// Its state, asked of the engine now.
    ///
    /// # Errors
    ///
    /// The engine refuses, or the container is gone.
    pub async fn inspect(&self) -> Result<ContainerInspectResponse, RequestError> {
        let id = self.id().to_owned();
        self.request(
            Step::Inspect,
            |docker| async move { docker.inspect_container(&id, None).await },
        )
        .await
    }

    /// The networks it is on, for a container that joins it there under names of its own: beside
    /// a running stack, for one test.
    ///
    /// ```no_run
    /// # async fn example(web: plimsoll_harness::Container) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut client = plimsoll_harness::ContainerDefinition::new("client", "acme/client:ci");
    /// client.networks = web.networks().await?;
    /// let client = client.start().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The engine refuses, or the container is gone.
    pub async fn networks(&self) -> Result<Vec<NetworkAttachment>, RequestError> {
        let networks = self.inspect().await?.network_settings.and_then(|found| found.networks);
        let mut ids: Vec<_> =
            networks.into_iter().flatten().filter_map(|(_, found)| found.network_id).collect();
        ids.sort();
        Ok(ids.into_iter().map(NetworkAttachment::to_id).collect())
    }

    /// Everything it has written so far, and will write.
    #[must_use]
    pub fn logs(&self) -> Logs {
        Logs::new(self.clone(), LogMark::default())
    }

    /// The last 50 lines of both streams, for an error of one's own.
    #[must_use]
    pub fn tail(&self) -> LogTail {
        self.buffer().tail()
    }

    /// Marks the present end of the logs, for [`Logs::after`].
    #[must_use]
    pub fn mark(&self) -> LogMark {
        self.buffer().mark()
    }

    /// How it ended, if it has and all its output is in.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        self.buffer().ending()
    }

    /// Waits. Lines count that were written since the container last started, before this call
    /// as well.
    ///
    /// # Errors
    ///
    /// The container exits first, the deadline passes, or what is waited for cannot be.
    pub async fn wait(&self, wait: impl Into<Wait>) -> Result<Vec<LogLine>, WaitError> {
        run(self, &wait.into(), self.buffer().begun()).await
    }

    /// Waits; lines count that are completed after the mark.
    ///
    /// # Errors
    ///
    /// The container exits first, the deadline passes, or what is waited for cannot be.
    pub async fn wait_since(
        &self,
        mark: LogMark,
        wait: impl Into<Wait>,
    ) -> Result<Vec<LogLine>, WaitError> {
        run(self, &wait.into(), mark).await
    }

    /// Waits until its main process has exited and all its output is in; gives the exit code.
    /// [`Condition::Exit`] expects a certain one.
    ///
    /// # Errors
    ///
    /// It is still running at the deadline, or the engine stops answering.
    pub async fn wait_exit(&self, within: Duration) -> Result<i64, WaitError> {
        let any = Condition::until("exit", |container| async move {
            std::future::pending::<()>().await;
            drop(container);
            Ok(())
        });
        match run(self, &any.within(within), self.buffer().begun()).await {
            Err(WaitError::Exited { exit, .. }) => Ok(exit.code),
            Err(error) => Err(error),
            Ok(_) => unreachable!("nothing else ends this wait"),
        }
    }

    /// Where a published TCP port can be reached, by IPv4 if it can. The engine is asked each
    /// time: a restart changes the answer.
    ///
    /// # Errors
    ///
    /// The definition does not publish the port, or the engine refuses.
    pub async fn mapped_port(&self, port: u16) -> Result<SocketAddr, PortError> {
        // There is at least one, or this is an error.
        Ok(self.mapped_ports(port).await?[0])
    }

    /// All addresses a published TCP port can be reached at, IPv4 first.
    ///
    /// # Errors
    ///
    /// The definition does not publish the port, or the engine refuses.
    pub async fn mapped_ports(&self, port: u16) -> Result<Vec<SocketAddr>, PortError> {
        let (state, engine) = (self.inspect().await?, self.addresses());
        port::published(self.node(), &published(&state), port, &engine)
    }

    /// Where its lowest published TCP port can be reached.
    ///
    /// # Errors
    ///
    /// The definition publishes none, or the engine refuses.
    pub async fn first_port(&self) -> Result<SocketAddr, PortError> {
        let port = self.first_published().await?;
        self.mapped_port(port).await
    }

    pub(crate) async fn first_published(&self) -> Result<u16, PortError> {
        port::first(self.node(), &published(&self.inspect().await?))
    }

    /// All its ports, and where they are published.
    pub(crate) async fn ports(&self) -> Result<Vec<PortAddresses>, PortError> {
        Ok(port::table(&self.inspect().await?, &self.addresses()))
    }

    /// The most honest way to a port: the container's own address if there is a way to it.
    pub(crate) async fn reach(&self, port: u16) -> Result<Reach, PortError> {
        let state = self.inspect().await?;
        match port::direct(&state, port) {
            Some(address) => Ok(Reach::Direct(address)),
            None => self.mapped_port(port).await.map(Reach::Published),
        }
    }

    fn addresses(&self) -> EngineAddresses {
        EngineAddresses::at(self.engine().host())
    }

    /// An HTTP client for its lowest published port. Each call gives a new one, with an empty
    /// cookie jar.
    #[must_use]
    pub fn http(&self) -> ContainerHttp {
        ContainerHttp::new(self.clone(), None)
    }

    /// An HTTP client for this port of the container, which has to be published.
    #[must_use]
    pub fn http_on(&self, port: u16) -> ContainerHttp {
        ContainerHttp::new(self.clone(), Some(port))
    }

    /// A command to run in the container, without a shell. Awaiting it gives its exit code and
    /// both streams; that the command fails is an exit code, not an error.
    pub fn exec<S: Into<String>>(&self, cmd: impl IntoIterator<Item = S>) -> Exec {
        Exec::new(self.clone(), cmd.into_iter().map(Into::into).collect())
    }

    /// Reads a file of the container. Needs no tool in it, and works when it has stopped.
    ///
    /// # Errors
    ///
    /// There is no such file, it is not a plain one, or the engine refuses.
    pub async fn read_file(&self, path: &str) -> Result<Vec<u8>, CopyError> {
        copy::read_file(self, path).await
    }

    /// Writes a file into the container, with permission bits such as `0o644`. It belongs to
    /// root; missing directories are created.
    ///
    /// # Errors
    ///
    /// The path is not absolute or the engine refuses.
    pub async fn write_file(
        &self,
        path: &str,
        bytes: impl Into<Vec<u8>>,
        mode: u32,
    ) -> Result<(), CopyError> {
        copy::write_file(self, path, bytes.into(), mode).await
    }

    /// Copies a file of this machine, or a directory with all that is in it, to this path of the
    /// container. Missing directories are created.
    ///
    /// # Errors
    ///
    /// The source cannot be read, the path is not absolute or the engine refuses.
    pub async fn copy_to(&self, from: impl Into<PathBuf>, path: &str) -> Result<(), CopyError> {
        copy::copy_to(self, from.into(), path).await
    }

    /// Copies a file of the container, or a directory with all that is in it, to this path of
    /// this machine, which must not exist.
    ///
    /// # Errors
    ///
    /// There is no such file in the container, the path exists or cannot be written, or the
    /// engine refuses.
    pub async fn copy_from(&self, path: &str, to: impl Into<PathBuf>) -> Result<(), CopyError> {
        copy::copy_from(self, path, to.into()).await
    }

    /// Stops it: the image's stop signal, and a kill if it still runs after the grace period.
    ///
    /// # Errors
    ///
    /// The engine refuses.
    pub async fn stop(&self, grace: Duration) -> Result<(), RequestError> {
        power::stop(self, grace).await
    }

    /// Stops it with a signal such as `SIGINT`, and kills it if it still runs after the grace
    /// period.
    ///
    /// # Errors
    ///
    /// The engine refuses.
    pub async fn stop_with(&self, signal: &str, grace: Duration) -> Result<(), RequestError> {
        power::stop_with(self, signal, grace).await
    }

    /// Sends a signal such as `SIGHUP` to its main process.
    ///
    /// # Errors
    ///
    /// It is not running, or the engine refuses.
    pub async fn kill(&self, signal: &str) -> Result<(), RequestError> {
        power::kill(self, signal).await
    }

    /// Freezes all its processes; connections to it stay open and hang.
    ///
    /// # Errors
    ///
    /// It is not running, or the engine refuses.
    pub async fn pause(&self) -> Result<(), RequestError> {
        let id = self.id().to_owned();
        self.request(Step::Pause, |docker| async move { docker.pause_container(&id).await }).await
    }

    /// Lets it run on.
    ///
    /// # Errors
    ///
    /// It is not paused, or the engine refuses.
    pub async fn unpause(&self) -> Result<(), RequestError> {
        let id = self.id().to_owned();
        self.request(Step::Unpause, |docker| async move { docker.unpause_container(&id).await })
            .await
    }

    /// Stops it as [`ContainerHandle::stop`] does, and starts it again with its files as they
    /// are. Waits see what it writes from then on; the logs keep what was before. Its published
    /// ports change. Does not wait for readiness.
    ///
    /// Gives the mark of the new start.
    ///
    /// # Errors
    ///
    /// The engine refuses.
    pub async fn restart(&self, grace: Duration) -> Result<LogMark, RequestError> {
        power::restart(self, grace).await
    }

    /// Takes it off all its networks: names no longer lead to it, it reaches nobody, and its
    /// published ports answer nobody. [`Disconnected::reconnect`] puts it back.
    ///
    /// # Errors
    ///
    /// The engine refuses.
    pub async fn disconnect(&self) -> Result<Disconnected, RequestError> {
        disconnect::disconnect(self).await
    }

    /// Asks the engine, to the end even if nobody waits for it any more.
    pub(crate) async fn request<F, Fut, T>(&self, step: Step, ask: F) -> Result<T, RequestError>
    where
        F: FnOnce(Docker) -> Fut,
        Fut: Future<Output = Result<T, testcontainers::bollard::errors::Error>> + Send + 'static,
        T: Send + 'static,
    {
        self.engine().call(ask).await.map_err(RequestError::during(step, self.node()))
    }
}

fn published(state: &ContainerInspectResponse) -> testcontainers::bollard::models::PortMap {
    let settings = state.network_settings.as_ref();
    settings.and_then(|settings| settings.ports.clone()).unwrap_or_default()
}
