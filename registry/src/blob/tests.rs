use futures_util::stream;
use proptest::prelude::*;

use super::*;
use crate::digest::Digest;
use crate::layout::Layout;
use crate::manifest::MediaType;
use crate::store::Blame;

fn descriptor(content: &[u8]) -> Descriptor {
    let media_type = MediaType::new("application/octet-stream");
    Descriptor { media_type, digest: Digest::sha256(content), size: content.len() as u64 }
}

fn reader(chunks: Vec<Result<Bytes, StoreError>>) -> BlobReader {
    BlobReader::new(stream::iter(chunks))
}

async fn read(mut reader: BlobReader) -> Result<Vec<u8>, StoreError> {
    let mut all = Vec::new();
    while let Some(chunk) = reader.chunk().await? {
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

fn layout() -> (tempfile::TempDir, Layout) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let layout = Layout::create(dir.path().join("web")).expect("made");
    (dir, layout)
}

/// All files below the directory of blobs.
fn blob_files(layout: &Layout) -> usize {
    let directory = layout.path().join("blobs/sha256");
    std::fs::read_dir(directory).map_or(0, Iterator::count)
}

fn pieces(content: &[u8], size: usize) -> BlobReader {
    let chunk = |chunk: &[u8]| Ok(Bytes::copy_from_slice(chunk));
    reader(content.chunks(size).map(chunk).collect())
}

#[tokio::test]
async fn a_blob_is_written_once_and_read_from_any_offset() {
    let (_dir, layout) = layout();
    let content: Vec<u8> = (0..600_000u32).map(|n| (n % 251) as u8).collect();
    let blob = descriptor(&content);
    assert!(layout.open_blob(&blob).await.expect("read").is_none());
    assert!(!layout.has_blob(&blob).await.expect("read"));
    layout.write_blob(&blob, pieces(&content, 10_000)).await.expect("written");
    assert!(layout.has_blob(&blob).await.expect("read"));
    // It is there: the reader, which would fail, is not asked.
    let failing = reader(vec![Err(StoreError::new(Blame::Registry, "read"))]);
    layout.write_blob(&blob, failing).await.expect("nothing to do");
    for offset in [0, 1, 262_144, 599_999, 600_000] {
        let reader = layout.open_blob_at(&blob, offset).await.expect("opened").expect("there");
        assert!(read(reader).await.expect("read") == content[offset as usize..], "{offset}");
    }
    let error = layout.open_blob_at(&blob, 600_001).await.expect_err("behind the end");
    assert!(error.to_string().contains("behind its end"), "{error}");
    assert_eq!(blob_files(&layout), 1);
}

#[tokio::test]
async fn what_is_not_the_blob_leaves_nothing() {
    let (_dir, layout) = layout();
    let blob = descriptor(b"hello");
    let broken = StoreError::new(Blame::Registry, "read blob: connection reset");
    for (content, cause) in [
        (vec![Ok(Bytes::from_static(b"hell"))], "it ends after 4 of 5 bytes"),
        (vec![], "it ends after 0 of 5 bytes"),
        (vec![Ok(Bytes::from_static(b"hello!"))], "it is longer than its 5 bytes"),
        (vec![Ok(Bytes::from_static(b"hellO"))], "the content is sha256:"),
        (vec![Ok(Bytes::from_static(b"he")), Err(broken)], ""),
    ] {
        let error = layout.write_blob(&blob, reader(content)).await.expect_err("not the blob");
        let source = std::error::Error::source(&error).map(ToString::to_string);
        assert!(source.unwrap_or_default().starts_with(cause), "{error:?}");
        assert_eq!(blob_files(&layout), 0);
    }
    let unknown = Descriptor { digest: "acme:x".parse().expect("legal"), ..blob };
    let error = layout.write_blob(&unknown, pieces(b"hello", 5)).await.expect_err("unverifiable");
    assert_eq!(error.blame(), Blame::Unsupported);
}

#[tokio::test]
async fn a_writer_that_is_given_up_leaves_nothing() {
    let (_dir, layout) = layout();
    let blob = descriptor(b"hello");
    let stalled = BlobReader::new(
        stream::once(async { Ok(Bytes::from_static(b"he")) }).chain(stream::pending()),
    );
    let writing = layout.write_blob(&blob, stalled);
    tokio::time::timeout(std::time::Duration::from_millis(50), writing).await.expect_err("stalls");
    // The thread that wrote it notices by itself.
    for _ in 0..15_000 {
        if blob_files(&layout) == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    panic!("the temporary file is left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_writers_of_one_blob_are_safe() {
    let (_dir, layout) = layout();
    let content = vec![7; 100_000];
    let blob = descriptor(&content);
    let writers = (0..8).map(|n| {
        let (layout, blob, content) = (layout.clone(), blob.clone(), content.clone());
        tokio::spawn(async move { layout.write_blob(&blob, pieces(&content, 1000 + n)).await })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("ran").expect("written");
    }
    let reader = layout.open_blob(&blob).await.expect("opened").expect("there");
    assert!(read(reader).await.expect("read") == content);
    assert_eq!(blob_files(&layout), 1);
}

#[tokio::test]
async fn a_stored_blob_of_another_size_is_damage_and_is_replaced() {
    let (_dir, layout) = layout();
    let blob = descriptor(b"hello");
    layout.write_blob(&blob, pieces(b"hello", 2)).await.expect("written");
    std::fs::write(layout.blob_path(&blob.digest), "hell").expect("written");
    let error = layout.open_blob(&blob).await.expect_err("damaged");
    assert!(error.to_string().contains("it has 4 bytes"), "{error}");
    assert!(!layout.has_blob(&blob).await.expect("read"));
    layout.write_blob(&blob, pieces(b"hello", 2)).await.expect("written");
    assert_eq!(std::fs::read(layout.blob_path(&blob.digest)).expect("there"), b"hello");
}

#[tokio::test]
async fn a_manifest_without_a_tag_is_found_by_digest() {
    let (dir, layout) = layout();
    let image = crate::layout::fixture::image("child");
    layout.put_manifest(&image).await.expect("written");
    let selector = crate::reference::Selector::Digest(image.digest().clone());
    let stored = crate::store::Store::get(&layout, &selector).await.expect("read");
    assert_eq!(stored, Some(image));
    // Creating what is there opens it, and what is no layout is left alone.
    Layout::create(layout.path()).expect("a layout");
    Layout::create(dir.path()).expect_err("no layout, and not empty");
    Layout::create(layout.path().join("index.json")).expect_err("a file");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_verified_reader_gives_the_content_or_an_error_before_its_end(
        content in prop::collection::vec(any::<u8>(), 0..200),
        sizes in prop::collection::vec(0..60usize, 1..10),
        flip in prop::option::of(any::<(prop::sample::Index, u8)>()),
    ) {
        let blob = descriptor(&content);
        let mut sent = content.clone();
        if let (Some((at, bits)), false) = (flip, sent.is_empty()) {
            let at = at.index(sent.len());
            sent[at] ^= bits;
        }
        let mut rest = &sent[..];
        let mut chunks = Vec::new();
        for size in sizes.into_iter().chain([usize::MAX]) {
            let (chunk, after) = rest.split_at(size.min(rest.len()));
            chunks.push(Ok(Bytes::copy_from_slice(chunk)));
            rest = after;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let mut verified = reader(chunks).verified(&blob).expect("sha256");
        let mut seen = Vec::new();
        let ended = loop {
            match runtime.block_on(verified.chunk()) {
                Ok(Some(chunk)) => seen.extend_from_slice(&chunk),
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        prop_assert_eq!(ended, sent == content);
        let right = if ended { seen == content } else { seen.len() < content.len() };
        prop_assert!(right);
    }
}
