//! Images put into a fake registry, whose blobs a test chooses.

use plimsoll_registry::Digest;
use plimsoll_registry::fake::FakeRegistry;
use serde_json::{Value, json};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// An image of these layers and a config, which is of `platform`, under `tag`.
pub(crate) fn image(
    fake: &FakeRegistry,
    (repository, tag): (&str, &str),
    platform: &str,
    layers: &[Vec<u8>],
) -> Digest {
    let part = |media_type: &str, content: &[u8]| {
        let digest = fake.put_blob(repository, content.to_vec());
        json!({ "mediaType": media_type, "digest": digest, "size": content.len() })
    };
    let layers: Vec<Value> = layers.iter().map(|layer| part(LAYER, layer)).collect();
    let diff_ids: Vec<&Value> = layers.iter().map(|layer| &layer["digest"]).collect();
    let (os, architecture) = platform.split_once('/').expect("OS/ARCH");
    let config = json!({
        "os": os,
        "architecture": architecture,
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": part(CONFIG, config.to_string().as_bytes()),
        "layers": layers,
    });
    fake.put_manifest(repository, tag, MANIFEST, manifest.to_string())
}

/// An index of two images of three layers each, which share no blob, under `tag`.
pub(crate) fn index(fake: &FakeRegistry, (repository, tag): (&str, &str)) -> Digest {
    let children = ["linux/amd64", "linux/arm64"].map(|platform| {
        let digest = image(fake, (repository, "child"), platform, &small_layers(platform));
        fake.untag(repository, "child");
        let size = fake.manifest(repository, &digest).expect("it was just put").bytes.len();
        let (os, architecture) = platform.split_once('/').expect("OS/ARCH");
        json!({
            "mediaType": MANIFEST,
            "digest": digest,
            "size": size,
            "platform": { "os": os, "architecture": architecture },
        })
    });
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": children });
    fake.put_manifest(repository, tag, INDEX, index.to_string())
}

/// Three small layers that no other name has.
pub(crate) fn small_layers(name: &str) -> [Vec<u8>; 3] {
    [1, 2, 3].map(|number| format!("layer {number} of {name}").into_bytes())
}
