//! Version tags: `[v]MAJOR.MINOR.PATCH[-PRERELEASE][_BUILD][-VARIANT]`.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use crate::tag::{Tag, TagError};

/// A tag that is a version.
///
/// Precedence is that of [Semantic Versioning 2.0.0][semver] §11: build metadata, variant and
/// the `v` do not take part in it. Numbers have any length.
///
/// ```
/// # use plimsoll_registry::VersionTag;
/// let version: VersionTag = "v1.2.3-rc.1-alpine3.19".parse()?;
/// assert_eq!(version.prerelease(), Some("rc.1"));
/// assert_eq!(version.variant(), Some("alpine3.19"));
/// # Ok::<(), plimsoll_registry::VersionError>(())
/// ```
///
/// [semver]: https://semver.org/spec/v2.0.0.html#spec-item-11
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct VersionTag {
    tag: Tag,
    prefixed: bool,
    pub(crate) major: Number,
    pub(crate) minor: Number,
    patch: Number,
    prerelease: Option<String>,
    build: Option<String>,
    variant: Option<String>,
}

/// Why a text is no version tag.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VersionError {
    /// It does not begin with three numbers.
    #[error("{0:?} is not a version: expected MAJOR.MINOR.PATCH, as in 1.2.3 or v1.2.3-rc.1")]
    Core(String),
    /// A number with a zero before it, which Semantic Versioning forbids.
    #[error("{text:?} is not a version: {number:?} has a leading zero")]
    LeadingZero {
        /// The text as given.
        text: String,
        /// The number.
        number: String,
    },
    /// Nothing between two separators, or after the last.
    #[error("{0:?} is not a version: it has an empty part")]
    EmptyPart(String),
    /// A dash in the build metadata, which a tag could not tell from a variant.
    #[error("{0:?}: build metadata may not have a '-' in a tag, where it would read as a variant")]
    DashInBuild(String),
    /// A variant that reads as something else, or would take an alias of another series.
    #[error(
        "variant {variant:?} cannot be told from {reads_as}; choose a name such as 'alpine' \
         (or '' for the image without a variant)"
    )]
    Variant {
        /// The variant as given.
        variant: String,
        /// What it reads as.
        reads_as: &'static str,
    },
    /// A variant given twice over.
    #[error("{text:?} already has the variant {variant:?}")]
    TwoVariants {
        /// The version as given.
        text: String,
        /// Its variant.
        variant: String,
    },
    /// Not a tag at all.
    #[error(transparent)]
    Tag(#[from] TagError),
}

/// What counts as a prerelease in a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionGrammar {
    /// Words that begin a prerelease, compared without regard to case. A word counts only when
    /// no letter follows it: `m1` is a milestone, `musl` a variant.
    pub prerelease_words: Vec<String>,
}

/// A whole number of any length, without leading zeros.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Number(String);

impl VersionTag {
    /// The tag as written, `+` as `_`.
    #[must_use]
    pub fn tag(&self) -> &Tag {
        &self.tag
    }

    /// Whether it begins with `v`.
    #[must_use]
    pub fn is_prefixed(&self) -> bool {
        self.prefixed
    }

    /// The prerelease, such as `rc.1`.
    #[must_use]
    pub fn prerelease(&self) -> Option<&str> {
        self.prerelease.as_deref()
    }

    /// The build metadata.
    #[must_use]
    pub fn build(&self) -> Option<&str> {
        self.build.as_deref()
    }

    /// The variant, such as `alpine`.
    #[must_use]
    pub fn variant(&self) -> Option<&str> {
        self.variant.as_deref()
    }

    /// Precedence by Semantic Versioning: equal for versions that differ only in build,
    /// variant or `v`.
    #[must_use]
    pub fn precedence(&self, other: &Self) -> Ordering {
        (&self.major, &self.minor, &self.patch)
            .cmp(&(&other.major, &other.minor, &other.patch))
            .then_with(|| match (self.prerelease(), other.prerelease()) {
                (None, None) => Ordering::Equal,
                (None, Some(_)) => Ordering::Greater,
                (Some(_), None) => Ordering::Less,
                (Some(own), Some(others)) => compare_prereleases(own, others),
            })
    }

    /// The same version as another variant; an empty `variant` means none.
    ///
    /// # Errors
    /// When this version has a variant already, or `variant` would read back as a prerelease,
    /// a version alias or `latest`.
    pub fn with_variant(
        &self,
        variant: &str,
        grammar: &VersionGrammar,
    ) -> Result<Self, VersionError> {
        if let Some(own) = self.variant() {
            let (text, variant) = (self.tag.to_string(), own.to_owned());
            return Err(VersionError::TwoVariants { text, variant });
        }
        if variant.is_empty() {
            return Ok(self.clone());
        }
        let refuse =
            |reads_as| Err(VersionError::Variant { variant: variant.to_owned(), reads_as });
        // The variant is itself an alias: it must be a tag, and not one of another series.
        let alias: Tag = variant.parse()?;
        if alias == Tag::latest() {
            return refuse("the alias of the image without a variant");
        }
        if reads_as_number_alias(variant) {
            return refuse("a version alias");
        }
        if variant.starts_with("sha256-") || variant.starts_with("sha512-") {
            return refuse("the tag of a signature or referrer");
        }
        let version = grammar.parse(&format!("{}-{variant}", self.tag))?;
        if version.variant() != Some(variant) || version.prerelease != self.prerelease {
            return refuse("a prerelease");
        }
        Ok(version)
    }
}

/// `1`, `v1.2`, `1.2.3.4`: what an alias of a plain series looks like.
fn reads_as_number_alias(text: &str) -> bool {
    text.strip_prefix('v')
        .unwrap_or(text)
        .split('.')
        .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

fn compare_prereleases(own: &str, others: &str) -> Ordering {
    let mut own = own.split('.');
    let mut others = others.split('.');
    loop {
        let ordering = match (own.next(), others.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => match (Number::parse(a), Number::parse(b)) {
                (Some(a), Some(b)) => a.cmp(&b),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => a.cmp(b),
            },
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
}

impl Default for VersionGrammar {
    fn default() -> Self {
        const WORDS: [&str; 12] = [
            "alpha",
            "beta",
            "rc",
            "pre",
            "preview",
            "dev",
            "nightly",
            "snapshot",
            "canary",
            "m",
            "milestone",
            "ea",
        ];
        Self { prerelease_words: WORDS.map(str::to_owned).to_vec() }
    }
}

impl VersionGrammar {
    /// Reads a version tag; `+` is read as `_`.
    ///
    /// Hyphen-separated parts after the core are a prerelease as long as they are numeric or
    /// begin with a prerelease word; the rest is the variant. A prerelease word further on
    /// (`1.2.3-alpine-rc1`) makes a prerelease too: such a tag must move no stable alias.
    ///
    /// # Errors
    /// When the text is not of this form. Dates, hashes and numbers with leading zeros are not.
    pub fn parse(&self, text: &str) -> Result<VersionTag, VersionError> {
        if let Some((_, build)) = text.split_once('+')
            && build.contains('-')
        {
            return Err(VersionError::DashInBuild(text.to_owned()));
        }
        let tag: Tag = text.replacen('+', "_", 1).parse()?;
        let text = tag.as_str();
        let (prefixed, rest) = match text.strip_prefix('v') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let end = rest.find(['-', '_']).unwrap_or(rest.len());
        let (core, suffix) = rest.split_at(end);
        let [major, minor, patch] = parse_core(text, core)?;
        let suffix = self.parse_suffix(text, suffix)?;
        let Suffix { prerelease, build, variant } = suffix;
        Ok(VersionTag { prefixed, major, minor, patch, prerelease, build, variant, tag })
    }

    fn parse_suffix(&self, text: &str, suffix: &str) -> Result<Suffix, VersionError> {
        let mut prerelease: Vec<&str> = Vec::new();
        let mut build = None;
        let mut variant: Vec<&str> = Vec::new();
        let mut parts = suffix.split('-');
        // What stands before the first dash: nothing, or `_BUILD` directly after the core.
        if let Some(direct) = parts.next().and_then(|part| part.strip_prefix('_')) {
            build = Some(direct);
        }
        let mut in_prerelease = build.is_none();
        for part in parts {
            let (id, own_build) = match part.split_once('_') {
                Some((id, own_build)) => (id, Some(own_build)),
                None => (part, None),
            };
            let word = self.begins_with_word(id);
            let counts = word || (in_prerelease && is_numeric(id));
            // A bare variant is an alias, and no tag begins with a dot.
            let is_dotted = variant.is_empty() && !counts && part.starts_with('.');
            if part.is_empty() || is_dotted || (counts && own_build == Some("")) {
                return Err(VersionError::EmptyPart(text.to_owned()));
            }
            if !counts {
                in_prerelease = false;
                variant.push(part);
                continue;
            }
            check_identifiers(text, id)?;
            prerelease.push(id);
            build = own_build.or(build);
            in_prerelease = own_build.is_none();
        }
        if build == Some("") {
            return Err(VersionError::EmptyPart(text.to_owned()));
        }
        let join = |parts: Vec<&str>| (!parts.is_empty()).then(|| parts.join("-"));
        Ok(Suffix {
            prerelease: join(prerelease),
            build: build.map(str::to_owned),
            variant: join(variant),
        })
    }

    fn begins_with_word(&self, part: &str) -> bool {
        self.prerelease_words.iter().any(|word| {
            part.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
                && !part[word.len()..].starts_with(|c: char| c.is_ascii_alphabetic())
        })
    }
}

struct Suffix {
    prerelease: Option<String>,
    build: Option<String>,
    variant: Option<String>,
}

fn parse_core(text: &str, core: &str) -> Result<[Number; 3], VersionError> {
    let parts: Vec<&str> = core.split('.').collect();
    let numeric = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let Ok(parts) = <[&str; 3]>::try_from(parts) else {
        return Err(VersionError::Core(text.to_owned()));
    };
    if !parts.iter().all(numeric) {
        return Err(VersionError::Core(text.to_owned()));
    }
    let mut numbers = Vec::with_capacity(3);
    for part in parts {
        numbers.push(Number::parse(part).ok_or_else(|| leading_zero(text, part))?);
    }
    Ok(numbers.try_into().expect("three parts gave three numbers"))
}

fn leading_zero(text: &str, number: &str) -> VersionError {
    VersionError::LeadingZero { text: text.to_owned(), number: number.to_owned() }
}

/// Digits, possibly dotted: `1`, `1.2`.
fn is_numeric(part: &str) -> bool {
    part.starts_with(|c: char| c.is_ascii_digit())
        && part.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// The dot-separated identifiers of a prerelease: none empty, no number with a leading zero.
fn check_identifiers(text: &str, part: &str) -> Result<(), VersionError> {
    for identifier in part.split('.') {
        if identifier.is_empty() {
            return Err(VersionError::EmptyPart(text.to_owned()));
        }
        let digits = identifier.bytes().all(|b| b.is_ascii_digit());
        if digits && Number::parse(identifier).is_none() {
            return Err(leading_zero(text, identifier));
        }
    }
    Ok(())
}

impl Number {
    fn parse(text: &str) -> Option<Self> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let leading_zero = text.len() > 1 && text.starts_with('0');
        (digits && !leading_zero).then(|| Self(text.to_owned()))
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.0 == "0"
    }
}

impl Ord for Number {
    /// More digits are more: there are no leading zeros.
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for VersionTag {
    type Err = VersionError;

    /// By the default [`VersionGrammar`].
    fn from_str(text: &str) -> Result<Self, VersionError> {
        VersionGrammar::default().parse(text)
    }
}

impl fmt::Display for VersionTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tag.fmt(f)
    }
}

impl fmt::Debug for VersionTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tag.fmt(f)
    }
}

#[cfg(test)]
mod tests;
