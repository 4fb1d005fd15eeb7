//! Writing blobs.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;

use crate::blob::{BlobReader, BlobSink as _, BlobSource, Copied};
use crate::digest::Digest;
use crate::fake::{Answer, FakeOptions, FakeRegistry, Fault, FaultRule};
use crate::http::script::{Reply, Script};
use crate::http::{Mount, RepositoryStore};
use crate::manifest::{Descriptor, Manifest, MediaType};
use crate::reference::Selector;
use crate::store::{Blame, Store as _, StoreError};

use super::budgets::{bearer, registry};

/// Bytes that differ from place to place, all ASCII.
pub(super) fn content(length: usize) -> Vec<u8> {
    (0..length).map(|n| b'a' + (n % 23) as u8).collect()
}

pub(super) fn blob(content: &[u8]) -> Descriptor {
    let media_type = MediaType::new("application/vnd.oci.image.layer.v1.tar");
    Descriptor { media_type, digest: Digest::sha256(content), size: content.len() as u64 }
}

pub(super) fn store(fake: &FakeRegistry) -> RepositoryStore {
    registry(fake).repository("acme/web", crate::http::Access::PullPush)
}

/// Content in chunks of 1000 bytes that notes from where it was read.
#[derive(Clone)]
struct Source {
    content: Vec<u8>,
    opened: Arc<Mutex<Vec<u64>>>,
}

impl Source {
    fn new(content: &[u8]) -> Self {
        Self { content: content.to_vec(), opened: Arc::default() }
    }

    fn opened(&self) -> Vec<u64> {
        self.opened.lock().unwrap().clone()
    }
}

#[async_trait]
impl BlobSource for Source {
    async fn open_blob_at(
        &self,
        _: &Descriptor,
        offset: u64,
    ) -> Result<Option<BlobReader>, StoreError> {
        self.opened.lock().unwrap().push(offset);
        let rest = &self.content[usize::try_from(offset).unwrap()..];
        let chunks: Vec<_> = rest.chunks(1000).map(|c| Ok(Bytes::copy_from_slice(c))).collect();
        Ok(Some(BlobReader::new(stream::iter(chunks))))
    }
}

fn methods(fake: &FakeRegistry) -> String {
    let requests = fake.requests();
    let lines: Vec<_> = requests.iter().map(|request| request.method.as_str()).collect();
    lines.join(" ")
}

#[tokio::test]
async fn a_blob_is_sent_by_post_and_put_with_its_length() {
    for absolute_locations in [false, true] {
        for size in [0, 1, 50_000] {
            let fake = FakeRegistry::start(FakeOptions { absolute_locations, ..bearer() });
            let content = content(size);
            let blob = blob(&content);
            let source = Source::new(&content);
            let copied = store(&fake).copy_blob(&blob, &source).await.expect("written");
            assert_eq!(copied, Copied::Streamed);
            assert!(fake.blobs("acme/web").contains(&blob.digest));
            assert_eq!(methods(&fake), "POST GET POST PUT");
            assert_eq!(fake.requests()[3].body_bytes, size as u64);
            assert_eq!(fake.open_uploads(), 0);
        }
    }
}

#[tokio::test]
async fn edge_31_locations_of_any_form_are_followed_with_their_query() {
    let content = content(10);
    let blob = blob(&content);
    for location in ["/up/1?_state=a%2Fb", "1?_state=a%2Fb", "http://HOST/up/1?_state=a%2Fb"] {
        let script = Script::start(move |seen, before| match before {
            0 => {
                let host = seen.header("host").expect("a host");
                Reply::new(202).with("location", &location.replace("HOST", host))
            }
            _ => Reply::new(201),
        })
        .await;
        script.web().copy_blob(&blob, &Source::new(&content)).await.expect("written");
        let put = &script.seen()[1];
        assert!(put.target.ends_with(&format!("1?_state=a%2Fb&digest={}", blob.digest)));
        assert_eq!(put.header("content-length"), Some("10"));
        assert_eq!(put.header("transfer-encoding"), None);
        assert_eq!(put.header("content-range"), None);
        assert_eq!(put.body, content);
        assert_eq!(script.seen()[0].header("content-length"), Some("0"));
    }
    let script = Script::replies([Reply::new(202)]).await;
    script.web().copy_blob(&blob, &Source::new(&content)).await.expect_err("no place to go");
}

#[tokio::test]
async fn edge_11_another_algorithm_is_announced() {
    let content = content(10);
    let blob = Descriptor { digest: Digest::sha512(&content), ..blob(&content) };
    let fake = FakeRegistry::start(FakeOptions::default());
    store(&fake).copy_blob(&blob, &Source::new(&content)).await.expect("written");
    assert!(fake.requests()[0].path.ends_with("/uploads/?digest-algorithm=sha512"));
    assert!(fake.blobs("acme/web").contains(&blob.digest));
}

#[tokio::test]
async fn edge_33_an_upload_that_breaks_off_goes_on_where_the_registry_is() {
    let fake = FakeRegistry::start(bearer());
    let content = content(50_000);
    let blob = blob(&content);
    let source = Source::new(&content);
    fake.fail(FaultRule::on("PUT", "/uploads/", Fault::CutUpload(20_000)));
    fake.fail(FaultRule::on("PUT", "/uploads/", Fault::CutUpload(10_000)).skip(1));
    store(&fake).copy_blob(&blob, &source).await.expect("written");
    assert_eq!(fake.pending_faults(), 0);
    assert!(fake.blobs("acme/web").contains(&blob.digest));
    assert_eq!(source.opened(), [0, 20_000, 30_000]);
    assert_eq!(methods(&fake), "POST GET POST PUT GET PUT GET PUT");
    assert_eq!(fake.open_uploads(), 0);
}

#[tokio::test]
async fn edge_33_an_upload_that_the_registry_lost_begins_again() {
    let fake = FakeRegistry::start(FakeOptions::default());
    let content = content(50_000);
    let blob = blob(&content);
    let gone = Answer::error(404, "BLOB_UPLOAD_UNKNOWN", "");
    fake.fail(FaultRule::on("PUT", "/uploads/", Fault::Answer(gone.clone())));
    fake.fail(FaultRule::on("GET", "/uploads/", Fault::Answer(gone)));
    store(&fake).copy_blob(&blob, &Source::new(&content)).await.expect("written");
    assert!(fake.blobs("acme/web").contains(&blob.digest));
    assert_eq!(methods(&fake), "POST PUT GET HEAD POST PUT");
}

#[tokio::test]
async fn edge_35_an_upload_whose_answer_was_lost_is_not_sent_again() {
    let fake = FakeRegistry::start(FakeOptions::default());
    let content = content(5000);
    let blob = blob(&content);
    fake.fail(FaultRule::on("PUT", "/uploads/", Fault::AnswerLost));
    store(&fake).copy_blob(&blob, &Source::new(&content)).await.expect("written");
    assert_eq!(methods(&fake), "POST PUT GET HEAD");
    assert_eq!(fake.open_uploads(), 0);
}

#[tokio::test]
async fn edge_35_what_passes_is_waited_for_and_what_lasts_is_cancelled() {
    let content = content(5000);
    let blob = blob(&content);
    for status in [401, 408, 416, 429, 503] {
        let fake = FakeRegistry::start(bearer());
        let busy = Answer::new(status).header("Retry-After", "0").header(
            "WWW-Authenticate",
            format!(r#"Bearer realm="http://{}/token",service="fake-registry""#, fake.host()),
        );
        fake.fail(FaultRule::on("PUT", "/uploads/", Fault::Answer(busy)));
        let copied = store(&fake).copy_blob(&blob, &Source::new(&content)).await;
        copied.unwrap_or_else(|error| panic!("{status}: {error}"));
        assert_eq!(fake.pending_faults(), 0);
        assert_eq!(fake.open_uploads(), 0, "{status}: {}", methods(&fake));
    }
    for status in [400, 403, 500, 503] {
        let fake = FakeRegistry::start(bearer());
        let refusal = Answer::error(status, "DENIED", "no").header("Retry-After", "0");
        fake.fail(FaultRule::on("PUT", "/uploads/", Fault::Answer(refusal)).always());
        let error = store(&fake).copy_blob(&blob, &Source::new(&content)).await.expect_err("no");
        assert!(error.to_string().contains("DENIED: no"), "{error}");
        assert_eq!(fake.open_uploads(), 0, "{status}: {}", methods(&fake));
    }
}

#[tokio::test]
async fn edge_32_chunks_are_sent_where_a_blob_is_too_large_for_one_request() {
    let content = content(20 << 20);
    let blob = blob(&content);
    for (min_chunk, max_upload_body, chunks) in
        [(0, 8 << 20, 3), (0, 5 << 20, 5), (9 << 20, 9 << 20, 3)]
    {
        let fake = FakeRegistry::start(FakeOptions { min_chunk, max_upload_body, ..bearer() });
        let web = store(&fake);
        let source = Source::new(&content);
        web.copy_blob(&blob, &source).await.expect("written");
        assert!(fake.blobs("acme/web").contains(&blob.digest));
        let stored = |request: &crate::fake::RequestRecord| {
            request.method == "PATCH" && request.status == Some(202)
        };
        assert_eq!(fake.count(stored), chunks, "{}", methods(&fake));
        assert_eq!(fake.open_uploads(), 0);
        // The next one goes in chunks from the start.
        fake.reset_counts();
        let small = self::content(100);
        web.copy_blob(&self::blob(&small), &Source::new(&small)).await.expect("written");
        assert_eq!(methods(&fake), "POST PATCH PUT");
    }
    let fake = FakeRegistry::start(FakeOptions { max_upload_body: 1000, ..bearer() });
    let error = store(&fake).copy_blob(&blob, &Source::new(&content)).await.expect_err("tiny");
    assert!(error.to_string().contains("413"), "{error}");
    assert_eq!(fake.open_uploads(), 0);
}

#[tokio::test]
async fn edge_32_a_chunk_may_be_answered_by_any_success() {
    let content = content(100);
    let blob = blob(&content);
    for status in [201, 202, 204] {
        let script = Script::start(move |seen, before| match (before, seen.method.as_str()) {
            (0, _) => Reply::new(202).with("location", "/up/1"),
            (1, _) => Reply::new(413),
            (2, "GET") => Reply::new(204).with("location", "/up/2").with("range", "0-0"),
            // The newest location, and a range that sticks.
            (3, "PATCH") => Reply::new(status).with("location", "/up/3?s=1").with("range", "0-0"),
            (4, "PUT") => Reply::new(201),
            _ => Reply::new(599),
        })
        .await;
        script.web().copy_blob(&blob, &Source::new(&content)).await.expect("written");
        let seen = script.seen();
        assert_eq!(seen[3].target, "/up/2");
        assert_eq!(seen[3].header("content-range"), Some("0-99"));
        assert_eq!(seen[3].header("content-length"), Some("100"));
        assert_eq!(seen[4].target, format!("/up/3?s=1&digest={}", blob.digest));
        assert_eq!(seen[4].header("content-length"), Some("0"));
    }
}

#[tokio::test]
async fn content_that_is_not_the_blob_leaves_nothing_and_says_why() {
    let blob = blob(b"hello");
    for (content, problem) in [
        ("hell", "it ends after 4 of 5 bytes"),
        ("hello!", "it is longer than its 5 bytes"),
        ("hellO", "the content is sha256:"),
    ] {
        let fake = FakeRegistry::start(bearer());
        let error = store(&fake).copy_blob(&blob, &Source::new(content.as_bytes())).await;
        let text = crate::apply::chain(&error.expect_err("not the blob"));
        assert!(text.contains(problem), "{text}");
        assert!(fake.blobs("acme/web").is_empty());
        assert_eq!(fake.open_uploads(), 0, "{content}: {}", methods(&fake));
    }
}

#[tokio::test]
async fn a_reader_is_sent_once() {
    let content = content(5000);
    let blob = blob(&content);
    let fake = FakeRegistry::start(FakeOptions::default());
    let reader = || BlobReader::from(Bytes::from(content.clone()));
    store(&fake).write_blob(&blob, reader()).await.expect("written");
    assert!(fake.blobs("acme/web").contains(&blob.digest));
    fake.fail(FaultRule::on("PUT", "/uploads/", Fault::CutUpload(100)));
    let error = store(&fake).write_blob(&blob, reader()).await.expect_err("it broke off");
    assert!(error.to_string().contains("closed the connection"), "{error}");
    assert_eq!(fake.open_uploads(), 0);
}

#[tokio::test]
async fn an_upload_that_is_given_up_is_cancelled() {
    let fake = FakeRegistry::start(FakeOptions::default());
    let web = store(&fake);
    let mount = web.mount_blob(&blob(b"x"), "acme/base").await.expect("answered");
    assert!(matches!(&mount, Mount::Opened(_)));
    assert_eq!(fake.open_uploads(), 1);
    drop(mount);
    for _ in 0..15_000 {
        if fake.open_uploads() == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    panic!("it is still open");
}

#[tokio::test]
async fn edge_34_a_mount_costs_one_request_and_its_upload_is_used_where_it_is_refused() {
    let content = content(5000);
    let blob = blob(&content);
    for mount_unsupported in [false, true] {
        let fake = FakeRegistry::start(FakeOptions { mount_unsupported, ..bearer() });
        fake.put_blob("acme/base", content.clone());
        let web = registry(&fake).repository_with_sources(
            "acme/web",
            crate::http::Access::PullPush,
            &["acme/base"],
        );
        let base = web.source("acme/base").expect("opened with it");
        let copied = web.copy_blob(&blob, &base).await.expect("copied");
        assert!(fake.blobs("acme/web").contains(&blob.digest));
        assert_eq!(fake.open_uploads(), 0);
        // Challenge, token, mount; then its upload, fed from the source.
        let expected = match mount_unsupported {
            false => (Copied::Mounted, "POST GET POST"),
            true => (Copied::Streamed, "POST GET POST GET PUT"),
        };
        assert_eq!((copied, methods(&fake).as_str()), expected);
        assert!(web.source("acme/other").is_none());
    }
}

#[tokio::test]
async fn edge_34_a_refused_mount_is_an_ordinary_upload() {
    let content = content(5000);
    let blob = blob(&content);
    for status in [400, 401, 403, 404, 405] {
        let fake = FakeRegistry::start(FakeOptions::default());
        fake.put_blob("acme/base", content.clone());
        let refused = Answer::error(status, "DENIED", "no");
        fake.fail(FaultRule::on("POST", "mount=", Fault::Answer(refused)));
        let sources = &["acme/base"];
        let web = registry(&fake);
        let web = web.repository_with_sources("acme/web", crate::http::Access::PullPush, sources);
        let base = web.source("acme/base").expect("opened with it");
        assert_eq!(web.copy_blob(&blob, &base).await.expect("copied"), Copied::Streamed);
        assert_eq!(methods(&fake), "POST POST GET PUT", "{status}");
    }
    let wrong = Reply::new(201).with("docker-content-digest", Digest::sha256(b"x").as_str());
    let script = Script::replies([wrong]).await;
    let error = script.web().mount_blob(&blob, "acme/base").await.expect_err("something else");
    assert_eq!(error.blame(), Blame::Registry);
}

#[tokio::test]
async fn a_manifest_is_stored_by_digest_whatever_its_algorithm() {
    let fake = FakeRegistry::start(FakeOptions::default());
    let web = store(&fake);
    let bytes = Bytes::from_static(br#"{"schemaVersion":2,"manifests":[]}"#);
    for digest in [Digest::sha256(&bytes), Digest::sha512(&bytes)] {
        let manifest = Manifest::received(bytes.clone(), MediaType::OCI_INDEX, Some(&digest));
        let manifest = manifest.expect("a manifest");
        web.put_manifest(&manifest).await.expect("stored");
        let found = web.get(&Selector::Digest(digest)).await.expect("read").expect("there");
        assert_eq!(found, manifest);
    }
    assert!(fake.tags("acme/web").is_empty());
}

#[tokio::test]
async fn a_cold_copy_across_repositories_is_8_requests() {
    let fake = FakeRegistry::start(bearer());
    let layers = [content(10), content(20), content(30), content(40)];
    let digests = layers.each_ref().map(|layer| fake.put_blob("acme/base", layer.clone()));
    let link = |n: usize| {
        serde_json::json!({ "mediaType": "application/vnd.oci.image.layer.v1.tar",
            "digest": digests[n], "size": layers[n].len() })
    };
    let image = serde_json::json!({ "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST,
        "config": link(0), "layers": [link(1), link(2), link(3)] });
    fake.put_manifest("acme/base", "1.2.3", MediaType::OCI_MANIFEST, image.to_string());

    let sources = &["acme/base"];
    let web = registry(&fake);
    let web = web.repository_with_sources("acme/web", crate::http::Access::PullPush, sources);
    let base = web.source("acme/base").expect("opened with it");
    let manifest = base.get(&super::by_tag("1.2.3")).await.expect("read").expect("there");
    let mounts = layers.each_ref().map(|layer| blob(layer));
    let mounts = mounts.iter().map(|blob| web.copy_blob(blob, &base));
    futures_util::future::try_join_all(mounts).await.expect("mounted");
    web.put(&super::tag("1.2.3"), &manifest).await.expect("written");
    // Challenge, token, manifest, four mounts, manifest.
    assert_eq!(methods(&fake), "GET GET GET POST POST POST POST PUT");
}
