//! Text as a test expects it: word for word, or by a pattern.

use std::fmt;

use regex::bytes::Regex;

use crate::similarity::Likeness;

/// Text as a test expects it. Strings turn into the exact kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// Exactly this.
    Exact(String),
    /// Something in which this regular expression is found.
    Matching(String),
}

/// Text in which the regular expression is found; `^` and `$` hold it to the ends.
///
/// ```
/// use plimsoll_harness::assert::text::matching;
///
/// assert!(matching(r"^gunicorn: worker \[\d+\]$").fits(b"gunicorn: worker [3]"));
/// ```
pub fn matching(pattern: impl Into<String>) -> Text {
    Text::Matching(pattern.into())
}

impl Text {
    /// Whether this text is the expected one. Nothing fits what is not a regular expression,
    /// and the message says so.
    #[must_use]
    pub fn fits(&self, text: &[u8]) -> bool {
        match self {
            Self::Exact(expected) => expected.as_bytes() == text,
            Self::Matching(pattern) => Regex::new(pattern).is_ok_and(|regex| regex.is_match(text)),
        }
    }

    /// Of what is there, what comes nearest: that with the fewest edits for an exact text, that
    /// which has most of its literal text for a pattern.
    pub(crate) fn nearest<'a>(&self, there: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
        let expected = match self {
            Self::Exact(expected) => expected,
            Self::Matching(pattern) => {
                let likeness = Likeness::to(pattern);
                let score = |text: &&str| likeness.of(text.as_bytes());
                return there.into_iter().filter(|text| score(text).is_some()).max_by_key(score);
            }
        };
        let distance = |text: &&str| strsim::levenshtein(expected, text);
        there.into_iter().min_by_key(distance).filter(|text| {
            // What shares less than half is not what was meant.
            distance(text) * 2 <= expected.chars().count().max(2)
        })
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::Exact(text.to_owned())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::Exact(text)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(text) => write!(f, "`{text}`"),
            Self::Matching(pattern) => match Regex::new(pattern) {
                Ok(_) => write!(f, "/{pattern}/"),
                Err(error) => {
                    // The last line says what is wrong; those before draw a picture of it.
                    let reason = error.to_string();
                    let reason = reason.lines().last().unwrap_or_default();
                    let reason = reason.trim_start_matches("error: ");
                    write!(f, "/{pattern}/ (which is not a regular expression: {reason})")
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_exact_and_a_pattern_is_searched() {
        assert!(Text::from("tini").fits(b"tini") && !Text::from("tini").fits(b"tini --"));
        assert!(matching("ini").fits(b"tini --") && !matching("^ini").fits(b"tini --"));
        assert!(matching("end$").fits(b"\xff end"));
    }

    #[test]
    fn what_is_no_pattern_says_so_and_fits_nothing() {
        let wrong = matching("(");
        assert!(!wrong.fits(b"("));
        insta::assert_snapshot!(wrong, @"/(/ (which is not a regular expression: unclosed group)");
    }

    #[test]
    fn the_nearest_is_a_slip_of_the_finger_away() {
        let there = ["PATH", "DJANGO_DEBUG"];
        assert_eq!(Text::from("DJANGO_DEBG").nearest(there), Some("DJANGO_DEBUG"));
        assert_eq!(Text::from("LANG").nearest(there), None);
        assert_eq!(Text::from("x").nearest([]), None);
        assert_eq!(matching("^DJANGO_DEBUG_LEVEL$").nearest(there), Some("DJANGO_DEBUG"));
        assert_eq!(matching("^WORKERS").nearest(there), None);
    }
}
