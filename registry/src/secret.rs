//! Passwords and tokens.

use std::fmt;

use serde::Deserialize;

/// A password or token: it can be read from a file or an answer, and never prints itself.
///
/// An error of serde about one may quote the value it met: callers that parse secrets report
/// where it is wrong, not what serde says.
///
/// ```
/// # use plimsoll_registry::Secret;
/// let password = Secret::new("hunter2");
/// assert_eq!(format!("{password} {password:?}"), "<redacted> <redacted>");
/// assert_eq!(password.expose(), "hunter2");
/// ```
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` from being printed.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the request that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing to keep.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edge_39_a_secret_prints_as_redacted_in_every_format() {
        let secret = Secret::new("hunter2");
        for text in [format!("{secret}"), format!("{secret:?}"), format!("{:#?}", [&secret])] {
            assert!(text.contains("<redacted>") && !text.contains("hunter2"), "{text}");
        }
    }
}
