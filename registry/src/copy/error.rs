//! What can be wrong with an image that is to be copied.

use crate::content::ContentError;
use crate::copy::tree::TreeError;
use crate::digest::Digest;
use crate::manifest::{Descriptor, MediaType};
use crate::platform::Platform;
use crate::reference::Selector;
use crate::store::{Blame, StoreError};

/// Why an image cannot be copied. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// There is no such image.
    #[error("find {image} in {repository}: there is no such image")]
    NoSource {
        /// The repository.
        repository: String,
        /// The tag or digest that was asked for.
        image: Selector,
    },
    /// An index lists a manifest that the source does not have.
    #[error(
        "read {child} of {repository}: index {index} lists it{}, but there is no such manifest",
        for_platform(.platform.as_ref()),
        child = .child.digest
    )]
    ChildMissing {
        /// The repository.
        repository: String,
        /// The index.
        index: Digest,
        /// What it lists.
        child: Descriptor,
        /// What it says that one runs on.
        platform: Option<Platform>,
    },
    /// A manifest is not what the index that lists it says.
    #[error(
        "read {digest} of {repository}: it is {found} of {size} bytes, \
         but listed as {listed} of {listed_size} bytes"
    )]
    NotAsListed {
        /// The repository.
        repository: String,
        /// The manifest.
        digest: Digest,
        /// What it is.
        found: MediaType,
        /// How large it is.
        size: u64,
        /// What it is listed as.
        listed: MediaType,
        /// How large it is listed as.
        listed_size: u64,
    },
    /// One platform is to be chosen of what is no index.
    #[error("choose {platform} of {image}: it is one image and no index")]
    NoIndex {
        /// What was asked for.
        image: Digest,
        /// The platform.
        platform: Platform,
    },
    /// An index has nothing for a platform.
    #[error("choose {platform} of {image}: it has {}", offers(.offered))]
    NoPlatform {
        /// What was asked for.
        image: Digest,
        /// The platform.
        platform: Platform,
        /// What it has.
        offered: Vec<Platform>,
    },
    /// An index has several manifests for a platform.
    #[error("choose {platform} of {image}: it has several, {}", digests(.candidates))]
    SeveralPlatforms {
        /// What was asked for.
        image: Digest,
        /// The platform.
        platform: Platform,
        /// What matches.
        candidates: Vec<Digest>,
    },
    /// A manifest cannot be followed.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The manifests do not make an image.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// What is attached to the image cannot be listed.
    #[error("list what is attached to {image} of {repository}")]
    Attached {
        /// The repository.
        repository: String,
        /// The image.
        image: Digest,
        /// What happened.
        #[source]
        source: StoreError,
    },
    /// The source refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CopyError {
    /// Who has to act.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::NoSource { .. } | Self::ChildMissing { .. } | Self::NoPlatform { .. } => {
                Blame::NotFound
            }
            Self::NotAsListed { .. } => Blame::Registry,
            Self::NoIndex { .. } | Self::SeveralPlatforms { .. } => Blame::Conflict,
            Self::Content(_) | Self::Tree(_) => Blame::Unsupported,
            Self::Attached { source, .. } | Self::Store(source) => source.blame(),
        }
    }

    /// What the user can do about it, when there is something to say.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        Some(match self {
            Self::NoSource { .. } => "check its name and its tag, and that it was pushed",
            Self::ChildMissing { .. } => {
                "push the missing manifest, or copy one platform with --platform; \
                 the copy then has another digest than the index"
            }
            Self::NotAsListed { .. } => "build or push the image again",
            Self::NoIndex { .. } => "leave out --platform to copy it as it is",
            Self::NoPlatform { .. } => "name a platform that it has, or leave out --platform",
            Self::SeveralPlatforms { .. } => "name the variant, or copy one of them by its digest",
            Self::Content(error) => error.remedy(),
            Self::Tree(_) => "build the image again; no build tool makes such an image",
            Self::Attached { source, .. } => source
                .remedy()
                .unwrap_or("run it again with --no-referrers to copy the image alone"),
            Self::Store(source) => return source.remedy(),
        })
    }
}

fn for_platform(platform: Option<&Platform>) -> String {
    platform.map(|platform| format!(" for {platform}")).unwrap_or_default()
}

fn offers(offered: &[Platform]) -> String {
    if offered.is_empty() {
        return "no platforms at all".to_owned();
    }
    offered.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn digests(digests: &[Digest]) -> String {
    digests.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}
