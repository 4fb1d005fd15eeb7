//! Several destinations at once.

use std::sync::Arc;

use super::memory::{Faults, Memory};
use super::sample::{image, two_platforms};
use super::{assert_same, copy, layout, loaded, tag};
use crate::copy::{BlobOutcome, CopyOptions, Destination, ManifestOutcome, TagOutcome};

#[tokio::test]
async fn every_blob_is_read_once_for_all_destinations() {
    let sample = two_platforms();
    let source = loaded(&sample).await;
    let sinks: Vec<Memory> = (0..5).map(|_| Memory::new()).collect();
    let to: Vec<&dyn Destination> = sinks.iter().map(|sink| sink as _).collect();
    let (_, copied) = copy(&source, &to, &CopyOptions::default()).await.expect("copied");
    assert!(copied.failures.is_empty());
    assert_eq!((source.count("open"), source.count("get")), (4, 3));
    for sink in &sinks {
        assert_same(sink, &sample);
    }
}

#[tokio::test]
async fn a_destination_that_fails_on_the_way_stops_no_other_and_gets_no_tag() {
    let sample = two_platforms();
    let source = loaded(&sample).await;
    for refused in ["head app", "has", "write", "chunk 5", "commit", "put", "tag app"] {
        let (good, bad) = (Memory::new(), Memory::new());
        bad.refuse(refused);
        let to: [&dyn Destination; 2] = [&bad, &good];
        let (_, copied) = copy(&source, &to, &CopyOptions::default()).await.expect("read");
        assert_same(&good, &sample);
        assert_eq!(copied.failures.len(), 1, "{refused}");
        let [first, second] = &copied.report.destinations[..] else { panic!("two") };
        assert!(!first.complete && second.complete, "{refused}");
        let error = first.error.as_deref().expect("an error");
        assert!(error.starts_with("copy to dst/web0: ") && error.contains("refused"), "{error}");
        assert_eq!(bad.state().tags.len(), 0);
        let failed = first.blobs.iter().any(|it| matches!(it.outcome, BlobOutcome::Failed { .. }))
            || first
                .manifests
                .iter()
                .any(|it| matches!(it.outcome, ManifestOutcome::Failed { .. }))
            || first.tags.iter().any(|it| matches!(it.outcome, TagOutcome::Failed { .. }));
        assert_eq!(failed, !refused.starts_with("ha") && !refused.starts_with("he"), "{refused}");
        // It is said of every tag, and none is said to be written.
        assert!(first.tags.iter().all(|it| it.outcome != TagOutcome::Written));
    }
}

#[tokio::test]
async fn a_source_that_fails_on_the_way_is_read_on_from_there() {
    let sample = image(&["a layer that is read in several chunks"], "");
    let source = loaded(&sample).await;
    let sink = Memory::new();
    // Tags, manifest, referrers; two blobs of nine and eight chunks.
    source.use_faults(&Faults::new(10, false));
    let (_, copied) = copy(&source, &[&sink], &CopyOptions::default()).await.expect("copied");
    assert!(copied.failures.is_empty(), "{:?}", copied.failures);
    assert_same(&sink, &sample);
    let offsets = source.state().log.clone();
    assert!(offsets.iter().any(|line| line.starts_with("open") && !line.ends_with(" 0")));
}

#[tokio::test]
async fn a_layout_and_a_registry_get_the_same() {
    let sample = two_platforms();
    let source = loaded(&sample).await;
    let ((_dir, directory), memory) = (layout(), Memory::new());
    let to: [&dyn Destination; 2] = [&directory, &memory];
    let (_, copied) = copy(&source, &to, &CopyOptions::default()).await.expect("copied");
    assert!(copied.failures.is_empty());
    assert_same(&memory, &sample);
    let back = Memory::new();
    crate::store::Store::tags(&directory).await.expect("tags");
    let copier = crate::copy::Copier::new(&directory, "layout", CopyOptions::default());
    let tree = copier.read_tree(&tag("app").into()).await.expect("read");
    let goals = [super::goal(&back, "back", vec![tag("app")])];
    let states: Vec<_> =
        copier.look(&tree, &goals).await.into_iter().map(|sight| sight.state).collect();
    let plan = crate::plan_copy(&tree, &CopyOptions::default(), &states);
    assert!(copier.apply(&plan, &goals).await.failures.is_empty());
    assert_same(&back, &sample);
}

/// What waits for a slow destination is a chunk or two, whatever the size of the blob.
#[tokio::test]
async fn memory_is_bounded_by_chunks_and_not_by_blobs() {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;
    use futures_util::stream;

    use crate::blob::{BlobReader, BlobSource};
    use crate::manifest::Descriptor;
    use crate::store::StoreError;

    struct Counting(Arc<AtomicUsize>);

    #[async_trait::async_trait]
    impl BlobSource for Counting {
        async fn open_blob_at(
            &self,
            _: &Descriptor,
            _: u64,
        ) -> Result<Option<BlobReader>, StoreError> {
            let given = Arc::clone(&self.0);
            Ok(Some(BlobReader::new(stream::repeat_with(move || {
                given.fetch_add(1, Ordering::SeqCst);
                Ok(Bytes::from_static(b"chunk"))
            }))))
        }
    }

    let given = Arc::new(AtomicUsize::new(0));
    let source = Counting(Arc::clone(&given));
    let blob = super::sample::descriptor("x", b"");
    let (pump, mut readers) = crate::copy::split::split(&source, &blob, 3);
    let drive = async {
        // One reads ahead as far as it can, one is slow, one goes away.
        drop(readers.remove(2));
        for round in 1..=100 {
            for reader in &mut readers {
                reader.chunk().await.expect("read").expect("endless");
            }
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            assert!(given.load(Ordering::SeqCst) <= round + 2, "{round}");
        }
        drop(readers);
    };
    futures_util::future::join(pump, drive).await;
}
