//! A container that has been started.

use std::ops::Deref;
use std::sync::Arc;

use futures_util::StreamExt;
use plimsoll_reaper::is_kept;
use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error;
use testcontainers::bollard::query_parameters::{RemoveContainerOptions, WaitContainerOptions};

use crate::artefacts;
use crate::buffer::LogBuffer;
use crate::engine::Engine;
use crate::handle::ContainerHandle;
use crate::process::ProcessIdentity;
use crate::pump;
use crate::record::Record;
use crate::request::{RequestError, Step};
use crate::scope::SharedNode;
use crate::stack::Teardown;
use crate::start::StartError;

/// A started container. Dropping it removes it, with its anonymous volumes, before the drop
/// returns. What can be done with it is on [`ContainerHandle`].
#[derive(Debug)]
pub struct Container {
    handle: ContainerHandle,
    /// Removed already, or shared with processes that may need it longer than this one.
    removed: bool,
    /// What is known of it, if it is no node of a stack.
    record: Option<Arc<Record>>,
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
        let handle = ContainerHandle::new(engine, node, id, name, logs);
        Self { handle, removed, record: None }
    }

    /// A container that another process has started.
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
        let (node, id, name) = (self.node(), self.id(), self.name());
        SharedNode { node: node.to_owned(), id: id.to_owned(), name: name.to_owned() }
    }

    /// A handle that can be cloned and sent anywhere, and does not keep the container alive.
    #[must_use]
    pub fn handle(&self) -> ContainerHandle {
        self.handle.clone()
    }

    /// Leaves its removal to somebody else.
    pub(crate) fn leave(mut self) {
        self.removed = true;
    }

    /// What will be known of it if the test fails.
    pub(crate) fn recorded(&mut self, record: Arc<Record>) {
        self.record = Some(record);
    }

    /// Kills and removes it, as dropping it does, and says how that went.
    ///
    /// # Errors
    ///
    /// The engine refuses; a container that is gone already counts as removed.
    pub async fn remove(mut self) -> Result<(), RequestError> {
        let id = self.id().to_owned();
        self.engine()
            .call(|docker| remove(docker, id))
            .await
            .map_err(RequestError::during(Step::Remove, self.node()))?;
        self.removed = true;
        Ok(())
    }
}

impl Deref for Container {
    type Target = ContainerHandle;

    fn deref(&self) -> &ContainerHandle {
        &self.handle
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if !self.removed {
            let teardown = Teardown::of_container(self.node(), self.id());
            match &self.record {
                Some(record) => artefacts::of_drop(self.engine(), record, teardown),
                None => self.engine().finish(|docker| teardown.run(docker)),
            }
        }
    }
}

pub(crate) async fn remove(docker: Docker, id: String) -> Result<(), Error> {
    if is_kept(&id) {
        return Ok(());
    }
    let options = RemoveContainerOptions { force: true, v: true, link: false };
    match docker.remove_container(&id, Some(options)).await {
        Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
        Err(Error::DockerResponseServerError { status_code: 409, .. }) => {
            // Somebody is removing it. It is listed, and holds its network, until they are done.
            let condition = "removed".to_owned();
            let mut removed = docker.wait_container(&id, Some(WaitContainerOptions { condition }));
            match removed.next().await {
                Some(Err(Error::DockerResponseServerError { status_code: 404, .. })) | None => {
                    Ok(())
                }
                // It says how the container had ended.
                Some(Err(Error::DockerContainerWaitError { .. }) | Ok(_)) => Ok(()),
                Some(Err(error)) => Err(error),
            }
        }
        result => result,
    }
}
