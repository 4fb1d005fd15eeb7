//! Platforms: what an index says its images run on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An operating system and a processor architecture, `os/architecture[/variant]`.
///
/// ```
/// # use plimsoll_registry::Platform;
/// let wanted: Platform = "linux/arm64".parse()?;
/// let offered: Platform = "linux/arm64/v8".parse()?;
/// assert!(wanted.accepts(&offered));
/// # Ok::<(), plimsoll_registry::PlatformError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

/// A text that is no platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("platform {0:?} is not os/architecture[/variant], such as linux/arm64")]
pub struct PlatformError(String);

impl Platform {
    /// A platform from its parts, as an index states them.
    pub(crate) fn new(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        let variant = variant.filter(|variant| !variant.is_empty()).map(str::to_owned);
        Self { os: os.to_owned(), architecture: architecture.to_owned(), variant }
    }

    /// Whether an image for `offered` is one for this platform: a variant that is not asked
    /// for may be any, and `arm64` is `arm64/v8`.
    #[must_use]
    pub fn accepts(&self, offered: &Self) -> bool {
        self.os == offered.os
            && self.architecture == offered.architecture
            && (self.variant.is_none() || self.own_variant() == offered.own_variant())
    }

    /// Whether it is what build tools give to content that runs nowhere, such as provenance.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.os == "unknown" && self.architecture == "unknown"
    }

    /// The variant, or the one that is meant when none is stated.
    fn own_variant(&self) -> Option<&str> {
        let default = match self.architecture.as_str() {
            "arm64" => Some("v8"),
            "arm" => Some("v7"),
            "amd64" => Some("v1"),
            _ => None,
        };
        self.variant.as_deref().or(default)
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let parts: Vec<&str> = text.split('/').collect();
        let legal = |part: &&str| {
            let character =
                |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
            !part.is_empty() && part.bytes().all(character)
        };
        let wrong = || PlatformError(text.chars().take(100).collect());
        if !parts.iter().all(legal) {
            return Err(wrong());
        }
        match parts[..] {
            [os, architecture] => Ok(Self::new(os, architecture, None)),
            [os, architecture, variant] => Ok(Self::new(os, architecture, Some(variant))),
            _ => Err(wrong()),
        }
    }
}

impl TryFrom<String> for Platform {
    type Error = PlatformError;

    fn try_from(text: String) -> Result<Self, PlatformError> {
        text.parse()
    }
}

impl From<Platform> for String {
    fn from(platform: Platform) -> Self {
        platform.to_string()
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_that_is_not_asked_for_may_be_any() {
        let accepts = |wanted: &str, offered: &str| {
            let parse = |text: &str| text.parse::<Platform>().expect("a platform");
            parse(wanted).accepts(&parse(offered))
        };
        assert!(accepts("linux/arm64", "linux/arm64/v8"));
        assert!(accepts("linux/arm64/v8", "linux/arm64"));
        assert!(accepts("linux/arm", "linux/arm/v6"));
        assert!(!accepts("linux/arm/v7", "linux/arm/v6"));
        assert!(!accepts("linux/amd64", "windows/amd64"));
    }

    #[test]
    fn what_is_no_platform_is_refused() {
        for bad in ["", "linux", "linux/", "/amd64", "linux/arm/v7/x", "Linux/amd64", "a b/c"] {
            assert!(bad.parse::<Platform>().is_err(), "{bad}");
        }
    }
}
