//! Plans and applies image tags in OCI registries and layouts, without a container engine.
//!
//! Data flows one way and every stage is a value:
//! [`Reference`] → [`Target::observe`] → [`Observation`] → [`plan()`] → [`Plan`] →
//! [`Target::apply`] → [`Report`].
//!
//! [`plan()`] is pure and makes every decision: which alias moves, which stays and why, and what
//! forbids the release. What it is told comes from a [`Store`]: a repository of a [`Registry`],
//! or a [`Layout`] on disk. Without the feature `client` only the pure part is here.
//!
//! ```
//! # #[cfg(feature = "client")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use plimsoll_registry::{
//!     AliasPolicy, Layout, Release, Selector, Target, plan,
//! };
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path();
//! # std::fs::create_dir_all(path.join("blobs/sha256"))?;
//! # std::fs::write(path.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
//! # let manifest = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
//! # let digest = plimsoll_registry::Digest::sha256(manifest);
//! # std::fs::write(path.join("blobs/sha256").join(digest.encoded()), manifest)?;
//! # std::fs::write(path.join("index.json"), format!(
//! #     r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"{digest}","size":{},"annotations":{{"org.opencontainers.image.ref.name":"1.2.3"}}}}]}}"#,
//! #     manifest.len()))?;
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let layout = Layout::open(path)?;
//! let target = Target { store: &layout, repository: "cake", concurrency: 8 };
//! let release = Release::new(vec!["1.2.3".parse()?], AliasPolicy::default());
//!
//! let source = Selector::Tag("1.2.3".parse()?);
//! let observation = target.observe(&release, &source).await?;
//! let plan = plan(&release, &observation);
//! let tags: Vec<_> = plan.steps.iter().map(|step| step.tag.as_str()).collect();
//! assert_eq!(tags, ["1.2", "1", "latest"]);
//!
//! let applied = target.apply(&release, observation, &plan).await;
//! assert!(applied.error.is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "client"))]
//! # fn main() {}
//! ```

mod alias;
mod content;
mod copy;
mod digest;
mod host;
mod manifest;
mod observation;
mod plan;
mod planner;
mod platform;
mod reference;
mod report;
mod repository;
mod tag;
mod version;

pub use alias::{Alias, AliasPolicy, Breadth, Leader, Precision, versions};
pub use content::{Child, Content, ContentError, Part};
pub use copy::{
    AttachedTag, BlobHow, BlobOutcome, BlobReport, BlobSkip, BlobStep, CopyConflict, CopyLimits,
    CopyOptions, CopyPlan, CopyReport, CopyTagReport, CopyTagSkip, CopyTagStep, DestinationPlan,
    DestinationReport, DestinationState, ImageTree, LeftOut, LeftOutReason, ManifestHow,
    ManifestOutcome, ManifestReport, ManifestSkip, ManifestStep, Node, PlatformChoice, Role,
    TagKept, TagOutcome, Total, TreeBlob, TreeError, plan_copy,
};
pub use digest::{Digest, DigestError};
pub use host::{Host, HostError};
pub use manifest::{Descriptor, Manifest, ManifestError, MediaType};
pub use observation::{Guard, Listing, Observation, Release, SCHEMA};
pub use plan::{Conflict, Joined, Plan, Previous, Skip, SkipReason, Step};
pub use planner::plan;
pub use platform::{Platform, PlatformError};
pub use reference::{Location, Reference, ReferenceError, ReferenceReason, Selector};
pub use report::{Outcome, Report, TagReport};
pub use repository::{Repository, RepositoryError};
pub use tag::{Tag, TagError};
pub use version::{VersionError, VersionGrammar, VersionTag};

#[cfg(feature = "client")]
mod apply;
#[cfg(feature = "client")]
mod archive;
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
#[cfg(all(feature = "client", any(test, fuzzing)))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "client")]
mod http;
#[cfg(feature = "client")]
mod layout;
#[cfg(feature = "client")]
mod observe;
#[cfg(feature = "client")]
mod referrers;
#[cfg(feature = "client")]
mod secret;
#[cfg(feature = "client")]
mod store;

#[cfg(feature = "client")]
pub use apply::{Applied, ApplyError};
#[cfg(feature = "client")]
pub use archive::{DockerArchive, OciArchive};
#[cfg(feature = "client")]
pub use blob::{BlobReader, BlobSink, BlobSource, Copied, Origin};
#[cfg(feature = "client")]
pub use certificates::{CertificateError, Certificates, ClientIdentity};
#[cfg(feature = "client")]
pub use copy::{
    Copier, CopyError, CopyEvent, CopyFailure, CopyOutcome, CopySource, Destination, Goal,
    Progress, Sight,
};
#[cfg(feature = "client")]
pub use credential::{
    Credential, CredentialError, Credentials, HelperError, Keeper, Keyring, KeyringError,
};
#[cfg(feature = "client")]
pub use environment::Environment;
#[cfg(feature = "client")]
pub use http::{
    Access, Admission, Mount, Registry, RegistryOptions, RepositoryStore, TagsAtOnce, Upload,
};
#[cfg(feature = "client")]
pub use layout::Layout;
#[cfg(feature = "client")]
pub use observe::{ObserveError, Target, platforms};
#[cfg(feature = "client")]
pub use referrers::{Referrer, Referrers};
#[cfg(feature = "client")]
pub use secret::Secret;
#[cfg(feature = "client")]
pub use store::{Blame, Store, StoreError};

#[cfg(feature = "fake")]
pub mod fake;
