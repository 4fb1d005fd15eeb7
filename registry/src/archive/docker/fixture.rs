//! Archives in every form that docker save has written them, for tests.

use bytes::Bytes;

use crate::archive::fixture::{entry, file};
use crate::digest::Digest;
use crate::manifest::{Descriptor, Manifest, MediaType};

pub(super) fn blob(content: &[u8]) -> Descriptor {
    let media_type = MediaType::new("application/vnd.oci.image.layer.v1.tar");
    Descriptor { media_type, digest: Digest::sha256(content), size: content.len() as u64 }
}

pub(super) fn hex(content: &[u8]) -> String {
    Digest::sha256(content).encoded().to_owned()
}

/// A config of an image with these layers.
pub(super) fn config(layers: &[&[u8]]) -> Vec<u8> {
    let diff_ids: Vec<String> =
        layers.iter().map(|layer| format!("sha256:{}", hex(layer))).collect();
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    config.to_string().into_bytes()
}

/// A manifest as newer engines write it; compared with what is made here, byte for byte.
pub(super) fn manifest_text(config: &[u8], layers: &[&[u8]]) -> String {
    let descriptor = |kind: &str, content: &[u8]| {
        let (digest, size) = (hex(content), content.len());
        format!(
            r#"{{"mediaType":"application/vnd.oci.image.{kind}","digest":"sha256:{digest}","size":{size}}}"#
        )
    };
    let layers: Vec<String> =
        layers.iter().map(|layer| descriptor("layer.v1.tar", layer)).collect();
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]}}"#,
        MediaType::OCI_MANIFEST,
        descriptor("config.v1+json", config),
        layers.join(",")
    )
}

pub(super) fn manifest_of(config: &[u8], layers: &[&[u8]]) -> Manifest {
    let text = manifest_text(config, layers);
    Manifest::received(Bytes::from(text), MediaType::OCI_MANIFEST, None).expect("a manifest")
}

pub(super) const LAYERS: [&[u8]; 3] = [b"first layer", b"second layer", b"first layer"];

/// What Engine 20.10 saves of an image that has one layer twice: the second is a link.
pub(super) fn old() -> Vec<Vec<u8>> {
    let config = config(&LAYERS);
    let (name, [a, b, c]) =
        (format!("{}.json", hex(&config)), ["a", "b", "c"].map(|x| x.repeat(64)));
    let layer = |directory: &str, layer: Vec<u8>| {
        [
            entry(&format!("{directory}/"), b'5', "", b""),
            file(&format!("{directory}/VERSION"), b"1.0"),
            file(&format!("{directory}/json"), b"{}"),
            layer,
        ]
        .concat()
    };
    let list = format!(
        r#"[{{"Config":"{name}","RepoTags":["acme/web:1.2.3","acme/web:latest"],"Layers":["{a}/layer.tar","{b}/layer.tar","{c}/layer.tar"]}}]"#
    );
    // The target is too long for a header of that time's tar, so that GNU's is used.
    let link = format!("../{a}/layer.tar");
    vec![
        file(&name, &config),
        layer(&a, file(&format!("{a}/layer.tar"), LAYERS[0])),
        layer(&b, file(&format!("{b}/layer.tar"), LAYERS[1])),
        layer(&c, entry(&format!("{c}/layer.tar"), b'2', &link, b"")),
        file("manifest.json", list.as_bytes()),
        file("repositories", format!(r#"{{"acme/web":{{"1.2.3":"{c}"}}}}"#).as_bytes()),
    ]
}

/// What Engine 26 and later save, or Engine 25 when the manifest has no layers.
pub(super) fn new(manifest: &str, entries: &str) -> Vec<Vec<u8>> {
    let config = config(&LAYERS);
    let blob = |content: &[u8]| file(&format!("blobs/sha256/{}", hex(content)), content);
    let layers = LAYERS.map(|layer| format!(r#""blobs/sha256/{}""#, hex(layer))).join(",");
    let list = format!(
        r#"[{{"Config":"blobs/sha256/{}","RepoTags":["acme/web:1.2.3"],"Layers":[{layers}]}}]"#,
        hex(&config)
    );
    let index = format!(r#"{{"schemaVersion":2,"manifests":{entries}}}"#);
    vec![
        entry("blobs/", b'5', "", b""),
        entry("blobs/sha256/", b'5', "", b""),
        blob(LAYERS[0]),
        blob(LAYERS[1]),
        blob(&config),
        blob(manifest.as_bytes()),
        file("index.json", index.as_bytes()),
        file("manifest.json", list.as_bytes()),
        file("oci-layout", br#"{"imageLayoutVersion": "1.0.0"}"#),
    ]
}

pub(super) fn listed(manifest: &str) -> String {
    let digest = hex(manifest.as_bytes());
    format!(
        r#"[{{"mediaType":"{}","digest":"sha256:{digest}","size":{},"annotations":{{"io.containerd.image.name":"docker.io/acme/web:1.2.3","org.opencontainers.image.ref.name":"1.2.3"}}}}]"#,
        MediaType::OCI_MANIFEST,
        manifest.len()
    )
}
