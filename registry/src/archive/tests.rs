use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;

use bytes::Bytes;
use proptest::prelude::*;

use super::fixture::{Fixture, archive, entry, file};
use super::*;
use crate::blob::{BlobReader, BlobSink as _, BlobSource as _};
use crate::digest::Digest;
use crate::layout::fixture::{image, named};
use crate::manifest::{Descriptor, Manifest, MediaType};
use crate::reference::Selector;
use crate::store::{Blame, Store as _, StoreError};
use crate::tag::Tag;

fn tag(text: &str) -> Tag {
    text.parse().expect("a tag")
}

fn by_tag(text: &str) -> Selector {
    Selector::Tag(tag(text))
}

fn by_digest(manifest: &Manifest) -> Selector {
    Selector::Digest(manifest.digest().clone())
}

fn blob(content: &[u8]) -> Descriptor {
    let media_type = MediaType::new("application/vnd.oci.image.layer.v1.tar");
    Descriptor { media_type, digest: Digest::sha256(content), size: content.len() as u64 }
}

async fn all(mut reader: BlobReader) -> Result<Vec<u8>, StoreError> {
    let mut all = Vec::new();
    while let Some(chunk) = reader.chunk().await? {
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

fn reader(content: &[u8]) -> BlobReader {
    BlobReader::from(Bytes::copy_from_slice(content))
}

fn blob_entry(content: &[u8]) -> Vec<u8> {
    file(&format!("blobs/sha256/{}", Digest::sha256(content).encoded()), content)
}

/// The entries of an archive with these images, as skopeo writes them.
fn entries(images: &[(&str, &Manifest)]) -> Vec<Vec<u8>> {
    let index: Vec<String> = images.iter().map(|(tag, image)| named(image, tag)).collect();
    let index = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, index.join(","));
    let mut entries = vec![entry("blobs/", b'5', "", b""), entry("blobs/sha256", b'5', "", b"")];
    let digests: BTreeSet<&Digest> = images.iter().map(|(_, image)| image.digest()).collect();
    for digest in digests {
        let image = images.iter().find(|(_, image)| image.digest() == digest).expect("one of them");
        entries.push(blob_entry(image.1.bytes()));
    }
    entries.push(file("index.json", index.as_bytes()));
    entries.push(file("oci-layout", br#"{"imageLayoutVersion": "1.0.0"}"#));
    entries
}

fn open(fixture: &Fixture) -> OciArchive {
    OciArchive::open(fixture.path()).expect("an archive")
}

#[tokio::test]
async fn an_archive_is_read_by_tag_and_by_digest() {
    let (one, loose) = (image("one"), image("loose"));
    let mut entries = entries(&[("1", &one), ("latest", &one)]);
    entries.push(blob_entry(loose.bytes()));
    let fixture = Fixture::of(&entries);
    let store = open(&fixture);
    assert_eq!(store.tags().await.expect("read"), [tag("1"), tag("latest")].into());
    for selector in [by_tag("1"), by_digest(&one), store.only_image().await.expect("one image")] {
        let head = store.head(&selector).await.expect("read");
        assert_eq!(head.as_ref(), Some(one.descriptor()));
        assert_eq!(store.get(&selector).await.expect("read"), Some(one.clone()));
    }
    let head = store.head(&by_digest(&loose)).await.expect("read");
    assert_eq!(head.as_ref(), Some(loose.descriptor()));
    for absent in [by_tag("2"), by_digest(&image("none"))] {
        assert_eq!(store.get(&absent).await.expect("read"), None);
    }
    let opened = store.open_blob_at(one.descriptor(), 3).await.expect("opened").expect("there");
    assert_eq!(all(opened).await.expect("read"), one.bytes()[3..]);
    assert!(store.open_blob(&blob(b"none")).await.expect("read").is_none());
}

#[tokio::test]
async fn a_new_archive_appears_whole_with_its_first_tag() {
    let fixture = Fixture::new();
    OciArchive::open(fixture.path()).expect_err("nothing there");
    let store = OciArchive::create(fixture.path()).expect("nothing there");
    assert_eq!(store.tags().await.expect("none"), BTreeSet::new());
    store.flush().await.expect("nothing to write");
    store.untag(&tag("1")).await.expect("nothing to remove");
    let (one, child) = (image("one"), image("child"));
    let layer = vec![7; 300_000];
    store.write_blob(&blob(&layer), reader(&layer)).await.expect("taken in");
    store.write_blob(&blob(b""), reader(b"")).await.expect("taken in");
    store.put_manifest(&child).await.expect("taken in");
    assert!(store.has_blob(&blob(&layer)).await.expect("known"));
    let staged = store.open_blob_at(&blob(&layer), 5).await.expect("opened").expect("taken in");
    assert_eq!(all(staged).await.expect("read").len(), 299_995);
    assert!(!fixture.path().exists());
    store.put(&tag("1.2.3"), &one).await.expect("written");
    assert_eq!(fixture.names(), ["web.tar"]);
    let again = open(&fixture);
    assert_eq!(again.get(&by_tag("1.2.3")).await.expect("read"), Some(one));
    assert_eq!(again.get(&by_digest(&child)).await.expect("read"), Some(child));
    for content in [&layer[..], b""] {
        let opened = again.open_blob(&blob(content)).await.expect("opened").expect("there");
        assert!(all(opened).await.expect("read") == content);
    }
    assert!(again.has_blob(&blob(&layer)).await.expect("read"));
    // The same steps give the same bytes.
    let other = Fixture::new();
    let store = OciArchive::create(other.path()).expect("nothing there");
    store.write_blob(&blob(&layer), reader(&layer)).await.expect("taken in");
    store.write_blob(&blob(b""), reader(b"")).await.expect("taken in");
    store.put_manifest(&image("child")).await.expect("taken in");
    store.put(&tag("1.2.3"), &image("one")).await.expect("written");
    assert!(fixture.bytes() == other.bytes());
}

#[tokio::test]
async fn what_waits_for_a_tag_goes_with_the_store_or_is_flushed() {
    let fixture = Fixture::new();
    let store = OciArchive::create(fixture.path()).expect("nothing there");
    store.put_manifest(&image("one")).await.expect("taken in");
    assert_eq!(fixture.names().len(), 1);
    drop(store);
    assert_eq!(fixture.names(), [""; 0]);
    let store = OciArchive::create(fixture.path()).expect("nothing there");
    store.put_manifest(&image("one")).await.expect("taken in");
    store.flush().await.expect("written");
    assert_eq!(fixture.names(), ["web.tar"]);
    let found = open(&fixture).get(&by_digest(&image("one"))).await.expect("read");
    assert_eq!(found, Some(image("one")));
}

#[tokio::test]
async fn a_wrong_blob_leaves_nothing_and_harms_no_other() {
    let fixture = Fixture::new();
    let store = OciArchive::create(fixture.path()).expect("nothing there");
    let right = vec![1; 70_000];
    let wrong = Descriptor { size: 5, ..blob(b"other") };
    let error = store.write_blob(&wrong, reader(b"wrong")).await.expect_err("wrong content");
    assert_eq!(error.blame(), Blame::Registry);
    store.write_blob(&wrong, reader(b"too long")).await.expect_err("too long");
    store.write_blob(&blob(&right), reader(&right)).await.expect("taken in");
    store.write_blob(&wrong, reader(b"no")).await.expect_err("too short");
    assert!(!store.has_blob(&wrong).await.expect("known"));
    store.put(&tag("1"), &image("one")).await.expect("written");
    let names: Vec<String> =
        index_tar(&fixture.bytes()).expect("whole").into_iter().map(|(name, _)| name).collect();
    let blob_name = |digest: &Digest| format!("blobs/sha256/{}", digest.encoded());
    assert_eq!(
        names,
        [
            &blob_name(&blob(&right).digest),
            &blob_name(image("one").digest()),
            "oci-layout",
            "index.json"
        ]
    );
}

#[tokio::test]
async fn retagging_keeps_everything_else() {
    let (one, two) = (image("one"), image("two"));
    let mut list = entries(&[("1", &one), ("2", &two)]);
    list.insert(1, entry("notes/pipe", b'6', "", b""));
    list.insert(2, entry("notes/link", b'2', "../index.json", b""));
    list.push(file("README", b"kept"));
    let fixture = Fixture::of(&list);
    let before = fixture.bytes();
    let store = open(&fixture);
    store.put(&tag("1"), &one).await.expect("nothing to do");
    assert!(fixture.bytes() == before);
    store.put(&tag("latest"), &two).await.expect("written");
    let index = list.iter().position(|entry| entry.starts_with(b"index.json")).expect("there");
    let kept = [&list[..index], &list[index + 1..]].concat().concat();
    assert!(fixture.bytes().starts_with(&kept));
    assert_eq!(store.get(&by_tag("latest")).await.expect("read"), Some(two.clone()));
    store.untag(&tag("2")).await.expect("removed");
    assert_eq!(store.tags().await.expect("read"), [tag("1"), tag("latest")].into());
    assert!(fixture.bytes().starts_with(&kept));
    let before = fixture.bytes();
    store.untag(&tag("2")).await.expect("gone already");
    assert!(fixture.bytes() == before);
    let error = store.only_image().await.expect_err("two images");
    assert!(error.to_string().ends_with("which has several: 1, latest"), "{error}");
    assert_eq!(fixture.names(), ["web.tar"]);
}

#[test]
fn concurrent_writers_lose_nothing() {
    let fixture = Fixture::new();
    std::thread::scope(|scope| {
        for writer in 0..5 {
            let path = fixture.path();
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().expect("one");
                // Every thread opens it for itself: to the lock each of them is a process.
                let store = OciArchive::create(path).expect("an archive or nothing");
                for n in 0..4 {
                    let content = format!("layer {n}").into_bytes();
                    let written = async {
                        store.write_blob(&blob(&content), reader(&content)).await?;
                        store.put(&tag(&format!("{writer}.{n}")), &image(&format!("{n}"))).await
                    };
                    runtime.block_on(written).expect("written");
                }
            });
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let tags = runtime.block_on(open(&fixture).tags()).expect("read");
    assert_eq!(tags, (0..5).flat_map(|w| (0..4).map(move |n| tag(&format!("{w}.{n}")))).collect());
    let files = index_tar(&fixture.bytes()).expect("whole");
    assert_eq!(files.len(), 4 + 4 + 2);
    assert_eq!(fixture.names(), ["web.tar"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blobs_are_written_at_once() {
    let fixture = Fixture::new();
    let store = OciArchive::create(fixture.path()).expect("nothing there");
    let contents: Vec<Vec<u8>> = (0..8u8).map(|n| vec![n; 50_000 + usize::from(n)]).collect();
    let writers: Vec<_> = contents
        .iter()
        .flat_map(|content| [content, content])
        .map(|content| {
            let (store, content) = (store.clone(), content.clone());
            tokio::spawn(async move { store.write_blob(&blob(&content), reader(&content)).await })
        })
        .collect();
    for writer in writers {
        writer.await.expect("ran").expect("taken in");
    }
    store.put(&tag("1"), &image("one")).await.expect("written");
    for content in contents {
        let opened = store.open_blob(&blob(&content)).await.expect("opened").expect("there");
        assert!(all(opened).await.expect("read") == content);
    }
}

#[test]
fn what_is_no_archive_of_a_layout_is_refused_with_reason_and_remedy() {
    let said = |fixture: &Fixture, blame: Blame, part: &str| {
        let error = OciArchive::open(fixture.path()).expect_err(part);
        let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
        let text = format!("{error}{source}");
        assert!(text.contains(part), "{text:?} does not say {part:?}");
        assert!(text.contains("web.tar"), "{text:?} does not name the file");
        assert_eq!(error.blame(), blame, "{text}");
        assert!(error.remedy().is_some(), "{text:?} has no remedy");
    };
    let fixture = Fixture::new();
    said(&fixture, Blame::NotFound, "there is no such file");
    fixture.write(b"\x1f\x8b\x08");
    said(&fixture, Blame::Unsupported, "it is compressed with gzip");
    fixture.write(&[b'x'; 600]);
    said(&fixture, Blame::Local, "it is no tar file");
    let layout = file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
    for (entries, blame, part) in [
        (vec![], Blame::Local, "it has no oci-layout file"),
        (vec![file("manifest.json", b"[]")], Blame::Local, "as docker save writes it"),
        (vec![file("oci-layout", b"1")], Blame::Local, "read oci-layout"),
        (
            vec![file("oci-layout", br#"{"imageLayoutVersion":"2"}"#)],
            Blame::Unsupported,
            "version \"2\"",
        ),
        (vec![layout.clone()], Blame::Local, "it has no index.json"),
        (vec![layout.clone(), file("index.json", b"[")], Blame::Local, "at line 1 column"),
        (
            vec![layout.clone(), entry("index.json", b'2', "x", b"")],
            Blame::Local,
            "a symbolic link",
        ),
        (vec![layout.clone(), layout.clone()], Blame::Local, "is there twice"),
        (vec![file("../oci-layout", b"")], Blame::Local, "has an illegal name"),
    ] {
        fixture.write(&archive(&entries));
        said(&fixture, blame, part);
    }
    let truncated = archive(&entries(&[("1", &image("one"))]));
    fixture.write(&truncated[..truncated.len() - 1025]);
    said(&fixture, Blame::Local, "it is cut off");
}

#[tokio::test]
async fn a_blob_that_is_not_what_the_index_promises_is_damage() {
    let one = image("one");
    let list = entries(&[("1", &one)]);
    let damage = async |entries: &[Vec<u8>], part: &str| {
        let fixture = Fixture::of(entries);
        let error = open(&fixture).get(&by_tag("1")).await.expect_err(part);
        assert_eq!(error.blame(), Blame::Registry);
        assert!(error.to_string().contains(part), "{error}");
        // Putting it again brings it back.
        open(&fixture).put(&tag("1"), &one).await.expect("written");
        assert_eq!(open(&fixture).get(&by_tag("1")).await.expect("read"), Some(one.clone()));
    };
    let name = format!("blobs/sha256/{}", one.digest().encoded());
    damage(&[&list[..2], &list[3..]].concat(), "it is missing").await;
    damage(&[&list[..2], &[file(&name, b"{}")], &list[3..]].concat(), "it has 2 bytes").await;
    let one = image("one");
    let spaces = file(&name, " ".repeat(one.bytes().len()).as_bytes());
    let fixture = Fixture::of(&[&list[..2], &[spaces], &list[3..]].concat());
    let error = open(&fixture).get(&by_tag("1")).await.expect_err("other content");
    assert!(error.source().is_some_and(|source| source.to_string().contains("not the one asked")));
    open(&fixture).put(&tag("1"), &one).await.expect("written");
    assert_eq!(open(&fixture).get(&by_tag("1")).await.expect("read"), Some(one));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_damaged_archive_gives_the_right_bytes_or_an_error(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1..=255u8), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let (one, two) = (image("one"), image("two"));
        let images = BTreeMap::from([("1", &one), ("2", &two)]);
        let mut bytes = archive(&entries(&[("1", &one), ("2", &two)]));
        for (at, bits) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= bits;
        }
        bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len())));
        let fixture = Fixture::new();
        fixture.write(&bytes);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let Ok(store) = OciArchive::open(fixture.path()) else { return Ok(()) };
        let _ = runtime.block_on(store.tags());
        for image in images.values() {
            let found = runtime.block_on(store.get(&by_digest(image)));
            if let Ok(Some(found)) = found {
                prop_assert_eq!(found.bytes(), image.bytes());
            }
            if let Ok(Some(opened)) = runtime.block_on(store.open_blob(image.descriptor())) {
                let verified = opened.verified(image.descriptor()).expect("sha256");
                if let Ok(content) = runtime.block_on(all(verified)) {
                    prop_assert_eq!(content, image.bytes().to_vec());
                }
            }
        }
        // A tag is put, and can be read, or nothing has changed.
        match runtime.block_on(store.put(&tag("new"), &one)) {
            Ok(()) => {
                let found = runtime.block_on(store.get(&by_tag("new"))).expect("read");
                prop_assert_eq!(found.as_ref(), Some(&one));
            }
            Err(_) => prop_assert!(fixture.bytes() == bytes),
        }
    }
}
