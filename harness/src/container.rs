//! A container that has been started.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use regex::bytes::Regex;
use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error;
use testcontainers::bollard::models::ContainerInspectResponse;
use testcontainers::bollard::query_parameters::{RemoveContainerOptions, StopContainerOptions};

use crate::engine::Engine;
use crate::exec::{self, ExecOutput};
use crate::logs::{LogBuffer, LogLine, LogMark, LogTail, Logs};
use crate::port::{self, PortError};
use crate::process::ProcessIdentity;
use crate::pump;
use crate::request::{RequestError, Step};
use crate::scope::SharedNode;
use crate::start::StartError;
use crate::wait::{LogWait, WaitError, wait_for_exit, wait_for_line};

/// A started container. Dropping it removes it, with its anonymous volumes, before the drop
/// returns.
#[derive(Debug)]
pub struct Container {
    engine: Engine,
    node: String,
    id: String,
    name: String,
    logs: Arc<LogBuffer>,
    /// Removed already, or shared with processes that may need it longer than this one.
    removed: bool,
}

impl Container {
    pub(crate) fn new(
        engine: Engine,
        node: String,
        id: String,
        name: String,
        logs: Arc<LogBuffer>,
    ) -> Self {
        let removed = ProcessIdentity::current().is_shared();
        Self { engine, node, id, name, logs, removed }
    }

    /// A handle of a container that another process has started.
    pub(crate) async fn adopt(shared: &SharedNode) -> Result<Self, StartError> {
        let engine = Engine::connect()?;
        let SharedNode { node, id, name } = shared.clone();
        let logs = Arc::new(LogBuffer::new());
        let adopting = {
            let (id, logs) = (id.clone(), logs.clone());
            engine.call(|docker| pump::adopt(docker, id, logs)).await
        };
        adopting.map_err(RequestError::during(Step::Attach, &node))?;
        Ok(Self::new(engine, node, id, name, logs))
    }

    /// What another process needs to know of it.
    pub(crate) fn share(&self) -> SharedNode {
        SharedNode { node: self.node.clone(), id: self.id.clone(), name: self.name.clone() }
    }

    /// Its id on the engine.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its name on the engine, `plimsoll-<run>-<name>`. Other containers find it by alias.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its state, asked of the engine now.
    ///
    /// # Errors
    ///
    /// The engine refuses, or the container is gone.
    pub async fn inspect(&self) -> Result<ContainerInspectResponse, RequestError> {
        let id = self.id.clone();
        let inspecting = |docker: Docker| async move { docker.inspect_container(&id, None).await };
        self.engine.call(inspecting).await.map_err(RequestError::during(Step::Inspect, &self.node))
    }

    /// Where a published TCP port can be reached. The engine is asked each time: a restart
    /// changes the answer.
    ///
    /// # Errors
    ///
    /// The definition does not publish the port, or the engine refuses.
    pub async fn mapped_port(&self, port: u16) -> Result<SocketAddr, PortError> {
        let state = self.inspect().await?;
        let ports = state.network_settings.and_then(|network| network.ports).unwrap_or_default();
        port::published(&self.node, &ports, port)
    }

    /// Everything it has written so far.
    #[must_use]
    pub fn logs(&self) -> Logs {
        self.logs.snapshot()
    }

    /// The last lines of both streams, for an error of one's own.
    #[must_use]
    pub fn tail(&self) -> LogTail {
        self.logs.tail()
    }

    /// Marks the present end of the logs, for [`Container::wait_since`].
    #[must_use]
    pub fn mark(&self) -> LogMark {
        self.logs.mark()
    }

    /// Waits for a line, written already or not.
    ///
    /// # Errors
    ///
    /// The container exits first, the deadline passes, or the pattern is none.
    pub async fn wait(&self, wait: &LogWait) -> Result<LogLine, WaitError> {
        self.wait_since(LogBuffer::start(), wait).await
    }

    /// Waits for a line that was completed after the mark.
    ///
    /// # Errors
    ///
    /// The container exits first, the deadline passes, or the pattern is none.
    pub async fn wait_since(&self, mark: LogMark, wait: &LogWait) -> Result<LogLine, WaitError> {
        let regex = wait.compile(&self.node)?;
        self.wait_compiled(mark, wait, regex).await
    }

    /// Waits until its main process has exited and all its output is in; gives the exit code.
    ///
    /// # Errors
    ///
    /// It is still running at the deadline, or the engine stops answering.
    pub async fn wait_exit(&self, within: Duration) -> Result<i64, WaitError> {
        let (node, logs) = (self.node.clone(), self.logs.clone());
        self.engine.observe(async move { wait_for_exit(&node, &logs, within).await }).await
    }

    /// Runs a command in the container, without a shell, and waits for its end.
    ///
    /// # Errors
    ///
    /// The engine refuses; that the command fails is an exit code, not an error.
    pub async fn exec<S: Into<String>>(
        &self,
        cmd: impl IntoIterator<Item = S>,
    ) -> Result<ExecOutput, RequestError> {
        let (id, cmd) = (self.id.clone(), cmd.into_iter().map(Into::into).collect());
        self.engine
            .call(|docker| exec::exec(docker, id, cmd))
            .await
            .map_err(RequestError::during(Step::Exec, &self.node))
    }

    /// Stops it: the image's stop signal, and a kill if it still runs after the grace period.
    ///
    /// # Errors
    ///
    /// The engine refuses.
    pub async fn stop(&self, grace: Duration) -> Result<(), RequestError> {
        let seconds = i32::try_from(grace.as_secs()).unwrap_or(i32::MAX);
        let options = StopContainerOptions { t: Some(seconds), ..StopContainerOptions::default() };
        let id = self.id.clone();
        self.engine
            .call(|docker| async move { docker.stop_container(&id, Some(options)).await })
            .await
            .map_err(RequestError::during(Step::Stop, &self.node))
    }

    /// Kills and removes it, as dropping it does, and says how that went.
    ///
    /// # Errors
    ///
    /// The engine refuses; a container that is gone already counts as removed.
    pub async fn remove(mut self) -> Result<(), RequestError> {
        let id = self.id.clone();
        self.engine
            .call(|docker| remove(docker, id))
            .await
            .map_err(RequestError::during(Step::Remove, &self.node))?;
        self.removed = true;
        Ok(())
    }

    pub(crate) async fn wait_compiled(
        &self,
        mark: LogMark,
        wait: &LogWait,
        regex: Regex,
    ) -> Result<LogLine, WaitError> {
        let (node, logs, wait) = (self.node.clone(), self.logs.clone(), wait.clone());
        self.engine
            .observe(async move { wait_for_line(&node, &logs, mark, &wait, &regex).await })
            .await
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if !self.removed {
            let id = self.id.clone();
            self.engine.finish(|docker| remove(docker, id));
        }
    }
}

pub(crate) async fn remove(docker: Docker, id: String) -> Result<(), Error> {
    let options = RemoveContainerOptions { force: true, v: true, link: false };
    match docker.remove_container(&id, Some(options)).await {
        // Gone, or going: what was asked for.
        Err(Error::DockerResponseServerError { status_code: 404 | 409, .. }) => Ok(()),
        result => result,
    }
}
