//! Plans and applies image tags in OCI registries and layouts, without a container engine.

mod digest;
mod host;
mod manifest;
mod reference;
mod repository;
mod tag;
mod version;

pub use digest::{Digest, DigestError};
pub use host::{Host, HostError};
pub use manifest::{Descriptor, Manifest, ManifestError, MediaType};
pub use reference::{Location, Reference, ReferenceError, ReferenceReason, Selector};
pub use repository::{Repository, RepositoryError};
pub use tag::{Tag, TagError};
pub use version::{VersionError, VersionGrammar, VersionTag};

#[cfg(feature = "client")]
mod store;
#[cfg(feature = "client")]
pub use store::{Blame, Store, StoreError};
