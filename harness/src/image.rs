//! Images, and the only file that knows the image types of testcontainers.

use testcontainers::bollard::{self, Docker};
use testcontainers::runners::AsyncRunner;
use testcontainers::{GenericImage, TestcontainersError};

use crate::definition::PullPolicy;
use crate::reference::name_and_tag;

/// An image that a container cannot be made of.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// It is not there and may not be pulled.
    #[error(
        "find image `{image}` for `{node}`: it is not on the engine and its definition does not \
         allow a pull (`PullPolicy::Missing` would)"
    )]
    Missing {
        /// The container's name in its definition.
        node: String,
        /// The image.
        image: String,
    },
    /// It could not be pulled.
    #[error("pull image `{image}` for `{node}`")]
    Pull {
        /// The container's name in its definition.
        node: String,
        /// The image.
        image: String,
        /// What the engine or the registry said.
        source: Box<TestcontainersError>,
    },
    /// The engine could not say whether it has it.
    #[error("inspect image `{image}` for `{node}`")]
    Inspect {
        /// The container's name in its definition.
        node: String,
        /// The image.
        image: String,
        /// What the engine said.
        source: bollard::errors::Error,
    },
}

/// Makes sure the image is on the engine.
pub(crate) async fn ensure(
    docker: &Docker,
    node: &str,
    image: &str,
    policy: PullPolicy,
) -> Result<(), ImageError> {
    let (node, image) = (node.to_owned(), image.to_owned());
    match docker.inspect_image(&image).await {
        Ok(_) => return Ok(()),
        Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => {}
        Err(source) => return Err(ImageError::Inspect { node, image, source }),
    }
    if policy == PullPolicy::Never {
        return Err(ImageError::Missing { node, image });
    }
    let (name, tag) = name_and_tag(&image);
    match GenericImage::new(name, tag).pull_image().await {
        Ok(_) => Ok(()),
        Err(source) => Err(ImageError::Pull { node, image, source: Box::new(source) }),
    }
}
