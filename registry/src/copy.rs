//! Copying an image, with all that it consists of, to other repositories.
//!
//! The same way as tags go: [`Copier::read_tree`] and [`Copier::look`] see, [`plan_copy`]
//! decides, [`Copier::apply`] does.

mod coverage;
mod plan;
mod planner;
mod report;
mod tree;

#[cfg(feature = "client")]
mod apply;
#[cfg(feature = "client")]
mod attached;
#[cfg(feature = "client")]
mod copier;
#[cfg(feature = "client")]
mod endpoint;
#[cfg(feature = "client")]
mod error;
#[cfg(feature = "client")]
mod lane;
#[cfg(feature = "client")]
mod look;
#[cfg(feature = "client")]
mod order;
#[cfg(feature = "client")]
mod progress;
#[cfg(feature = "client")]
mod read;
#[cfg(feature = "client")]
mod select;
#[cfg(feature = "client")]
mod split;
#[cfg(feature = "client")]
mod tagging;

#[cfg(all(test, feature = "client"))]
mod tests;

pub use plan::{
    BlobHow, BlobSkip, BlobStep, CopyConflict, CopyPlan, CopyTagSkip, CopyTagStep, DestinationPlan,
    DestinationState, ManifestHow, ManifestSkip, ManifestStep, TagKept, Total,
};
pub use planner::plan_copy;
pub use report::{
    BlobOutcome, BlobReport, CopyReport, CopyTagReport, DestinationReport, ManifestOutcome,
    ManifestReport, TagOutcome,
};
pub use tree::{
    AttachedTag, CopyLimits, ImageTree, LeftOut, LeftOutReason, Node, PlatformChoice, Role,
    TreeBlob, TreeError,
};

#[cfg(feature = "client")]
pub use apply::{CopyFailure, CopyOutcome};
#[cfg(feature = "client")]
pub use copier::{Copier, Goal};
#[cfg(feature = "client")]
pub(crate) use endpoint::share;
#[cfg(feature = "client")]
pub use endpoint::{CopySource, Destination};
#[cfg(feature = "client")]
pub use error::CopyError;
#[cfg(feature = "client")]
pub use look::Sight;
#[cfg(feature = "client")]
pub use progress::{CopyEvent, Progress};

use crate::observation::Guard;
use crate::platform::Platform;
use crate::tag::Tag;
use crate::version::VersionTag;

/// What to copy of an image, and how carefully.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyOptions {
    /// Copy only what an index has for this platform: a manifest of another digest than the
    /// index.
    pub platform: Option<Platform>,
    /// Copy layers too whose media type says that registries do not distribute them.
    pub include_foreign: bool,
    /// Copy what is attached to the image as well, such as its signatures.
    pub referrers: bool,
    /// Replace exact version tags and signatures of the destination that differ.
    pub force: bool,
    /// Whether tags are looked at before they are written. [`Guard::Off`] saves a request for
    /// each that may be replaced anyway: the report then does not know what it was before, and
    /// one that is right already is written again.
    pub guard: Guard,
    /// How much an image may consist of.
    pub limits: CopyLimits,
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self {
            platform: None,
            include_foreign: false,
            referrers: true,
            force: false,
            guard: Guard::Full,
            limits: CopyLimits::default(),
        }
    }
}

impl CopyOptions {
    /// Whether it matters what `tag` of a destination points at before it is written.
    fn must_see(&self, tag: &Tag, is_attached: bool) -> bool {
        let may_stay = is_attached || tag.as_str().parse::<VersionTag>().is_ok();
        self.guard == Guard::Full || (may_stay && !self.force)
    }
}
