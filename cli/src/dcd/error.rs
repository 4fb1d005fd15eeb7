//! Errors: why a command line is refused. Each is the caller's to correct.

use plimsoll_registry::{ReferenceError, RepositoryError, TagError};

/// Why a run is refused before it begins.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DcdError {
    /// The options are unknown, incomplete or contradict each other.
    #[error("read the command line")]
    Usage(#[source] DcdUsage),
    /// An image, or what a target would be called.
    #[error(transparent)]
    Reference(ReferenceError),
    /// A value of `--tag`, or what it makes together with the version.
    #[error("use {tag:?} as a tag")]
    Tag {
        /// The tag.
        tag: String,
        /// What is wrong with it.
        #[source]
        source: TagError,
    },
    /// The value of `--version`.
    #[error("use {version:?} as a version")]
    Version {
        /// The version as given.
        version: String,
        /// What is wrong with it.
        #[source]
        source: TagError,
    },
    /// `--version-semver` of a version such as `1.2.3-` or `1..2`.
    #[error("shorten version {0:?}: it has an empty part")]
    EmptyPart(String),
    /// `--semver-precision` of more parts than there are.
    #[error("keep {precision} parts of version {version:?}, which has only {parts}")]
    Precision {
        /// How many parts should be kept.
        precision: i64,
        /// The version.
        version: String,
        /// How many it has.
        parts: usize,
    },
    /// The value of `--registry`.
    #[error("use {registry:?} as a registry")]
    Registry {
        /// The registry as given.
        registry: String,
        /// What is wrong with it.
        #[source]
        source: RepositoryError,
    },
    /// `--registry` for an image on disk.
    #[error("put a registry before {0}: it is not the name of a repository")]
    OnDisk(String),
    /// A target that its own text does not stand for.
    #[error("write {0:?} as a reference: it would mean another place")]
    Unwritable(String),
    /// Two images for one tag.
    #[error("push both {first} and {second} as {target}")]
    Collision {
        /// The reference both would have.
        target: String,
        /// One image.
        first: String,
        /// The other.
        second: String,
    },
}

/// What is wrong with the options.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DcdUsage {
    /// No positional argument, and none that `--tag` could spare.
    #[error("an image is required")]
    NoImage,
    /// No positional argument, and `--tag` took both tags and images.
    #[error("{0:?} may be a tag or an image: write images before --tag or after --")]
    TagOrImage(String),
    /// An option without its value.
    #[error("option {0} needs a value")]
    NoValue(&'static str),
    /// A flag with a value.
    #[error("option {0} takes no value")]
    UnwantedValue(&'static str),
    /// An unknown option. Only its name is kept: its value may be a password.
    #[error("there is no option {0}")]
    Unknown(String),
    /// `--login USER:PASSWORD`, which older versions of docker-ci-deploy had.
    #[error("option --login was removed in docker-ci-deploy 0.3.0: log in with `ocitag login`")]
    Login,
    /// An abbreviation of several options.
    #[error("option {option} may be {}", .candidates.join(", "))]
    Ambiguous {
        /// As written.
        option: String,
        /// What it may be short for.
        candidates: Vec<&'static str>,
    },
    /// `--semver-precision` of something else than a number.
    #[error("--semver-precision {0:?} is not a number")]
    NotANumber(String),
    /// An option that means nothing without another.
    #[error("option {option} needs {needs}")]
    Requires {
        /// The one given.
        option: &'static str,
        /// The one missing.
        needs: &'static str,
    },
    /// `--registry` with a user, and perhaps a password, which is not repeated here.
    #[error("--registry names a host: it has no user or password; log in with `ocitag login`")]
    RegistryUser,
    /// An argument that is not Unicode.
    #[error("argument {0:?} is not valid Unicode")]
    NotUnicode(String),
}
