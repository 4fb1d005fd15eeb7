//! Plans and applies image tags in OCI registries and layouts, without a container engine.

mod alias;
mod digest;
mod host;
mod manifest;
mod observation;
mod plan;
mod planner;
mod reference;
mod report;
mod repository;
mod tag;
mod version;

pub use alias::{Alias, AliasPolicy, Breadth, Leader, Precision, versions};
pub use digest::{Digest, DigestError};
pub use host::{Host, HostError};
pub use manifest::{Descriptor, Manifest, ManifestError, MediaType};
pub use observation::{Guard, Listing, Observation, Release, SCHEMA};
pub use plan::{Conflict, Joined, Plan, Previous, Skip, SkipReason, Step};
pub use planner::plan;
pub use reference::{Location, Reference, ReferenceError, ReferenceReason, Selector};
pub use report::{Outcome, Report, TagReport};
pub use repository::{Repository, RepositoryError};
pub use tag::{Tag, TagError};
pub use version::{VersionError, VersionGrammar, VersionTag};

#[cfg(feature = "client")]
mod apply;
#[cfg(feature = "client")]
mod blob;
#[cfg(feature = "client")]
mod blocking;
#[cfg(feature = "client")]
mod certificates;
#[cfg(feature = "client")]
mod credential;
#[cfg(feature = "client")]
mod environment;
#[cfg(feature = "client")]
mod http;
#[cfg(feature = "client")]
mod layout;
#[cfg(feature = "client")]
mod observe;
#[cfg(feature = "client")]
mod secret;
#[cfg(feature = "client")]
mod store;

#[cfg(feature = "client")]
pub use apply::{Applied, ApplyError};
#[cfg(feature = "client")]
pub use blob::{BlobReader, BlobSink, BlobSource};
#[cfg(feature = "client")]
pub use certificates::{CertificateError, Certificates, ClientIdentity};
#[cfg(feature = "client")]
pub use credential::{Credential, CredentialError, Credentials, HelperError};
#[cfg(feature = "client")]
#[doc(hidden)]
pub use credential::{DockerConfig, DockerConfigError, EntryError, parse_docker_config};
#[cfg(feature = "client")]
pub use environment::Environment;
#[cfg(feature = "client")]
pub use http::{Access, Registry, RegistryOptions, RepositoryStore};
#[cfg(feature = "client")]
pub use layout::Layout;
#[cfg(feature = "client")]
pub use observe::{ObserveError, Target};
#[cfg(feature = "client")]
pub use secret::Secret;
#[cfg(feature = "client")]
pub use store::{Blame, Store, StoreError};

#[cfg(feature = "fake")]
pub mod fake;
