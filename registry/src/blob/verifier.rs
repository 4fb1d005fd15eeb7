//! Checking a blob while it streams.

use sha2::Digest as _;

use crate::digest::{Digest, DigestError};
use crate::manifest::Descriptor;
use crate::store::{Blame, StoreError};

/// Digest and size of content of which only a part is in memory at any time.
#[derive(Clone)]
pub(crate) enum Hasher {
    Sha256(sha2::Sha256),
    Sha512(sha2::Sha512),
}

/// Compares content with what a descriptor promises of it.
#[derive(Clone)]
pub(crate) struct Verifier {
    blob: Descriptor,
    hasher: Hasher,
    seen: u64,
}

/// Content that is not what its descriptor promises.
#[derive(Debug, thiserror::Error)]
enum Mismatch {
    #[error("it ends after {seen} of {size} bytes")]
    Short { seen: u64, size: u64 },
    #[error("it is longer than its {size} bytes")]
    Long { size: u64 },
    #[error(transparent)]
    Digest(DigestError),
}

impl Hasher {
    /// A hasher of that algorithm; `None` when it is not known here.
    pub(crate) fn new(algorithm: &str) -> Option<Self> {
        match algorithm {
            "sha256" => Some(Self::Sha256(sha2::Sha256::new())),
            "sha512" => Some(Self::Sha512(sha2::Sha512::new())),
            _ => None,
        }
    }

    /// Takes the next bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha512(hash) => hash.update(bytes),
        }
    }

    /// The digest of all bytes.
    pub(crate) fn finish(self) -> Digest {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let text = match self {
            Self::Sha256(hash) => format!("sha256:{}", hex(&hash.finalize())),
            Self::Sha512(hash) => format!("sha512:{}", hex(&hash.finalize())),
        };
        text.parse().expect("a hash in hexadecimal digits is a digest")
    }
}

impl Verifier {
    /// A verifier that has seen nothing yet.
    pub(crate) fn new(blob: &Descriptor) -> Result<Self, StoreError> {
        let algorithm = blob.digest.algorithm();
        let hasher = Hasher::new(algorithm).ok_or_else(|| {
            let message = format!("check blob {}", blob.digest);
            StoreError::new(Blame::Unsupported, message)
                .with_source(DigestError::Unverifiable(algorithm.to_owned()))
        })?;
        Ok(Self { blob: blob.clone(), hasher, seen: 0 })
    }

    /// Takes the next bytes, and refuses them when they are too many.
    pub(crate) fn update(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.seen += bytes.len() as u64;
        if self.seen > self.blob.size {
            return Err(self.mismatch(Mismatch::Long { size: self.blob.size }));
        }
        self.hasher.update(bytes);
        Ok(())
    }

    /// How many bytes it has taken.
    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }

    /// Whether as many bytes were seen as were promised.
    pub(crate) fn is_complete(&self) -> bool {
        self.seen == self.blob.size
    }

    /// Whether all that was seen is what was promised.
    pub(crate) fn finish(self) -> Result<(), StoreError> {
        if self.seen < self.blob.size {
            let (seen, size) = (self.seen, self.blob.size);
            return Err(self.mismatch(Mismatch::Short { seen, size }));
        }
        let actual = self.hasher.clone().finish();
        if actual == self.blob.digest {
            return Ok(());
        }
        let expected = self.blob.digest.clone();
        Err(self.mismatch(Mismatch::Digest(DigestError::Mismatch { expected, actual })))
    }

    fn mismatch(&self, mismatch: Mismatch) -> StoreError {
        StoreError::new(Blame::Registry, format!("read blob {}", self.blob.digest))
            .with_remedy("read it again; if it stays so, build or copy the image again")
            .with_source(mismatch)
    }
}
