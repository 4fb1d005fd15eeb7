use serde_json::json;

use crate::digest::Digest;
use crate::fake::testing::{Response, call, fake, fake_with};
use crate::fake::{FakeOptions, FakeRegistry, TagWrites};
use crate::manifest::MediaType;

const ODD_TYPE: &str = "application/vnd.acme.thing+json; charset=utf-8";
const ODD_BYTES: &[u8] = b"{ \"b\": 1,\n  \"a\": 2 }\n";

fn path(reference: &str) -> String {
    format!("/v2/app/manifests/{reference}")
}

fn put(fake: &FakeRegistry, reference: &str, media_type: &str, bytes: &[u8]) -> Response {
    call(fake, "PUT", &path(reference), &[("Content-Type", media_type)], bytes)
}

fn bare(fake: &FakeRegistry, method: &str, reference: &str) -> Response {
    call(fake, method, &path(reference), &[], b"")
}

#[test]
fn bytes_and_type_come_back_as_they_went() {
    let fake = fake();
    let digest = Digest::sha256(ODD_BYTES);
    let stored = put(&fake, "1.2.3", ODD_TYPE, ODD_BYTES);
    assert_eq!(stored.status, 201, "{}", stored.text());
    assert_eq!(stored.header("docker-content-digest"), Some(digest.as_str()));
    assert_eq!(stored.header("location"), Some(path(digest.as_str()).as_str()));
    for reference in ["1.2.3", digest.as_str()] {
        let got = bare(&fake, "GET", reference);
        assert_eq!((got.status, got.body.as_slice()), (200, ODD_BYTES));
        let head = bare(&fake, "HEAD", reference);
        assert_eq!((head.status, head.body.len()), (200, 0));
        for answer in [got, head] {
            assert_eq!(answer.header("content-type"), Some(ODD_TYPE));
            assert_eq!(answer.header("docker-content-digest"), Some(digest.as_str()));
            assert_eq!(answer.header("content-length"), Some("21"));
        }
    }
    assert_eq!(fake.manifest("app", &digest).map(|m| m.media_type), Some(ODD_TYPE.to_owned()));
}

#[test]
fn a_put_by_digest_is_checked_and_tags_nothing() {
    let fake = fake();
    for digest in [Digest::sha256(ODD_BYTES), Digest::sha512(ODD_BYTES)] {
        assert_eq!(put(&fake, digest.as_str(), ODD_TYPE, ODD_BYTES).status, 201);
        assert_eq!(bare(&fake, "GET", digest.as_str()).body, ODD_BYTES);
    }
    let other = Digest::sha256(b"other");
    assert!(put(&fake, other.as_str(), ODD_TYPE, ODD_BYTES).is_error(400, "DIGEST_INVALID"));
    assert!(put(&fake, "sha256:1", ODD_TYPE, ODD_BYTES).is_error(400, "DIGEST_INVALID"));
    assert!(fake.tags("app").is_empty());
}

#[test]
fn what_is_not_there_has_the_specification_s_error() {
    let fake = fake();
    assert!(bare(&fake, "GET", "1").is_error(404, "NAME_UNKNOWN"));
    assert_eq!(bare(&fake, "HEAD", "1").status, 404);
    fake.seed_image("app", "1", &["linux/amd64"]);
    assert!(bare(&fake, "GET", "2").is_error(404, "MANIFEST_UNKNOWN"));
    let missing = Digest::sha256(b"missing");
    assert!(bare(&fake, "GET", missing.as_str()).is_error(404, "MANIFEST_UNKNOWN"));
    fake.tag("app", "dangling", &missing);
    assert!(bare(&fake, "GET", "dangling").is_error(404, "MANIFEST_UNKNOWN"));
    let bad = call(&fake, "GET", "/v2/App/manifests/1", &[], b"");
    assert!(bad.is_error(400, "NAME_INVALID"));
}

#[test]
fn a_manifest_may_not_refer_to_what_is_missing() {
    let fake = fake();
    let missing = json!({ "digest": Digest::sha256(b"x"), "size": 1 });
    let layer = json!({ "config": missing, "layers": [] }).to_string();
    let child = json!({ "manifests": [missing] }).to_string();
    for (media_type, body) in [(MediaType::OCI_MANIFEST, &layer), (MediaType::OCI_INDEX, &child)] {
        let refused = put(&fake, "1", media_type, body.as_bytes());
        assert!(refused.is_error(404, "MANIFEST_BLOB_UNKNOWN"), "{}", refused.text());
    }
    let foreign = json!({ "layers": [{ "digest": Digest::sha256(b"x"), "size": 1,
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" }] });
    let foreign = foreign.to_string();
    assert_eq!(put(&fake, "f", MediaType::DOCKER_MANIFEST, foreign.as_bytes()).status, 201);
    fake.configure(|options| options.missing_references = true);
    assert_eq!(put(&fake, "1", MediaType::OCI_MANIFEST, layer.as_bytes()).status, 201);
}

#[test]
fn what_is_no_manifest_is_refused() {
    let fake = fake_with(FakeOptions { max_manifest_bytes: 10, ..FakeOptions::default() });
    assert!(put(&fake, "1", MediaType::OCI_INDEX, b"no json").is_error(400, "MANIFEST_INVALID"));
    assert!(call(&fake, "PUT", &path("1"), &[], b"{}").is_error(400, "MANIFEST_INVALID"));
    assert!(put(&fake, "-1", ODD_TYPE, b"{}").is_error(400, "MANIFEST_INVALID"));
    assert!(put(&fake, "1", ODD_TYPE, b"{         }").is_error(413, "SIZE_INVALID"));
    assert_eq!(put(&fake, "1", ODD_TYPE, b"no json").status, 201);
}

#[test]
fn deleting_a_tag_leaves_the_manifest() {
    let fake = fake();
    let digest = fake.seed_image("app", "1", &["linux/amd64"]);
    fake.tag("app", "2", &digest);
    assert_eq!(bare(&fake, "DELETE", "1").status, 202);
    assert!(bare(&fake, "DELETE", "1").is_error(404, "MANIFEST_UNKNOWN"));
    assert_eq!(bare(&fake, "HEAD", "2").status, 200);
    fake.configure(|options| options.untag_unsupported = true);
    assert!(bare(&fake, "DELETE", "2").is_error(405, "UNSUPPORTED"));
}

#[test]
fn deleting_a_digest_needs_leave_and_takes_the_tags() {
    let fake = fake();
    let digest = fake.seed_image("app", "1", &["linux/amd64"]);
    assert!(bare(&fake, "DELETE", digest.as_str()).is_error(405, "UNSUPPORTED"));
    fake.configure(|options| options.delete_by_digest = true);
    assert_eq!(bare(&fake, "DELETE", digest.as_str()).status, 202);
    assert!(fake.tags("app").is_empty());
    assert_eq!(fake.manifest("app", &digest), None);
}

#[test]
fn tags_may_be_immutable() {
    let immutable = FakeOptions { tag_writes: TagWrites::Immutable(409), ..FakeOptions::default() };
    let fake = fake_with(immutable);
    let before = fake.put_manifest("app", "1", ODD_TYPE, ODD_BYTES);
    assert_eq!(put(&fake, "1", ODD_TYPE, ODD_BYTES).status, 201);
    assert_eq!(put(&fake, "1", ODD_TYPE, b"{}").status, 409);
    assert_eq!(fake.tags("app").values().collect::<Vec<_>>(), [&before]);
    assert_eq!(put(&fake, "2", ODD_TYPE, b"{}").status, 201);
    fake.configure(|options| options.tag_writes = TagWrites::Once(400));
    assert_eq!(put(&fake, "1", ODD_TYPE, ODD_BYTES).status, 400);
}

#[test]
fn head_may_be_unsupported() {
    let fake = fake_with(FakeOptions { head_unsupported: true, ..FakeOptions::default() });
    fake.seed_image("app", "1", &["linux/amd64"]);
    assert_eq!(bare(&fake, "HEAD", "1").status, 405);
    assert_eq!(bare(&fake, "GET", "1").status, 200);
}

#[test]
fn end_7b_writes_many_tags_where_it_is_known() {
    let fake = fake();
    let reference = format!("{}?tag=1.2.3&tag=1.2", Digest::sha256(ODD_BYTES));
    let old = put(&fake, &reference, ODD_TYPE, ODD_BYTES);
    assert_eq!((old.status, old.header("oci-tag")), (201, None));
    assert!(fake.tags("app").is_empty());
    fake.configure(|options| options.tags_per_put = 2);
    let new = put(&fake, &reference, ODD_TYPE, ODD_BYTES);
    assert_eq!((new.status, new.header("oci-tag")), (201, Some("1.2.3, 1.2")));
    assert_eq!(fake.tags("app").len(), 2);
    assert_eq!(put(&fake, &format!("{reference}&tag=1"), ODD_TYPE, ODD_BYTES).status, 414);
}
