//! From definition to running container, with nothing left behind on the way.

use std::io;
use std::sync::Arc;

use testcontainers::bollard::errors::Error;
use testcontainers::bollard::models::NetworkConnectRequest;
use testcontainers::bollard::query_parameters::{CreateContainerOptions, UploadToContainerOptions};
use testcontainers::bollard::{self, Docker};

use crate::archive::archive;
use crate::artefacts;
use crate::buffer::LogBuffer;
use crate::container::Container;
use crate::create::{create_body, endpoint, target};
use crate::definition::{ContainerDefinition, MountSource, NetworkTarget};
use crate::engine::{Engine, EngineError};
use crate::failure::chain;
use crate::failure::debug_by_message;
use crate::image::{self, ImageError};
use crate::power;
use crate::process::ProcessIdentity;
use crate::record::{Moment, Record};
use crate::request::{RequestError, Step};
use crate::stack::DefineError;
use crate::wait::WaitError;

/// How often a start is tried when the engine chooses a port that someone else has just taken.
const PORT_ATTEMPTS: u32 = 5;

/// A container that did not start. It has been removed.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// It cannot be defined.
    #[error(transparent)]
    Define(#[from] DefineError),
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
    /// The definition names another node, and there is no stack.
    #[error("start `{node}` by itself: its definition reads `{reference}`, a node of a stack")]
    Unlinked {
        /// The container's name in its definition.
        node: String,
        /// The volume or network it wants.
        reference: String,
    },
    /// The engine's address pools are used up.
    #[error(
        "create network `{node}`: the engine has no addresses left, with {networks} networks; \
         remove those that nobody uses (`docker network prune`), give this one a subnet, or \
         enlarge the engine's `default-address-pools`"
    )]
    NoAddresses {
        /// The network's name in its definition.
        node: String,
        /// How many networks the engine has.
        networks: usize,
        /// What the engine said.
        source: Error,
    },
    /// testcontainers could not start it.
    #[error("start `{node}` through testcontainers: {reason}{tail}")]
    Testcontainers {
        /// The container's name in its definition.
        node: String,
        /// What testcontainers said, with its causes.
        reason: String,
        /// The last lines of both streams.
        tail: crate::line::LogTail,
    },
    /// Another node of its stack failed before it was ready.
    #[error("start `{node}`: its stack was given up")]
    GivenUp {
        /// The container's name in its definition.
        node: String,
    },
    /// What another process shares is something else.
    #[error(
        "use `{node}` of another process: that one has {}; all tests of a run have to share the \
         same by one key",
        list(found)
    )]
    NotShared {
        /// The node that is looked for.
        node: String,
        /// The nodes the other process has.
        found: Vec<String>,
    },
    /// It started and did not become ready.
    #[error(transparent)]
    NotReady(#[from] WaitError),
}

debug_by_message!(StartError);

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
        self.check_readiness()?;
        let run = run(engine.clone(), self.clone());
        let record = Record::of_container();
        record.note(&self.name, Moment::Begun);
        let mut container = engine.guarded().await?.make(run, discard).await?;
        record.container(container.handle());
        record.note(&self.name, Moment::Running);
        match self.wait_ready(&container).await {
            Ok(()) => {
                record.note(&self.name, Moment::Ready);
                container.recorded(record);
                Ok(container)
            }
            Err(error) => {
                record.note(&self.name, Moment::Failed);
                let failure = chain(&error);
                let telling = {
                    let (engine, record) = (engine.clone(), record.clone());
                    async move { artefacts::of_start(&engine, &record, &failure).await }
                };
                engine.call(|_| telling).await;
                record.announce();
                // The error to report is why it is not ready; drop tries the removal again.
                let _ = container.remove().await;
                Err(error.into())
            }
        }
    }

    /// What is wrong with the wait is said before anything is made.
    pub(crate) fn check_readiness(&self) -> Result<(), WaitError> {
        self.ready.as_ref().map_or(Ok(()), |wait| wait.check(&self.name))
    }

    pub(crate) async fn wait_ready(&self, container: &Container) -> Result<(), WaitError> {
        match &self.ready {
            Some(wait) => container.wait(wait).await.map(drop),
            None => Ok(()),
        }
    }

    /// A node of a stack that has not been put in the place of its name.
    fn unlinked(&self) -> Option<&String> {
        let network = self.networks.iter().find_map(|attachment| match &attachment.network {
            NetworkTarget::Node(name) => Some(name),
            NetworkTarget::Id(_) => None,
        });
        let mut mounts = self.mounts.iter();
        network.or_else(|| {
            mounts.find_map(|mount| match &mount.source {
                MountSource::VolumeNode(name) => Some(name),
                _ => None,
            })
        })
    }
}

fn list(found: &[String]) -> String {
    match found {
        [] => "nothing".to_owned(),
        _ => found.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    }
}

/// Removes what was started for someone who has stopped waiting for it.
async fn discard(started: Result<Container, StartError>) {
    if let Ok(container) = started {
        // There is nobody left to tell; drop tries the removal again.
        let _ = container.remove().await;
    }
}

/// Creates and starts the container, on the engine's runtime.
pub(crate) async fn run(
    engine: Engine,
    definition: ContainerDefinition,
) -> Result<Container, StartError> {
    let node = &definition.name;
    if let Some(reference) = definition.unlinked() {
        let (node, reference) = (node.clone(), reference.clone());
        return Err(StartError::Unlinked { node, reference });
    }
    let image = image::ensure(engine.docker(), node, &definition.image).await?;
    let mut attempt = 1;
    loop {
        match create_and_start(&engine, &definition, &image).await {
            // The engine found the port free and lost it before it bound it. With another
            // container it chooses another.
            Err(error) if attempt < PORT_ATTEMPTS && port_was_lost(&definition, &error) => {
                attempt += 1;
            }
            result => return result,
        }
    }
}

async fn create_and_start(
    engine: &Engine,
    definition: &ContainerDefinition,
    image: &str,
) -> Result<Container, StartError> {
    let node = &definition.name;
    let process = ProcessIdentity::current();
    let name = process.name(node);
    let options = CreateContainerOptions {
        name: Some(name.clone()),
        platform: definition.image.platform.clone().unwrap_or_default(),
    };
    let body = create_body(definition, image, process.labels(node), engine.publish_on());
    let created = engine
        .docker()
        .create_container(Some(options), body)
        .await
        .map_err(RequestError::during(Step::Create, node))?;
    let logs = Arc::new(LogBuffer::new());
    // From here on, dropping it removes it.
    let container = Container::new(engine.clone(), node.clone(), created.id, name, logs.clone());
    match bring_up(engine.docker(), definition, container.id(), logs).await {
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
    let others = if definition.network_mode.is_none() { &definition.networks[..] } else { &[] };
    for attachment in others.iter().skip(1) {
        let request = NetworkConnectRequest {
            container: id.to_owned(),
            endpoint_config: Some(endpoint(node, attachment)),
        };
        docker
            .connect_network(target(attachment), request)
            .await
            .map_err(RequestError::during(Step::ConnectNetwork, node))?;
    }
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
    power::start(docker, id, logs).await.map_err(RequestError::during(Step::Start, node))?;
    Ok(())
}

/// A port that the definition asks for by number stays taken however often it is tried.
fn port_was_lost(definition: &ContainerDefinition, error: &StartError) -> bool {
    let StartError::Request(RequestError { step: Step::Start, source, .. }) = error else {
        return false;
    };
    let Error::DockerResponseServerError { message, .. } = source else { return false };
    definition.ports.iter().all(|port| port.host_port.is_none())
        && (message.contains("port is already allocated")
            || message.contains("address already in use"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::PublishedPort;
    use crate::fake_engine::FakeEngine;

    #[test]
    fn edge_port_races_are_tried_again_unless_the_port_was_asked_for() {
        let refused = |step, message: &str| {
            let source =
                Error::DockerResponseServerError { status_code: 500, message: message.to_owned() };
            StartError::Request(RequestError { step, node: "web".to_owned(), source })
        };
        let lost = "driver failed: Bind for 127.0.0.1:32768 failed: port is already allocated";
        let any = ContainerDefinition::new("web", "web:1").publish(80);
        assert!(port_was_lost(&any, &refused(Step::Start, lost)));
        assert!(!port_was_lost(&any, &refused(Step::Create, lost)));
        assert!(!port_was_lost(&any, &refused(Step::Start, "no such file")));
        let fixed = any.publish(PublishedPort::tcp(443).at_host_port(8443));
        assert!(!port_was_lost(&fixed, &refused(Step::Start, lost)));
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    #[test]
    fn edge_port_races_end_with_another_container_and_no_husk() {
        let lost = r#"{"message":"driver failed: Bind for 127.0.0.1:1 failed: port is already allocated"}"#;
        runtime().block_on(async {
            let fake = FakeEngine::listen("port-race");
            fake.answer("GET", "/images/web:1/json", 200, "{}");
            for (id, status, body) in [("lost", 500, lost), ("won", 204, "")] {
                fake.answer(
                    "POST",
                    "/containers/create",
                    201,
                    &format!("{{\"Id\":\"{id}\",\"Warnings\":[]}}"),
                );
                fake.answer("POST", "/attach", 101, "");
                fake.answer("POST", "/start", status, body);
                fake.answer("DELETE", "/containers/", 204, "");
            }
            let definition = ContainerDefinition::new("web", "web:1").publish(80);
            let container = run(Engine::over(fake.docker()), definition).await.unwrap();
            assert_eq!(container.id(), "won");
            container.remove().await.unwrap();
            let seen = fake.seen();
            let starts = seen.iter().filter(|request| request.ends_with("/start"));
            assert_eq!(starts.count(), 2, "{seen:?}");
            assert!(seen.contains(&"DELETE /containers/lost".to_owned()), "{seen:?}");
        });
    }

    #[test]
    fn a_port_that_is_never_free_is_an_error_and_no_husk() {
        let lost = r#"{"message":"Bind for 127.0.0.1:1 failed: port is already allocated"}"#;
        runtime().block_on(async {
            let fake = FakeEngine::listen("port-lost");
            fake.answer("GET", "/images/web:1/json", 200, "{}");
            for _ in 0..PORT_ATTEMPTS {
                fake.answer("POST", "/containers/create", 201, r#"{"Id":"x","Warnings":[]}"#);
                fake.answer("POST", "/attach", 101, "");
                fake.answer("POST", "/start", 500, lost);
                fake.answer("DELETE", "/containers/x", 204, "");
            }
            let definition = ContainerDefinition::new("web", "web:1").publish(80);
            let error = run(Engine::over(fake.docker()), definition).await.unwrap_err();
            assert_eq!(error.to_string(), "start container `web`");
            let removed = fake.seen().iter().filter(|line| line.starts_with("DELETE")).count();
            assert_eq!(removed, 5);
        });
    }
}
