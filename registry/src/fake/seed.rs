//! Small valid images to start from.

use bytes::Bytes;
use serde_json::{Value, json};

use super::world::{Content, StoredManifest};
use crate::digest::Digest;
use crate::manifest::MediaType;

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// Stores an image of `platforms` that differs from those of other tags by one small layer, and
/// shares another with all.
///
/// One platform makes an image manifest, several make an index of them.
pub(super) fn image(content: &mut Content, tag: &str, platforms: &[&str]) -> Digest {
    let children: Vec<(Digest, usize, Value)> =
        platforms.iter().map(|platform| platform_image(content, tag, platform)).collect();
    if let [(digest, ..)] = children.as_slice() {
        return digest.clone();
    }
    let manifests: Vec<Value> = children
        .iter()
        .map(|(digest, size, platform)| {
            let mut child = link(MediaType::OCI_MANIFEST, digest, *size);
            child["platform"] = platform.clone();
            child
        })
        .collect();
    let index = json!({
        "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": manifests,
    });
    manifest(content, MediaType::OCI_INDEX, index.to_string().into())
}

/// Stores `bytes` as they are.
pub(super) fn manifest(content: &mut Content, media_type: &str, bytes: Bytes) -> Digest {
    let digest = Digest::sha256(&bytes);
    let manifest = StoredManifest { media_type: media_type.to_owned(), bytes };
    content.manifests.insert(digest.clone(), manifest);
    digest
}

/// Stores `bytes` as a blob.
pub(super) fn blob(content: &mut Content, bytes: Bytes) -> Digest {
    let digest = Digest::sha256(&bytes);
    content.blobs.insert(digest.clone(), bytes);
    digest
}

fn platform_image(content: &mut Content, tag: &str, platform: &str) -> (Digest, usize, Value) {
    let (os, rest) = platform.split_once('/').unwrap_or(("linux", platform));
    let (architecture, variant) = match rest.split_once('/') {
        Some((architecture, variant)) => (architecture, Some(variant)),
        None => (rest, None),
    };
    let mut described = json!({ "os": os, "architecture": architecture });
    if let Some(variant) = variant {
        described["variant"] = json!(variant);
    }
    let layers = [tar("base", "shared by all\n"), tar("image", &format!("{tag} {platform}\n"))];
    let layers = layers.map(|layer| (layer.len(), blob(content, layer)));
    let mut config = described.clone();
    // The layers are not compressed, so their digests are those of their content.
    let diff_ids = layers.each_ref().map(|(_, digest)| digest.to_string());
    config["rootfs"] = json!({ "type": "layers", "diff_ids": diff_ids });
    config["config"] = json!({});
    let config = Bytes::from(config.to_string());
    let size = config.len();
    let image = json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_MANIFEST,
        "config": link(CONFIG, &blob(content, config), size),
        "layers": layers.each_ref().map(|(size, digest)| link(LAYER, digest, *size)),
    });
    let image = Bytes::from(image.to_string());
    let size = image.len();
    (manifest(content, MediaType::OCI_MANIFEST, image), size, described)
}

fn link(media_type: &str, digest: &Digest, size: usize) -> Value {
    json!({ "mediaType": media_type, "digest": digest, "size": size })
}

/// A tar archive of one file, in the old format that every reader takes.
fn tar(name: &str, text: &str) -> Bytes {
    let mut header = [0; 512];
    let mut field = |at: usize, value: &str| {
        header[at..at + value.len()].copy_from_slice(value.as_bytes());
    };
    field(0, name);
    field(100, "0000644");
    field(108, "0000000");
    field(116, "0000000");
    field(124, &format!("{:011o}", text.len()));
    field(136, "00000000000");
    field(156, "0");
    // The checksum is that of the header with spaces in the checksum's place.
    field(148, "        ");
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut archive = header.to_vec();
    archive.extend_from_slice(text.as_bytes());
    // Content fills whole blocks; two empty ones end the archive.
    archive.resize(archive.len().next_multiple_of(512) + 1024, 0);
    archive.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_an_image_refers_to_is_there() {
        let mut content = Content::default();
        let index = image(&mut content, "1.2.3", &["linux/amd64", "linux/arm64/v8"]);
        assert_eq!(content.manifests.len(), 3);
        // The shared layer once, and a config and a layer for each platform.
        assert_eq!(content.blobs.len(), 5);
        let index: Value = serde_json::from_slice(&content.manifests[&index].bytes).expect("json");
        assert_eq!(index["manifests"][1]["platform"]["variant"], "v8");
        for (digest, manifest) in &content.manifests {
            assert_eq!(digest.verify(&manifest.bytes), Ok(()));
            let body: Value = serde_json::from_slice(&manifest.bytes).expect("json");
            for layer in body["layers"].as_array().into_iter().flatten() {
                let digest: Digest = layer["digest"].as_str().expect("text").parse().expect("one");
                assert_eq!(layer["size"], content.blobs[&digest].len());
            }
        }
    }

    #[test]
    fn other_tags_are_other_images_and_one_platform_is_no_index() {
        let mut content = Content::default();
        let one = image(&mut content, "1.2.3", &["linux/amd64"]);
        assert_eq!(content.manifests[&one].media_type, MediaType::OCI_MANIFEST);
        assert_ne!(one, image(&mut content, "1.2.4", &["linux/amd64"]));
        assert_eq!(one, image(&mut Content::default(), "1.2.3", &["linux/amd64"]));
    }
}
