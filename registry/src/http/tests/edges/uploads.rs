//! Blobs on their way into registries that take them each in its own way.

use super::*;
use crate::blob::{BlobSink as _, Copied};
use crate::fake::{Answer, Chunks, Fault, FaultRule};
use crate::http::script::{Reply, Script};
use crate::http::tests::uploads::{blob, content};
use crate::http::tests::{manifest, stored, tag};
use crate::http::{Access, Mount};
use crate::store::Store as _;

const MIB: usize = 1 << 20;

/// A blob of `size` bytes goes to a registry with `options`; the requests that wrote it.
async fn sent(size: usize, options: FakeOptions) -> String {
    let content = content(size);
    let from = FakeRegistry::start(FakeOptions::default());
    from.put_blob("acme/web", content.clone());
    let to = FakeRegistry::start(options);
    let blob = blob(&content);
    store(&to).copy_blob(&blob, &store(&from)).await.expect("sent");
    assert!(to.blobs("acme/web").contains(&blob.digest));
    assert_eq!(to.open_uploads(), 0);
    let requests = to.requests();
    let done = requests.iter().filter(|own| own.status.is_some_and(|status| status < 300));
    done.map(|own| own.method.as_str()).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn edge_32_a_registry_without_chunks_gets_none() {
    let options = FakeOptions { chunks: Chunks::Refused, ..FakeOptions::default() };
    assert_eq!(sent(5 * MIB, options).await, "POST PUT");
}

#[tokio::test]
async fn edge_32_a_registry_that_refuses_large_chunks_gets_none() {
    let options = FakeOptions { chunks: Chunks::AtMost(4 * MIB), ..FakeOptions::default() };
    assert_eq!(sent(5 * MIB, options).await, "POST PUT");
}

#[tokio::test]
async fn edge_32_a_registry_that_takes_20_mib_at_once_gets_chunks_of_more_than_5() {
    for (min_chunk, chunk_status) in [(5 * MIB, 201), (5_000_000, 204)] {
        let max_upload_body = 20 * MIB;
        let options =
            FakeOptions { min_chunk, max_upload_body, chunk_status, ..FakeOptions::default() };
        assert_eq!(
            sent(21 * MIB, options).await,
            "POST GET PATCH PATCH PATCH PUT",
            "{chunk_status}"
        );
    }
}

#[tokio::test]
async fn edge_31_a_manifest_that_is_written_without_a_location_is_written() {
    let script = Script::replies([stored()]).await;
    script.web().put(&tag("1"), &manifest()).await.expect("written");
}

#[tokio::test]
async fn edge_33_an_upload_that_may_not_be_cancelled_is_left_to_the_registry() {
    let content = content(1000);
    let fake = FakeRegistry::start(bearer());
    let from = FakeRegistry::start(FakeOptions::default());
    from.put_blob("acme/web", content.clone());
    let denied = |code: &str| Fault::Answer(Answer::error(403, code, "no"));
    fake.fail(FaultRule::on("PUT", "/uploads/", denied("TOO_BIG")));
    fake.fail(FaultRule::on("DELETE", "/uploads/", denied("NO_DELETE")).always());
    let error = store(&fake).copy_blob(&blob(&content), &store(&from)).await.expect_err("refused");
    assert!(error.to_string().contains("TOO_BIG"), "what failed first is told: {error}");
    assert_eq!(fake.count(|request| request.method == "DELETE"), 1);
}

#[tokio::test]
async fn edge_34_a_mount_names_its_source_and_believes_only_the_digest_asked_for() {
    let content = content(100);
    let blob = blob(&content);
    let expected = format!("mount={}&from=acme%2Fbase", blob.digest.as_str().replace(':', "%3A"));
    let script = Script::replies([
        Reply::new(201).with("docker-content-digest", blob.digest.as_str()),
        Reply::new(201),
        Reply::new(202).with("location", "/up/1"),
        Reply::new(204),
    ])
    .await;
    let web = script.web();
    for _ in 0..2 {
        assert!(matches!(web.mount_blob(&blob, "acme/base").await, Ok(Mount::Mounted)));
    }
    let Ok(Mount::Opened(upload)) = web.mount_blob(&blob, "acme/base").await else {
        panic!("an upload was opened")
    };
    upload.cancel().await;
    let lines = script.lines();
    assert!(lines[..3].iter().all(|line| line.ends_with(&expected)), "{lines:?}");
    assert_eq!(lines[3], "DELETE /up/1");
}

#[tokio::test]
async fn edge_34_a_mount_from_a_project_that_is_not_there_is_an_upload() {
    let content = content(100);
    let options = FakeOptions { mount_refusal: Some(401), ..FakeOptions::default() };
    let to = FakeRegistry::start(options);
    to.put_blob("acme/base", content.clone());
    let from = FakeRegistry::start(FakeOptions::default());
    from.put_blob("acme/web", content.clone());
    let web = registry(&to).repository_with_sources("acme/web", Access::PullPush, &["acme/gone"]);
    assert!(matches!(web.mount_blob(&blob(&content), "acme/gone").await, Ok(Mount::Refused)));
    let copied = web.copy_blob(&blob(&content), &store(&from)).await.expect("sent");
    assert_eq!(copied, Copied::Streamed);
}
