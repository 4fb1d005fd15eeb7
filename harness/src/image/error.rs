//! An image that a container cannot be made of.

use std::fmt;
use std::io;
use std::path::PathBuf;

use testcontainers::bollard;

use crate::failure::debug_by_message;
use crate::image::Wanted;

/// An image that a container cannot be made of.
#[derive(thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "of fields that every variant has: node, image, platform")]
pub enum ImageError {
    /// It is not there and may not be pulled.
    #[error(
        "find image `{image}`{platform} for `{node}`: it is not on the engine and its definition \
         does not allow a pull (`PullPolicy::Missing` would)"
    )]
    Missing { node: String, image: String, platform: OnPlatform },
    /// The one that is there is for another platform, and may not be pulled.
    #[error(
        "find image `{image}`{platform} for `{node}`: the one on the engine is for {found} and its \
         definition does not allow a pull (`PullPolicy::Missing` would)"
    )]
    OtherPlatform {
        node: String,
        image: String,
        platform: OnPlatform,
        /// The platform of the one that is there.
        found: String,
    },
    /// It could not be pulled.
    #[error(
        "pull image `{image}`{platform} for `{node}` (without a network, put it on the engine \
         beforehand, with `docker load` for example)"
    )]
    Pull {
        node: String,
        image: String,
        platform: OnPlatform,
        /// What the engine or the registry said.
        source: bollard::errors::Error,
    },
    /// The engine could not say whether it has it.
    #[error("inspect image `{image}` for `{node}`")]
    Inspect {
        node: String,
        image: String,
        /// What the engine said.
        source: bollard::errors::Error,
    },
    /// What it is to be built from cannot be read.
    #[error("read `{}` to build image `{image}` for `{node}`", path.display())]
    Context {
        node: String,
        image: String,
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// Its Dockerfile failed.
    #[error("build image `{image}`{platform} for `{node}`: {reason}{output}")]
    Build {
        node: String,
        image: String,
        platform: OnPlatform,
        /// What the engine said.
        reason: String,
        /// The last lines of the build.
        output: BuildOutput,
    },
    /// The lock that keeps pulls and builds of one image apart.
    #[error("wait for others who pull or build image `{image}` for `{node}`")]
    Lock {
        node: String,
        image: String,
        /// What is wrong with it.
        source: io::Error,
    },
}

debug_by_message!(ImageError);

/// A platform that was asked for, as errors show it: ` (linux/arm64)`, or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnPlatform(pub Option<String>);

impl fmt::Display for OnPlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|platform| write!(f, " ({platform})"))
    }
}

/// The last lines of a build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildOutput(pub Vec<String>);

impl fmt::Display for BuildOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

impl ImageError {
    pub(crate) fn missing(Wanted { node, image, platform }: Wanted) -> Self {
        Self::Missing { node, image, platform }
    }

    pub(crate) fn other(Wanted { node, image, platform }: Wanted, found: String) -> Self {
        Self::OtherPlatform { node, image, platform, found }
    }

    pub(crate) fn pull(wanted: &Wanted, source: bollard::errors::Error) -> Self {
        let Wanted { node, image, platform } = wanted.clone();
        Self::Pull { node, image, platform, source }
    }

    pub(crate) fn inspect(wanted: Wanted, source: bollard::errors::Error) -> Self {
        Self::Inspect { node: wanted.node, image: wanted.image, source }
    }

    pub(crate) fn context(wanted: &Wanted, path: PathBuf, source: io::Error) -> Self {
        Self::Context { node: wanted.node.clone(), image: wanted.image.clone(), path, source }
    }

    pub(crate) fn build(wanted: &Wanted, reason: String, output: Vec<String>) -> Self {
        let Wanted { node, image, platform } = wanted.clone();
        Self::Build { node, image, platform, reason, output: BuildOutput(output) }
    }

    pub(crate) fn lock(wanted: &Wanted) -> impl FnOnce(io::Error) -> Self + use<> {
        let Wanted { node, image, .. } = wanted.clone();
        |source| Self::Lock { node, image, source }
    }
}
