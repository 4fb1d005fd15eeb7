//! The image a container is made of, and how it gets onto the engine.

mod build;
mod context;
mod error;
mod ignore;
mod pull;

pub use build::{Build, Dockerfile};
pub use error::{ImageError, OnPlatform};

use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error;
use testcontainers::bollard::models::ImageInspect;

/// An image: one that exists under a name, or one that is built.
///
/// ```
/// use plimsoll_harness::{Build, ImageDefinition, PullPolicy};
///
/// let postgres = ImageDefinition::from("postgres:16").pull(PullPolicy::Missing);
/// let ours = ImageDefinition::from(Build::from_dockerfile("web", "FROM nginx:1.27\n"));
/// assert_ne!(postgres, ours);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImageDefinition {
    /// Where it comes from.
    pub origin: ImageOrigin,
    /// The platform it has to be for, such as `linux/arm64`; whatever the engine prefers, if
    /// none is given. A platform is never replaced by another that happens to be there.
    pub platform: Option<String>,
}

/// Where an image comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImageOrigin {
    /// It has a name.
    Existing {
        /// `name:tag` or `name@digest`.
        reference: String,
        /// Whether it may be pulled.
        pull: PullPolicy,
    },
    /// It is built.
    Built(Build),
}

/// Whether an image may be pulled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PullPolicy {
    /// It must be on the engine already.
    #[default]
    Never,
    /// It is pulled if it is not on the engine.
    Missing,
    /// It is pulled, once per process, also if there is one of that name on the engine.
    Always,
}

impl ImageDefinition {
    /// Says whether it may be pulled. An image that is built is not.
    #[must_use]
    pub fn pull(mut self, policy: PullPolicy) -> Self {
        if let ImageOrigin::Existing { pull, .. } = &mut self.origin {
            *pull = policy;
        }
        self
    }

    /// Says which platform it has to be for.
    #[must_use]
    pub fn platform(mut self, platform: impl Into<String>) -> Self {
        self.platform = Some(platform.into());
        self
    }

    /// What people call it: its reference, or what is built.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.origin {
            ImageOrigin::Existing { reference, .. } => reference,
            ImageOrigin::Built(build) => &build.name,
        }
    }

    fn for_node(&self, node: &str) -> Wanted {
        let platform = OnPlatform(self.platform.clone());
        Wanted { node: node.to_owned(), image: self.name().to_owned(), platform }
    }
}

impl From<&str> for ImageDefinition {
    fn from(reference: &str) -> Self {
        reference.to_owned().into()
    }
}

impl From<String> for ImageDefinition {
    fn from(reference: String) -> Self {
        let origin = ImageOrigin::Existing { reference, pull: PullPolicy::default() };
        Self { origin, platform: None }
    }
}

impl From<&String> for ImageDefinition {
    fn from(reference: &String) -> Self {
        reference.clone().into()
    }
}

impl From<Build> for ImageDefinition {
    fn from(build: Build) -> Self {
        Self { origin: ImageOrigin::Built(build), platform: None }
    }
}

/// An image as errors name it.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) node: String,
    pub(crate) image: String,
    pub(crate) platform: OnPlatform,
}

/// Makes sure the image is on the engine, and gives the reference it has there.
pub(crate) async fn ensure(
    docker: &Docker,
    node: &str,
    image: &ImageDefinition,
) -> Result<String, ImageError> {
    let wanted = image.for_node(node);
    match &image.origin {
        ImageOrigin::Built(build) => build::ensure(docker, &wanted, build).await,
        ImageOrigin::Existing { reference, pull: PullPolicy::Always } => {
            pull::once(docker, &wanted).await?;
            Ok(reference.clone())
        }
        ImageOrigin::Existing { reference, pull } => {
            match (present(docker, &wanted, reference).await?, pull) {
                (Presence::Here, _) => {}
                (_, PullPolicy::Missing) => pull::missing(docker, &wanted).await?,
                (Presence::Missing, _) => return Err(ImageError::missing(wanted)),
                (Presence::Other(found), _) => return Err(ImageError::other(wanted, found)),
            }
            Ok(reference.clone())
        }
    }
}

/// Whether the engine has an image.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    Here,
    Missing,
    /// One of that name, for this other platform.
    Other(String),
}

pub(crate) async fn present(
    docker: &Docker,
    wanted: &Wanted,
    reference: &str,
) -> Result<Presence, ImageError> {
    match docker.inspect_image(reference).await {
        Ok(found) => Ok(matching(&found, wanted.platform.0.as_deref())),
        Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(Presence::Missing),
        Err(source) => Err(ImageError::inspect(wanted.clone(), source)),
    }
}

/// A platform without a variant is content with any.
fn matching(found: &ImageInspect, platform: Option<&str>) -> Presence {
    let parts = [&found.os, &found.architecture, &found.variant];
    let parts = parts.into_iter().flatten().filter(|part| !part.is_empty());
    let found = parts.map(String::as_str).collect::<Vec<_>>().join("/");
    match platform {
        Some(wanted) if found != wanted && !found.starts_with(&format!("{wanted}/")) => {
            Presence::Other(found)
        }
        _ => Presence::Here,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defect_13_an_image_of_another_platform_is_not_taken() {
        let found = ImageInspect {
            os: Some("linux".to_owned()),
            architecture: Some("arm".to_owned()),
            variant: Some("v7".to_owned()),
            ..ImageInspect::default()
        };
        for fine in [None, Some("linux/arm"), Some("linux/arm/v7")] {
            assert_eq!(matching(&found, fine), Presence::Here, "{fine:?}");
        }
        for other in ["linux/amd64", "linux/arm64", "linux/arm/v6", "linux/ar"] {
            let expected = Presence::Other("linux/arm/v7".to_owned());
            assert_eq!(matching(&found, Some(other)), expected, "{other}");
        }
    }

    #[test]
    fn an_image_that_is_built_is_not_pulled() {
        let build = Build::from_dockerfile("web", "FROM scratch\n");
        let image = ImageDefinition::from(build.clone());
        assert_eq!(image.clone().pull(PullPolicy::Always), image);
        assert_eq!(image.name(), "web");
    }
}
