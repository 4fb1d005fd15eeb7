//! Images of any size, of which one block is in memory.

use bytes::Bytes;
use sha2::{Digest, Sha256};

/// How much of a layer is in memory.
const BLOCK: usize = 1 << 20;

/// An image whose layers repeat one block each.
#[derive(Clone)]
pub(crate) struct Image {
    pub(crate) manifest: Bytes,
    layers: Vec<Layer>,
    layer_size: u64,
}

#[derive(Clone)]
struct Layer {
    digest: String,
    block: Bytes,
}

/// The configuration of every image here.
pub(crate) const CONFIG: &[u8] = b"{}";

/// The media type of every manifest here.
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

impl Image {
    /// One of `count` layers of `size` bytes each, a multiple of a MiB.
    pub(crate) fn new(count: u8, size: u64) -> Self {
        let layers: Vec<_> = (0..count).map(|number| Layer::new(number, size)).collect();
        let list: Vec<_> = layers
            .iter()
            .map(|layer| {
                format!(
                    r#"{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{}","size":{size}}}"#,
                    layer.digest
                )
            })
            .collect();
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{}","size":{}}},"layers":[{}]}}"#,
            digest_of(CONFIG),
            CONFIG.len(),
            list.join(",")
        );
        Self { manifest: manifest.into(), layers, layer_size: size }
    }

    /// The digests of its layers.
    pub(crate) fn layers(&self) -> impl Iterator<Item = &str> {
        self.layers.iter().map(|layer| layer.digest.as_str())
    }

    pub(crate) fn layer_size(&self) -> u64 {
        self.layer_size
    }

    /// The size of all layers, in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.layer_size * self.layers.len() as u64
    }

    /// The blocks that the layer of `digest` consists of.
    pub(crate) fn blocks(&self, digest: &str) -> Option<impl Iterator<Item = Bytes> + use<>> {
        let layer = self.layers.iter().find(|layer| layer.digest == digest)?;
        let count = usize::try_from(self.layer_size).ok()? / BLOCK;
        Some(std::iter::repeat_n(layer.block.clone(), count))
    }
}

impl Layer {
    fn new(number: u8, size: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(u64::from(number));
        let block: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(BLOCK).collect();
        let mut hash = Sha256::new();
        for _ in 0..size / BLOCK as u64 {
            hash.update(&block);
        }
        Self { digest: named(&hash.finalize()), block: block.into() }
    }
}

/// The digest of `bytes`.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    named(&Sha256::digest(bytes))
}

/// A hash as a digest.
pub(crate) fn named(hash: &[u8]) -> String {
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
