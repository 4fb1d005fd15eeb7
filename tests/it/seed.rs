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

/// The manifests that the image `root` consists of, which `repository` has whole.
pub(crate) fn manifests(fake: &FakeRegistry, repository: &str, root: &Digest) -> Vec<Digest> {
    let children = parts(fake, repository, root, &["manifests"]);
    let below = children.iter().flat_map(|child| manifests(fake, repository, child));
    below.chain([root.clone()]).collect()
}

/// The blobs that the manifest `digest` lists.
pub(crate) fn blobs(fake: &FakeRegistry, repository: &str, digest: &Digest) -> Vec<Digest> {
    parts(fake, repository, digest, &["config", "layers"])
}

/// What `digest` lists in these fields.
fn parts(fake: &FakeRegistry, repository: &str, digest: &Digest, fields: &[&str]) -> Vec<Digest> {
    let manifest = fake.manifest(repository, digest).expect("the repository has it");
    let manifest: Value = serde_json::from_slice(&manifest.bytes).expect("a manifest is JSON");
    let listed = fields.iter().flat_map(|field| match &manifest[field] {
        Value::Array(parts) => parts.clone(),
        Value::Null => Vec::new(),
        part => vec![part.clone()],
    });
    let digest = |part: Value| part["digest"].as_str().expect("a digest").parse();
    listed.map(|part| digest(part).expect("a digest")).collect()
}
