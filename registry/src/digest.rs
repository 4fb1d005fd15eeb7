//! Content digests.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

/// A content digest, `algorithm:encoded`, as the [image specification][spec] writes it.
///
/// `sha256` and `sha512` are checked for length and can verify bytes; any other algorithm is
/// accepted by grammar, can be compared and sent, and fails to verify.
///
/// ```
/// # use plimsoll_registry::Digest;
/// let digest = Digest::sha256(b"hello");
/// assert!(digest.to_string().starts_with("sha256:2cf24dba"));
/// assert!(digest.verify(b"hello").is_ok());
/// assert!(digest.verify(b"hell").is_err());
/// ```
///
/// [spec]: https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest {
    text: String,
    colon: usize,
}

/// Why a text is no digest, or bytes are not what a digest promises.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DigestError {
    /// The text does not have the form `algorithm:encoded`.
    #[error("{0:?} is not a digest: expected algorithm:encoded, such as sha256: and 64 hex digits")]
    Grammar(String),
    /// A registered algorithm with an encoded part of the wrong length or alphabet.
    #[error("{text:?} is not a digest: {algorithm} takes {digits} lower-case hex digits")]
    Length {
        /// The text as given.
        text: String,
        /// Its algorithm.
        algorithm: &'static str,
        /// How many hex digits that algorithm takes.
        digits: usize,
    },
    /// The bytes hash to something else.
    #[error("the content is {actual}, not {expected}")]
    Mismatch {
        /// What was promised.
        expected: Digest,
        /// What the bytes hash to.
        actual: Digest,
    },
    /// The algorithm is legal but cannot be computed here, so nothing may be trusted to it.
    #[error("digest algorithm {0:?} cannot be verified; sha256 and sha512 can")]
    Unverifiable(String),
}

impl Digest {
    /// The SHA-256 digest of `bytes`.
    #[must_use]
    pub fn sha256(bytes: &[u8]) -> Self {
        Self::from_hash("sha256", &sha2::Sha256::digest(bytes))
    }

    /// The SHA-512 digest of `bytes`.
    #[must_use]
    pub fn sha512(bytes: &[u8]) -> Self {
        Self::from_hash("sha512", &sha2::Sha512::digest(bytes))
    }

    /// The part before the colon.
    #[must_use]
    pub fn algorithm(&self) -> &str {
        &self.text[..self.colon]
    }

    /// The part after the colon.
    #[must_use]
    pub fn encoded(&self) -> &str {
        &self.text[self.colon + 1..]
    }

    /// The whole digest.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `sha256:` and the first twelve digits, for people.
    #[must_use]
    pub fn short(&self) -> String {
        let encoded: String = self.encoded().chars().take(12).collect();
        let ellipsis = if encoded.len() < self.encoded().len() { "…" } else { "" };
        format!("{}:{encoded}{ellipsis}", self.algorithm())
    }

    /// Checks that `bytes` are what this digest names.
    ///
    /// # Errors
    /// [`DigestError::Mismatch`] when they are not, [`DigestError::Unverifiable`] when the
    /// algorithm is neither sha256 nor sha512: never a silent pass.
    pub fn verify(&self, bytes: &[u8]) -> Result<(), DigestError> {
        let actual = match self.algorithm() {
            "sha256" => Self::sha256(bytes),
            "sha512" => Self::sha512(bytes),
            other => return Err(DigestError::Unverifiable(other.to_owned())),
        };
        if actual == *self {
            return Ok(());
        }
        Err(DigestError::Mismatch { expected: self.clone(), actual })
    }

    fn from_hash(algorithm: &str, hash: &[u8]) -> Self {
        use fmt::Write as _;
        let mut text = format!("{algorithm}:");
        for byte in hash {
            write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        }
        Self { text, colon: algorithm.len() }
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let grammar = || DigestError::Grammar(text.chars().take(200).collect());
        let (algorithm, encoded) = text.split_once(':').ok_or_else(grammar)?;
        let legal_algorithm = algorithm.split(['+', '.', '_', '-']).all(|part| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        });
        let legal_encoded = !encoded.is_empty()
            && encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b"=_-".contains(&b));
        if !legal_algorithm || !legal_encoded || text.len() > 512 {
            return Err(grammar());
        }
        for (name, digits) in [("sha256", 64), ("sha512", 128)] {
            let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
            if algorithm == name && (encoded.len() != digits || !encoded.bytes().all(hex)) {
                let text = text.to_owned();
                return Err(DigestError::Length { text, algorithm: name, digits });
            }
        }
        Ok(Self { text: text.to_owned(), colon: algorithm.len() })
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.text
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_algorithms_are_checked_for_length_and_case() {
        let hex = "a".repeat(64);
        assert!(format!("sha256:{hex}").parse::<Digest>().is_ok());
        for bad in [
            format!("sha256:{}", "A".repeat(64)),
            "sha256:abc".to_owned(),
            format!("sha512:{hex}"),
            format!("sha256:{hex}0"),
        ] {
            assert!(matches!(bad.parse::<Digest>(), Err(DigestError::Length { .. })), "{bad}");
        }
    }

    #[test]
    fn edge_11_other_algorithms_are_accepted_by_grammar_and_never_verify() {
        // docs/edges.md, edge 11: an unknown algorithm is an error where it must be verified.
        let digest: Digest = "multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8"
            .parse()
            .expect("legal by grammar");
        assert_eq!(digest.algorithm(), "multihash+base58");
        assert_eq!(
            digest.verify(b"x"),
            Err(DigestError::Unverifiable("multihash+base58".to_owned()))
        );
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        for bad in ["", "sha256", "sha256:", ":abc", "Sha256:abc", "a..b:c", "sha256:a b", "+a:b"] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }

    #[test]
    fn sha512_verifies() {
        let digest = Digest::sha512(b"x");
        assert_eq!(digest.encoded().len(), 128);
        assert_eq!(digest.verify(b"x"), Ok(()));
        assert_eq!(digest.to_string().parse(), Ok(digest));
    }
}
