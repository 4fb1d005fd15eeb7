//! From definition to running container, with nothing left behind on the way.

use std::io;
use std::sync::Arc;

use testcontainers::bollard::query_parameters::{CreateContainerOptions, UploadToContainerOptions};
use testcontainers::bollard::{self, Docker};

use crate::archive::archive;
use crate::container::Container;
use crate::create::create_body;
use crate::definition::ContainerDefinition;
use crate::engine::{Engine, EngineError};
use crate::image::{self, ImageError};
use crate::logs::LogBuffer;
use crate::process::ProcessIdentity;
use crate::pump;
use crate::request::{RequestError, Step};
use crate::wait::WaitError;

/// A container that did not start. It has been removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// There is no image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The engine refused.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The container's files do not fit into an archive.
    #[error("archive the files of `{node}`")]
    Files {
        /// The container's name in its definition.
        node: String,
        /// What is wrong with them.
        source: io::Error,
    },
    /// It started and did not become ready.
    #[error(transparent)]
    NotReady(#[from] WaitError),
}

impl ContainerDefinition {
    /// Creates and starts the container, and waits until it is ready.
    ///
    /// # Errors
    ///
    /// The image is missing, the engine refuses, the container exits before it is ready or the
    /// deadline passes. Whatever the reason, the container has been removed; it is as well if
    /// the returned future is dropped before it is done.
    pub async fn start(&self) -> Result<Container, StartError> {
        let engine = Engine::connect()?;
        let ready = self.ready.as_ref().map(|wait| Ok((wait, wait.compile(&self.name)?)));
        let ready = ready.transpose().map_err(StartError::NotReady)?;
        let run = run(engine.clone(), self.clone());
        let container = engine.guarded().await?.make(run, discard).await?;
        let Some((wait, regex)) = ready else { return Ok(container) };
        match container.wait_compiled(LogBuffer::start(), wait, regex).await {
            Ok(_) => Ok(container),
            Err(error) => {
                // The error to report is why it is not ready; drop tries the removal again.
                let _ = container.remove().await;
                Err(error.into())
            }
        }
    }
}

/// Removes what was started for someone who has stopped waiting for it.
async fn discard(started: Result<Container, StartError>) {
    if let Ok(container) = started {
        // There is nobody left to tell; drop tries the removal again.
        let _ = container.remove().await;
    }
}

async fn run(engine: Engine, definition: ContainerDefinition) -> Result<Container, StartError> {
    let docker = engine.docker();
    let node = &definition.name;
    image::ensure(docker, node, &definition.image, definition.pull).await?;
    let process = ProcessIdentity::current();
    let name = process.name(node);
    let options = CreateContainerOptions { name: Some(name.clone()), ..Default::default() };
    let body = create_body(&definition, process.labels(node));
    let created = docker
        .create_container(Some(options), body)
        .await
        .map_err(RequestError::during(Step::Create, node))?;
    let logs = Arc::new(LogBuffer::new());
    // From here on, dropping it removes it.
    let container = Container::new(engine.clone(), node.clone(), created.id, name, logs.clone());
    match bring_up(docker, &definition, container.id(), logs).await {
        Ok(()) => Ok(container),
        Err(error) => {
            let _ = container.remove().await;
            Err(error)
        }
    }
}

async fn bring_up(
    docker: &Docker,
    definition: &ContainerDefinition,
    id: &str,
    logs: Arc<LogBuffer>,
) -> Result<(), StartError> {
    let node = &definition.name;
    if !definition.files.is_empty() {
        let files = archive(&definition.files)
            .await
            .map_err(|source| StartError::Files { node: node.clone(), source })?;
        let options = UploadToContainerOptions { path: "/".to_owned(), ..Default::default() };
        docker
            .upload_to_container(id, Some(options), bollard::body_full(files.into()))
            .await
            .map_err(RequestError::during(Step::CopyFiles, node))?;
    }
    let output = pump::attach(docker, id, logs.clone())
        .await
        .map_err(RequestError::during(Step::Attach, node))?;
    docker.start_container(id, None).await.map_err(RequestError::during(Step::Start, node))?;
    tokio::spawn(pump::watch(docker.clone(), id.to_owned(), output, logs));
    Ok(())
}
