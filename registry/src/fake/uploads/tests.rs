use crate::digest::Digest;
use crate::fake::testing::{Response, call, fake, fake_with};
use crate::fake::{FakeOptions, FakeRegistry};

fn post(fake: &FakeRegistry, query: &str, body: &[u8]) -> Response {
    call(fake, "POST", &format!("/v2/app/blobs/uploads/{query}"), &[], body)
}

fn location(answer: &Response) -> String {
    answer.header("location").expect("a Location").to_owned()
}

#[test]
fn a_session_takes_chunks_and_is_finished_by_digest() {
    let fake = fake();
    let digest = Digest::sha256(b"abcdef");
    let started = post(&fake, "", b"");
    assert_eq!((started.status, started.header("range")), (202, Some("0-0")));
    let range = [("Content-Range", "0-2")];
    let patched = call(&fake, "PATCH", &location(&started), &range, b"abc");
    assert_eq!((patched.status, patched.header("range")), (202, Some("0-2")));
    let status = call(&fake, "GET", &location(&started), &[], b"");
    assert_eq!((status.status, location(&status)), (204, location(&patched)));
    let end = format!("{}&digest={digest}", location(&patched));
    let finished = call(&fake, "PUT", &end, &[], b"def");
    assert_eq!(finished.status, 201, "{}", finished.text());
    assert_eq!(location(&finished), format!("/v2/app/blobs/{digest}"));
    assert!(fake.blobs("app").contains(&digest));
    assert_eq!(fake.open_uploads(), 0);
    assert!(call(&fake, "PUT", &end, &[], b"def").is_error(404, "BLOB_UPLOAD_UNKNOWN"));
}

#[test]
fn a_chunk_out_of_order_is_told_where_to_go_on() {
    let fake = fake();
    let started = post(&fake, "", b"");
    let patched = call(&fake, "PATCH", &location(&started), &[], b"abc");
    let stale = call(&fake, "PATCH", &location(&started), &[], b"abc");
    let gap = call(&fake, "PATCH", &location(&patched), &[("Content-Range", "9-11")], b"abc");
    for refused in [stale, gap] {
        assert_eq!((refused.status, refused.header("range")), (416, Some("0-2")));
        assert_eq!(location(&refused), location(&patched));
    }
    let bare = location(&patched);
    let bare = bare.split('?').next().expect("a path");
    let refused = call(&fake, "PATCH", bare, &[], b"def");
    assert!(refused.is_error(400, "BLOB_UPLOAD_INVALID"));
}

#[test]
fn a_wrong_digest_stores_nothing_and_keeps_the_session() {
    let fake = fake();
    let started = post(&fake, "", b"");
    let end = |digest: &str| format!("{}&digest={digest}", location(&started));
    let right = Digest::sha256(b"abc");
    for wrong in [Digest::sha256(b"x").as_str(), "sha256:1", "acme:abc"] {
        let refused = call(&fake, "PUT", &end(wrong), &[], b"abc");
        assert!(refused.is_error(400, "DIGEST_INVALID"), "{wrong}");
    }
    assert!(fake.blobs("app").is_empty());
    assert_eq!(call(&fake, "PUT", &end(right.as_str()), &[], b"abc").status, 201);
}

#[test]
fn a_session_is_cancelled() {
    let fake = fake();
    let started = post(&fake, "", b"");
    assert_eq!(fake.open_uploads(), 1);
    assert_eq!(call(&fake, "DELETE", &location(&started), &[], b"").status, 204);
    assert_eq!(fake.open_uploads(), 0);
    assert_eq!(call(&fake, "GET", &location(&started), &[], b"").status, 404);
}

#[test]
fn one_post_is_enough_where_it_is_supported() {
    let fake = fake();
    let digest = Digest::sha512(b"abc");
    let stored = post(&fake, &format!("?digest={digest}"), b"abc");
    assert_eq!(stored.status, 201, "{}", stored.text());
    assert_eq!(stored.header("docker-content-digest"), Some(digest.as_str()));
    assert!(post(&fake, &format!("?digest={digest}"), b"x").is_error(400, "DIGEST_INVALID"));
    fake.configure(|options| options.single_post_unsupported = true);
    assert_eq!(post(&fake, &format!("?digest={digest}"), b"abc").status, 202);
}

#[test]
fn a_mount_takes_the_blob_of_another_repository_or_opens_a_session() {
    let fake = fake_with(FakeOptions { absolute_locations: true, ..FakeOptions::default() });
    let digest = fake.put_blob("acme/base", "abc");
    let query = format!("?mount={digest}&from=acme%2Fbase");
    let mounted = post(&fake, &query, b"");
    assert_eq!(mounted.status, 201, "{}", mounted.text());
    assert_eq!(location(&mounted), format!("http://{}/v2/app/blobs/{digest}", fake.host()));
    assert!(fake.blobs("app").contains(&digest));
    let absent = Digest::sha256(b"absent");
    assert_eq!(post(&fake, &format!("?mount={absent}&from=acme/base"), b"").status, 202);
    assert_eq!(post(&fake, &format!("?mount={digest}"), b"").status, 202);
    fake.configure(|options| options.mount_unsupported = true);
    assert_eq!(post(&fake, &query, b"").status, 202);
    assert_eq!(fake.open_uploads(), 3);
}
