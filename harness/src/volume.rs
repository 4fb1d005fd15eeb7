//! A volume that containers share files in.

use plimsoll_reaper::is_kept;
use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error;
use testcontainers::bollard::models::VolumeCreateRequest;
use testcontainers::bollard::query_parameters::RemoveVolumeOptions;

use crate::definition::{Mount, MountSource};
use crate::engine::Engine;
use crate::process::ProcessIdentity;
use crate::request::{RequestError, Step};
use crate::scope::SharedNode;
use crate::start::StartError;

/// A volume to create: an empty one, into which the engine copies what the image of the first
/// container has in the place it is mounted at.
///
/// ```no_run
/// use plimsoll_harness::{ContainerDefinition, Mount, VolumeDefinition};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let files = VolumeDefinition::default().create("files").await?;
/// let web = ContainerDefinition::new("web", "nginx:1.27")
///     .mount(Mount::volume(&files, "/srv/static").read_only());
/// # let _ = web;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VolumeDefinition {
    /// The engine's volume driver; `local` if none is given.
    pub driver: Option<String>,
    /// Options of the driver, such as `type` and `device`.
    pub options: Vec<(String, String)>,
}

impl VolumeDefinition {
    /// Sets an option of the driver.
    #[must_use]
    pub fn option(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.push((name.into(), value.into()));
        self
    }

    /// Creates the volume; its name on the engine is `plimsoll-<run>-<name>`.
    ///
    /// # Errors
    ///
    /// There is no engine, or it refuses.
    pub async fn create(&self, name: &str) -> Result<Volume, StartError> {
        let engine = Engine::connect()?;
        let work = create(engine.clone(), name.to_owned(), self.clone());
        let created = engine.guarded().await?.make(work, discard).await;
        Ok(created.map_err(RequestError::during(Step::CreateVolume, name))?)
    }
}

/// A volume. Dropping it removes it; no container may have it mounted any more.
#[derive(Debug)]
pub struct Volume {
    engine: Engine,
    node: String,
    name: String,
    /// Removed already, or shared with processes that may need it longer than this one.
    removed: bool,
}

impl Volume {
    /// A volume that another process has created, for longer than this one lasts.
    pub(crate) async fn adopt(shared: SharedNode) -> Result<Self, StartError> {
        let SharedNode { node, name, .. } = shared;
        let engine = Engine::connect()?;
        let volume = name.clone();
        engine
            .call(|docker| async move { docker.inspect_volume(&volume).await })
            .await
            .map_err(RequestError::during(Step::InspectVolume, &node))?;
        Ok(Self { engine, node, name, removed: true })
    }

    /// What another process needs to know of it.
    pub(crate) fn share(&self) -> SharedNode {
        let Self { node, name, .. } = self;
        SharedNode { node: node.clone(), id: name.clone(), name: name.clone() }
    }

    /// Its name on the engine, which is its id as well.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Removes it, as dropping it does, and says how that went.
    ///
    /// # Errors
    ///
    /// A container has it mounted; a volume that is gone already counts as removed.
    pub async fn remove(mut self) -> Result<(), RequestError> {
        let name = self.name.clone();
        self.engine
            .call(|docker| async move { remove(&docker, &name).await })
            .await
            .map_err(RequestError::during(Step::RemoveVolume, &self.node))?;
        self.removed = true;
        Ok(())
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        if !self.removed {
            let name = self.name.clone();
            self.engine.finish(|docker| async move { remove(&docker, &name).await });
        }
    }
}

/// A volume of the same stack, on its way to a place in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeMount {
    node: String,
    read_only: bool,
}

impl VolumeMount {
    pub(crate) fn of(node: &str) -> Self {
        Self { node: node.to_owned(), read_only: false }
    }

    /// Lets the container only read it.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// The place it is mounted at.
    pub fn at(self, target: impl Into<String>) -> Mount {
        let mut mount = Mount::new(MountSource::VolumeNode(self.node), target);
        mount.read_only = self.read_only;
        mount
    }
}

/// Removes what was created for someone who has stopped waiting for it.
async fn discard(created: Result<Volume, Error>) {
    if let Ok(volume) = created {
        // There is nobody left to tell; drop tries the removal again.
        let _ = volume.remove().await;
    }
}

pub(crate) async fn create(
    engine: Engine,
    node: String,
    definition: VolumeDefinition,
) -> Result<Volume, Error> {
    let process = ProcessIdentity::current();
    let name = process.name(&node);
    let request = VolumeCreateRequest {
        name: Some(name.clone()),
        driver: definition.driver,
        driver_opts: Some(definition.options.into_iter().collect()),
        labels: Some(process.labels(&node)),
        ..VolumeCreateRequest::default()
    };
    engine.docker().create_volume(request).await?;
    Ok(Volume { engine, node, name, removed: process.is_shared() })
}

pub(crate) async fn remove(docker: &Docker, name: &str) -> Result<(), Error> {
    if is_kept(name) {
        return Ok(());
    }
    match docker.remove_volume(name, None::<RemoveVolumeOptions>).await {
        Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
        result => result,
    }
}
