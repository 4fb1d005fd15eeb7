//! Tags.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A tag: `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`, by the [distribution specification][spec].
///
/// [spec]: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tag(String);

/// Why a text is no tag.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TagError {
    /// Nothing at all, as in `image:`.
    #[error("the tag is empty")]
    Empty,
    /// More than 128 characters.
    #[error("tag {start:?}… has {length} characters; the limit is 128")]
    TooLong {
        /// The first characters of it.
        start: String,
        /// How many there are.
        length: usize,
    },
    /// A character outside the alphabet, or a dot or dash at the start.
    #[error(
        "tag {tag:?} may not have {character:?} there: \
         a tag is letters, digits, '_', '.' and '-', and starts with none of the last two"
    )]
    Character {
        /// The tag as given.
        tag: String,
        /// The first character that is not allowed where it stands.
        character: char,
    },
}

/// The longest a tag may be, in characters.
const LIMIT: usize = 128;

impl Tag {
    /// The tag as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag `latest`.
    #[must_use]
    pub fn latest() -> Self {
        Self("latest".to_owned())
    }
}

impl FromStr for Tag {
    type Err = TagError;

    fn from_str(text: &str) -> Result<Self, TagError> {
        if text.is_empty() {
            return Err(TagError::Empty);
        }
        let legal = |(at, c): (usize, char)| {
            c.is_ascii_alphanumeric() || c == '_' || (at > 0 && (c == '.' || c == '-'))
        };
        if text.len() > LIMIT {
            let start = text.chars().take(24).collect();
            return Err(TagError::TooLong { start, length: text.chars().count() });
        }
        match text.char_indices().find(|&at| !legal(at)) {
            Some((_, character)) => Err(TagError::Character { tag: text.to_owned(), character }),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Tag {
    type Error = TagError;

    fn try_from(text: String) -> Result<Self, TagError> {
        text.parse()
    }
}

impl From<Tag> for String {
    fn from(tag: Tag) -> Self {
        tag.0
    }
}

impl Borrow<str> for Tag {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edge_25_a_tag_of_128_characters_is_the_longest() {
        assert!("a".repeat(128).parse::<Tag>().is_ok());
        assert_eq!(
            "a".repeat(129).parse::<Tag>(),
            Err(TagError::TooLong { start: "a".repeat(24), length: 129 })
        );
    }

    #[test]
    fn edge_25_the_alphabet_is_ascii_and_dots_and_dashes_never_lead() {
        for good in ["1.2.3", "_x", "A-b.c_", "sha256-abc", "0"] {
            assert!(good.parse::<Tag>().is_ok(), "{good}");
        }
        for (bad, at) in [("té", 'é'), ("a b", ' '), ("-dash", '-'), (".x", '.'), ("a+b", '+')] {
            let tag = bad.to_owned();
            assert_eq!(bad.parse::<Tag>(), Err(TagError::Character { tag, character: at }));
        }
    }
}
