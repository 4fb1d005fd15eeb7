//! Answers that are slow, wrong or too late.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::blob::{BlobReader, BlobSink as _, BlobSource as _};
use crate::fake::{Fault, FaultRule, Gate};
use crate::http::options::RegistryOptions;
use crate::http::registry::Registry;
use crate::http::script::quick;
use crate::http::tests::tag;
use crate::http::tests::uploads::{blob, content};
use crate::manifest::Descriptor;
use crate::store::{Blame, StoreError};

async fn read(mut reader: BlobReader) -> Result<Vec<u8>, StoreError> {
    let mut all = Vec::new();
    while let Some(chunk) = reader.chunk().await? {
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

fn with_blob(size: usize) -> (FakeRegistry, Descriptor, Vec<u8>) {
    let fake = FakeRegistry::start(FakeOptions::default());
    let content = content(size);
    fake.put_blob("acme/web", content.clone());
    let blob = blob(&content);
    (fake, blob, content)
}

#[tokio::test]
async fn a_body_that_comes_slowly_is_waited_for() {
    let (fake, blob, content) = with_blob(100_000);
    let gate = Gate::new();
    fake.fail(FaultRule::on("GET", "/blobs/", Fault::Trickle(10_000, gate.clone())));
    let mut reader = store(&fake).open_blob(&blob).await.expect("opened").expect("there");
    gate.reached().await;
    let first = reader.chunk().await.expect("the first bytes").expect("not the end");
    assert!(first == content[..first.len()]);
    gate.open();
    let rest = read(reader).await.expect("the rest");
    assert!(rest == content[first.len()..]);
    assert_eq!(fake.requests().len(), 1);
}

#[tokio::test]
async fn edge_33_a_body_that_stops_coming_is_read_on_from_there() {
    let (fake, blob, content) = with_blob(100_000);
    let options =
        RegistryOptions { read_timeout: Duration::from_millis(50), ..RegistryOptions::default() };
    let host = fake.host().parse().expect("a host");
    let registry = Registry::with_policy(host, &options, quick(options.retries)).expect("a client");
    let web = registry.repository("acme/web", crate::http::Access::Pull);
    fake.fail(FaultRule::on("GET", "/blobs/", Fault::Trickle(10_000, Gate::new())));
    let reader = web.open_blob(&blob).await.expect("opened").expect("there");
    assert!(read(reader).await.expect("read") == content);
    let [first, second] = &fake.requests()[..] else { panic!("{}", methods(&fake)) };
    assert_eq!((first.status, second.status), (Some(200), Some(206)));
    assert_eq!(second.response_bytes, 90_000);
}

#[tokio::test]
async fn edge_1_a_manifest_with_wrong_bytes_is_not_tagged() {
    for fault in [Fault::WrongBytes, Fault::ShortLength] {
        let fake = built(bearer());
        let before = fake.tags("acme/web");
        fake.fail(FaultRule::on("GET", "/manifests/", fault.clone()).always());
        let error = release(&store(&fake), "1.2.3", "build-7").await.expect_err("not the bytes");
        let ObserveError::Store(error) = error else { panic!("{error}") };
        assert_eq!(error.blame(), Blame::Registry, "{error}");
        let text = crate::apply::chain(&error);
        assert!(text.contains("sha256:"), "{text}");
        assert_eq!(fake.tags("acme/web"), before);
        assert_eq!(fake.count(|request| request.method == "PUT"), 0);
    }
}

#[tokio::test]
async fn a_blob_with_wrong_bytes_arrives_nowhere() {
    for fault in [Fault::WrongBytes, Fault::ShortLength] {
        let (from, blob, _) = with_blob(50_000);
        let to = FakeRegistry::start(bearer());
        from.fail(FaultRule::on("GET", "/blobs/", fault.clone()).always());
        let error = store(&to).copy_blob(&blob, &store(&from)).await.expect_err("not the blob");
        let text = crate::apply::chain(&error);
        assert!(text.contains(blob.digest.as_str()), "{text}");
        let problem = match fault {
            Fault::WrongBytes => "the content is sha256:",
            _ => "it has 49999 bytes",
        };
        assert!(text.contains(problem), "{text}");
        assert!(to.blobs("acme/web").is_empty());
        assert_eq!(to.open_uploads(), 0, "{}", methods(&to));
    }
}

#[tokio::test]
async fn a_blob_whose_length_is_stated_wrongly_is_not_taken_for_there() {
    let (fake, blob, _) = with_blob(100);
    fake.fail(FaultRule::on("HEAD", "/blobs/", Fault::ShortLength));
    assert!(!store(&fake).has_blob(&blob).await.expect("answered"));
    assert!(store(&fake).has_blob(&blob).await.expect("answered"));
}

#[tokio::test]
async fn edge_27_a_token_that_ends_at_any_request_is_renewed_and_nothing_is_lost() {
    for at in 0.. {
        let fake = built(bearer());
        fake.fail(FaultRule::nth(at, Fault::ExpireTokens));
        let applied = release(&store(&fake), "1.2.3", "build-7").await.expect("observed");
        assert!(applied.error.is_none(), "{at}: {:?}", applied.error);
        let tags = fake.tags("acme/web");
        let image = &tags[&tag("build-7")];
        let released = ["1.2.3", "1.2", "1", "latest"];
        assert!(released.iter().all(|name| tags[&tag(name)] == *image), "{at}: {tags:?}");
        if fake.pending_faults() > 0 {
            assert!(at > 10, "{at}");
            return;
        }
        // The refused request again, and one token for all that are refused at once.
        let refused = fake.count(|request| request.status == Some(401));
        let tokens = fake.count(|request| request.path.starts_with("/token"));
        assert!(tokens <= 2 && refused <= 6, "{at}: {tokens} tokens: {}", methods(&fake));
    }
}

#[tokio::test]
async fn edge_27_a_token_that_ends_while_a_blob_is_sent_is_renewed() {
    let content = content(50_000);
    let blob = blob(&content);
    for at in 0..4 {
        let fake = FakeRegistry::start(bearer());
        let (from, ..) = with_blob(50_000);
        fake.fail(FaultRule::nth(at, Fault::ExpireTokens));
        let from: Arc<RepositoryStore> = Arc::new(store(&from));
        store(&fake).copy_blob(&blob, &*from).await.expect("copied");
        assert!(fake.blobs("acme/web").contains(&blob.digest), "{at}");
        assert_eq!((fake.open_uploads(), fake.pending_faults()), (0, 0), "{at}");
    }
}
