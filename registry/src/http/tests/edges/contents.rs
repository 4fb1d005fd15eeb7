//! Images of every kind, copied byte for byte or refused.

use serde_json::{Value, json};

use super::*;
use crate::copy::CopyOptions;
use crate::digest::Digest;
use crate::http::tests::tag;
use crate::manifest::MediaType;
use crate::reference::Selector;
use crate::store::{Blame, Store as _};

fn put(fake: &FakeRegistry, tag: &str, kind: &str, manifest: &Value) -> Value {
    let text = manifest.to_string();
    let digest = fake.put_manifest("acme/web", tag, kind, text.clone());
    json!({ "mediaType": kind, "digest": digest, "size": text.len() })
}

fn part(fake: &FakeRegistry, kind: &str, content: &str) -> Value {
    let digest = fake.put_blob("acme/web", content.to_owned());
    json!({ "mediaType": kind, "digest": digest, "size": content.len() })
}

/// Every manifest below the tag, as it arrives.
async fn copied(from: &FakeRegistry, name: &str) -> FakeRegistry {
    let to = FakeRegistry::start(bearer());
    let image = from.tags("acme/web")[&tag(name)].clone();
    from.tag("acme/web", "1.2.3", &image);
    let applied = promote(&store(from), &store(&to), None, "1.2.3").await;
    assert!(applied.error.is_none(), "{name}: {:?}", applied.error);
    assert_eq!(to.tags("acme/web")[&tag("1.2.3")], image);
    assert_eq!(to.manifest("acme/web", &image), from.manifest("acme/web", &image), "{name}");
    to
}

#[tokio::test]
async fn edge_7_zstd_artifacts_empty_configs_and_nested_indexes_are_copied() {
    let from = FakeRegistry::start(FakeOptions::default());
    let image = MediaType::OCI_MANIFEST;
    let config = part(&from, "application/vnd.oci.image.config.v1+json", "{\"os\":\"linux\"}");
    let zstd = part(&from, "application/vnd.oci.image.layer.v1.tar+zstd", "zstd");
    let zstd = json!({ "schemaVersion": 2, "mediaType": image, "config": config,
        "layers": [zstd] });
    let zstd = put(&from, "zstd", image, &zstd);
    let empty = part(&from, "application/vnd.oci.empty.v1+json", "{}");
    let chart = part(&from, "application/vnd.acme.chart", "chart");
    let artifact = json!({ "schemaVersion": 2, "mediaType": image, "config": empty,
        "artifactType": "application/vnd.acme.unheard-of", "layers": [chart, empty] });
    let artifact = put(&from, "artifact", image, &artifact);
    let inner = json!({ "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX,
        "manifests": [zstd, artifact] });
    let inner = put(&from, "inner", MediaType::OCI_INDEX, &inner);
    let outer = json!({ "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX,
        "manifests": [inner, zstd, inner] });
    put(&from, "outer", MediaType::OCI_INDEX, &outer);
    for name in ["zstd", "artifact", "inner"] {
        copied(&from, name).await;
    }
    let to = copied(&from, "outer").await;
    // Each once, however often it is listed.
    let puts = to.count(|r| r.method == "PUT" && r.path.contains("/manifests/sha256:"));
    assert_eq!(puts, 4, "{}", methods(&to));
    assert_eq!(to.blobs("acme/web").len(), 4);
}

#[tokio::test]
async fn edge_9_what_a_manifest_brings_inline_is_not_taken_out_of_it() {
    let from = FakeRegistry::start(FakeOptions::default());
    let mut config = part(&from, "application/vnd.oci.empty.v1+json", "{}");
    config["data"] = json!("e30=");
    // Spaces and an order that no serialiser would write.
    let text = format!(
        "{{ \"layers\" : [] ,\n \"config\":{config}, \"schemaVersion\":2,\n\"mediaType\":\"{}\" }}\n",
        MediaType::OCI_MANIFEST
    );
    from.put_manifest("acme/web", "inline", MediaType::OCI_MANIFEST, text.clone());
    let to = copied(&from, "inline").await;
    let image = to.tags("acme/web")[&tag("1.2.3")].clone();
    assert_eq!(to.manifest("acme/web", &image).expect("there").bytes, text);
    assert_eq!(from.count(|request| request.path.contains("/blobs/")), 0, "it was at hand");
    assert_eq!(to.blobs("acme/web").len(), 1, "and is a blob there all the same");
}

#[tokio::test]
async fn edge_11_a_digest_that_cannot_be_checked_is_not_believed() {
    let from = FakeRegistry::start(FakeOptions::default());
    from.seed_image("acme/web", "1.2.3", &["linux/amd64"]);
    let unknown: Digest = format!("blake3:{}", "0".repeat(64)).parse().expect("the grammar");
    let fault = crate::fake::Fault::SetHeader(
        "Docker-Content-Digest".to_owned(),
        unknown.as_str().to_owned(),
    );
    from.fail(crate::fake::FaultRule::on("GET", "/manifests/", fault));
    let error = store(&from).get(&by_tag("1.2.3")).await.expect_err("cannot be checked");
    assert!(crate::apply::chain(&error).contains("blake3"), "{}", crate::apply::chain(&error));
    let missing = store(&from).get(&Selector::Digest(unknown)).await;
    assert!(matches!(missing, Ok(None)), "{missing:?}");
}

#[tokio::test]
async fn edge_12_an_index_with_a_gap_is_not_promoted_unless_one_platform_is_asked_for() {
    let from = FakeRegistry::start(FakeOptions::default());
    let arm = from.seed_image("acme/web", "arm", &["linux/arm64"]);
    let size = from.manifest("acme/web", &arm).expect("seeded").bytes.len();
    let entry = |digest: &Digest, size: usize, architecture: &str| {
        json!({ "mediaType": MediaType::OCI_MANIFEST, "digest": digest, "size": size,
            "platform": { "os": "linux", "architecture": architecture } })
    };
    let gone = Digest::sha256(b"gone");
    let index = json!({ "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX,
        "manifests": [entry(&arm, size, "arm64"), entry(&gone, 7, "amd64")] });
    put(&from, "1.2.3", MediaType::OCI_INDEX, &index);
    let from = store(&from);
    let all = Copier::new(&from, "web", CopyOptions::default());
    let error = all.read_tree(&by_tag("1.2.3")).await.expect_err("a part is missing");
    assert!(error.to_string().contains(gone.as_str()), "{error}");
    assert_eq!(error.blame(), Blame::NotFound);
    let platform = Some("linux/arm64".parse().expect("a platform"));
    let options = CopyOptions { platform, ..CopyOptions::default() };
    let one = Copier::new(&from, "web", options);
    let tree = one.read_tree(&by_tag("1.2.3")).await.expect("all there");
    assert_eq!(tree.root.digest, arm, "another digest than the index");
}
