use bytes::Bytes;
use proptest::prelude::*;

use super::*;

fn descriptor(media_type: &str, content: &[u8]) -> String {
    let (digest, size) = (Digest::sha256(content), content.len());
    format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}}}"#)
}

fn content(body: &str, media_type: &str) -> Result<Content, ContentError> {
    let manifest = Manifest::received(Bytes::copy_from_slice(body.as_bytes()), media_type, None);
    Content::of(&manifest.expect("a manifest"))
}

#[test]
fn edge_7_an_image_lists_its_config_and_layers_of_any_kind() {
    let config = descriptor("application/vnd.oci.empty.v1+json", b"{}");
    let layer = descriptor("application/vnd.oci.image.layer.v1.tar+zstd", b"layer");
    let body =
        format!(r#"{{ "layers" : [{layer},{layer}], "x":{{"manifests":[]}}, "config":{config} }}"#);
    for media_type in [MediaType::OCI_MANIFEST, MediaType::DOCKER_MANIFEST, "application/acme"] {
        let content = content(&body, media_type).expect("an image");
        let digests: Vec<_> = content.blobs.iter().map(|part| &part.descriptor.digest).collect();
        let layer = Digest::sha256(b"layer");
        assert_eq!(digests, [&Digest::sha256(b"{}"), &layer, &layer]);
        assert_eq!((content.children.len(), content.subject), (0, None));
    }
}

#[test]
fn edge_7_an_artifact_manifest_lists_blobs_and_a_subject() {
    let blob = descriptor("application/spdx+json", b"sbom");
    let subject = descriptor(MediaType::OCI_MANIFEST, b"image");
    let body = format!(r#"{{"artifactType":"sbom","blobs":[{blob}],"subject":{subject}}}"#);
    let content = content(&body, "application/vnd.oci.artifact.manifest.v1+json").expect("known");
    assert_eq!(content.blobs[0].descriptor.digest, Digest::sha256(b"sbom"));
    assert_eq!(content.subject.expect("a subject").digest, Digest::sha256(b"image"));
}

#[test]
fn an_index_lists_children_with_platforms() {
    let entry = |platform: &str| {
        let descriptor = descriptor(MediaType::OCI_MANIFEST, platform.as_bytes());
        descriptor.replace(r#","size""#, &format!(r#","platform":{platform},"size""#))
    };
    let arm = r#"{"os":"linux","architecture":"arm","variant":"v6","os.version":"1","x":[1]}"#;
    let body = format!(r#"{{"manifests":[{},{}]}}"#, entry(arm), entry(r#"{"os":"linux"}"#));
    let content = content(&body, MediaType::OCI_INDEX).expect("an index");
    let platform = |at: usize| content.children[at].platform.as_ref().map(ToString::to_string);
    assert_eq!((platform(0).as_deref(), platform(1)), (Some("linux/arm/v6"), None));
}

#[test]
fn edge_8_the_media_type_makes_a_layer_foreign_and_urls_do_not() {
    let foreign = descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", b"a");
    let other = descriptor("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", b"b");
    let urls = descriptor("application/vnd.oci.image.layer.v1.tar", b"c")
        .replace(r#","size""#, r#","urls":["https://example.com/c"],"size""#);
    let body = format!(r#"{{"layers":[{foreign},{other},{urls}]}}"#);
    let content = content(&body, MediaType::OCI_MANIFEST).expect("an image");
    let foreign: Vec<_> = content.blobs.iter().map(|part| part.foreign).collect();
    assert_eq!(foreign, [true, true, false]);
}

#[test]
fn what_two_clients_would_read_differently_is_refused() {
    let blob = descriptor("application/octet-stream", b"x");
    let both = format!(r#"{{"manifests":[{blob}],"layers":[{blob}]}}"#);
    for media_type in MediaType::ACCEPT {
        assert!(matches!(content(&both, media_type), Err(ContentError::Ambiguous { .. })));
    }
    let twice = format!(r#"{{"layers":[],"layers":[{blob}]}}"#);
    assert!(matches!(content(&twice, MediaType::OCI_MANIFEST), Err(ContentError::Syntax { .. })));
    let index = format!(r#"{{"manifests":[{blob}]}}"#);
    let wrong = content(&index, MediaType::OCI_MANIFEST);
    assert!(matches!(wrong, Err(ContentError::Contradiction { .. })));
    let wrong = content(&format!(r#"{{"layers":[{blob}]}}"#), MediaType::DOCKER_LIST);
    assert!(matches!(wrong, Err(ContentError::Contradiction { .. })));
}

#[test]
fn what_cannot_be_followed_is_refused_by_name() {
    for (body, reason) in [
        ("not json", "read what"),
        ("{}", "unknown type application/acme"),
        (r#"{"layers":[{"digest":"sha256:x","size":1}]}"#, "read what"),
        (r#"{"layers":[{"digest":"acme:x","size":-1}]}"#, "read what"),
        (r#"{"layers":[{"digest":"acme:x"}]}"#, "read what"),
        (r#"{"layers":{}}"#, "read what"),
    ] {
        let error = content(body, "application/acme").expect_err(body);
        assert!(error.to_string().contains(reason), "{body}: {error}");
    }
    let deep = "[".repeat(100_000);
    content(&format!(r#"{{"x":{deep}"#), MediaType::OCI_INDEX).expect_err("too deep to read");
}

#[test]
fn lists_without_members_may_be_null_or_missing() {
    for body in ["{}", r#"{"manifests":null}"#, r#"{"manifests":[]}"#, r#"{"layers":null}"#] {
        assert_eq!(content(body, MediaType::OCI_INDEX).expect(body), Content::default());
    }
}

fn read(bytes: &[u8], media_type: &str) -> Option<Content> {
    let manifest = Manifest::received(bytes.to_vec().into(), media_type, None).ok()?;
    Content::of(&manifest).ok()
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        media_type in prop::sample::select(vec![
            MediaType::OCI_INDEX, MediaType::OCI_MANIFEST, MediaType::DOCKER_LIST, "application/x",
        ]),
    ) {
        let _ = read(&bytes, media_type);
    }

    #[test]
    fn any_json_of_the_known_words_is_read_or_refused(
        words in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"manifests\"", "\"layers\"", "\"config\"", "\"size\"",
            "\"digest\"", "\"blobs\"", "\"subject\"", "null", "0", "-1", "\"acme:x\"", "\"data\"",
            "\"platform\"", "\"mediaType\"", "\"schemaVersion\"", "1e400", "\"\\ud800\"",
        ]), 0..40),
    ) {
        let _ = read(words.concat().as_bytes(), MediaType::OCI_INDEX);
    }
}
