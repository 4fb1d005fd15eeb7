//! Reading blobs, over whatever ways.

use crate::blob::{BlobReader, BlobSink as _, BlobSource as _};
use crate::digest::Digest;
use crate::fake::{Answer, FakeOptions, FakeRegistry, Fault, FaultRule};
use crate::http::script::{Reply, Script};
use crate::manifest::Descriptor;
use crate::store::{Blame, StoreError};

use super::uploads::{blob, content, store};

async fn read(mut reader: BlobReader) -> Result<Vec<u8>, StoreError> {
    let mut all = Vec::new();
    while let Some(chunk) = reader.chunk().await? {
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

/// A blob of 100,000 bytes in a registry of its own.
fn seeded(options: FakeOptions) -> (FakeRegistry, Descriptor, Vec<u8>) {
    let fake = FakeRegistry::start(options);
    let content = content(100_000);
    fake.put_blob("acme/web", content.clone());
    let blob = blob(&content);
    (fake, blob, content)
}

async fn read_at(fake: &FakeRegistry, blob: &Descriptor, offset: u64) -> Vec<u8> {
    let reader = store(fake).open_blob_at(blob, offset).await.expect("opened").expect("there");
    read(reader).await.expect("read")
}

#[tokio::test]
async fn a_blob_is_read_from_any_offset_also_where_ranges_are_not_known() {
    for ranges_ignored in [false, true] {
        let options = FakeOptions { ranges_ignored, ..FakeOptions::default() };
        let (fake, blob, content) = seeded(options);
        for offset in [0, 1, 99_999, 100_000] {
            assert!(read_at(&fake, &blob, offset).await == content[offset as usize..], "{offset}");
        }
        let error = store(&fake).open_blob_at(&blob, 100_001).await.expect_err("behind the end");
        assert!(error.to_string().contains("behind its end"), "{error}");
    }
}

#[tokio::test]
async fn a_blob_that_is_not_there_is_none_and_a_refusal_is_not() {
    let (fake, blob, _) = seeded(FakeOptions::default());
    let other = Descriptor { digest: Digest::sha256(b"other"), ..blob.clone() };
    assert!(store(&fake).open_blob(&other).await.expect("answered").is_none());
    assert!(!store(&fake).has_blob(&other).await.expect("answered"));
    assert!(store(&fake).has_blob(&blob).await.expect("answered"));
    fake.fail(FaultRule::on("GET", "/blobs/", Fault::Answer(Answer::error(403, "DENIED", "no"))));
    let error = store(&fake).open_blob(&blob).await.expect_err("denied");
    assert_eq!(error.blame(), Blame::Denied);
    fake.fail(FaultRule::on("GET", "/blobs/", Fault::Answer(Answer::html(200))));
    store(&fake).open_blob(&blob).await.expect_err("a page");
}

#[tokio::test]
async fn edge_35_a_body_that_is_cut_is_one_stream_all_the_same() {
    for ranges_ignored in [false, true] {
        let options = FakeOptions { ranges_ignored, ..FakeOptions::default() };
        let (fake, blob, content) = seeded(options);
        fake.fail(FaultRule::on("GET", "/blobs/", Fault::Truncate).times(3));
        fake.fail(FaultRule::on("GET", "/blobs/", Fault::Reset));
        assert!(read_at(&fake, &blob, 0).await == content);
        assert_eq!(fake.pending_faults(), 0);
    }
    // What never gets on is given up.
    let (fake, blob, _) = seeded(FakeOptions { ranges_ignored: true, ..FakeOptions::default() });
    fake.fail(FaultRule::on("GET", "/blobs/", Fault::Truncate).always());
    let reader = store(&fake).open_blob(&blob).await.expect("opened").expect("there");
    let error = read(reader).await.expect_err("it never ends");
    assert!(error.to_string().contains("of 100000 bytes"), "{error}");
    assert_eq!(fake.requests().len(), 6);
}

#[tokio::test]
async fn edge_30_storage_is_shown_no_credentials_and_asked_for_anew_at_the_origin() {
    let storage = FakeOptions { authorization_refused: true, ..FakeOptions::default() };
    let (storage, blob, content) = seeded(storage);
    let options = FakeOptions {
        blob_storage: Some(format!("http://localhost:{}", storage.address().port())),
        ..super::budgets::bearer()
    };
    let (fake, ..) = seeded(options);
    assert!(read_at(&fake, &blob, 0).await == content);
    assert!(read_at(&fake, &blob, 60_000).await == content[60_000..]);

    // An URL that has expired by the time that the rest is asked for.
    fake.reset_counts();
    storage.reset_counts();
    storage.fail(FaultRule::on("GET", "/blobs/", Fault::Truncate));
    let expired = Answer::new(403).body("application/xml", "<Error>Request has expired</Error>");
    storage.fail(FaultRule::on("GET", "/blobs/", Fault::Answer(expired)).skip(1));
    assert!(read_at(&fake, &blob, 0).await == content);
    assert_eq!(storage.pending_faults(), 0);
    let asked = fake.count(|request| request.status == Some(307));
    assert_eq!(asked, 3, "at the origin each time");
    let mut urls: Vec<_> = storage.requests().into_iter().map(|request| request.path).collect();
    urls.dedup();
    assert_eq!(urls.len(), 3, "none is used twice");
}

#[tokio::test]
async fn another_size_than_promised_is_damage() {
    let (fake, blob, _) = seeded(FakeOptions::default());
    let larger = Descriptor { size: 100_001, ..blob.clone() };
    let error = store(&fake).open_blob(&larger).await.expect_err("its length says so");
    assert!(error.to_string().contains("it has 100000 bytes"), "{error}");
    assert!(!store(&fake).has_blob(&larger).await.expect("answered"));
    let error = store(&fake).open_blob_at(&larger, 5).await.expect_err("its range says so");
    assert!(error.to_string().contains("it has 100000 bytes"), "{error}");
}

#[tokio::test]
async fn edge_33_a_part_is_held_to_the_range_that_it_states() {
    let whole = content(10);
    let blob = blob(&whole);
    let part = |range: &str, from: usize| {
        let body = std::str::from_utf8(&whole[from..]).expect("ascii");
        Reply::new(206).with("content-range", range).body(body)
    };
    for (reply, expected) in [
        (part("bytes 4-9/10", 4), Ok(())),
        (part("bytes 4-9/*", 4), Ok(())),
        // Earlier than asked for: the beginning is left out.
        (part("bytes 2-9/10", 2), Ok(())),
        (part("bytes 5-9/10", 5), Err("from byte 4 on was asked for, 5 came")),
        (part("bytes 4-9/11", 4), Err("it has 11 bytes")),
        (part("4 to 9", 4), Err("does not say which")),
    ] {
        let script = Script::replies([reply]).await;
        let opened = script.web().open_blob_at(&blob, 4).await;
        assert_eq!(script.seen()[0].header("range"), Some("bytes=4-"));
        match (opened, expected) {
            (Ok(reader), Ok(())) => {
                assert_eq!(read(reader.expect("there")).await.expect("read"), &whole[4..]);
            }
            (Err(error), Err(problem)) => assert!(error.to_string().contains(problem), "{error}"),
            (opened, _) => panic!("{opened:?}"),
        }
    }
}
