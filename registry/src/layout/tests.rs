use std::collections::BTreeMap;
use std::error::Error as _;
use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::fixture::{Fixture, entry, image, manifest, named};
use super::*;

fn tag(text: &str) -> Tag {
    text.parse().expect("a tag")
}

fn by_tag(text: &str) -> Selector {
    Selector::Tag(tag(text))
}

fn by_digest(manifest: &Manifest) -> Selector {
    Selector::Digest(manifest.digest().clone())
}

#[tokio::test]
async fn an_image_is_read_by_tag_and_by_digest() {
    let (one, loose) = (image("one"), image("loose"));
    let fixture = Fixture::tagged(&[("1", &one), ("latest", &one)]);
    fixture.write_blob(&loose);
    let store: Box<dyn Store> = Box::new(fixture.open());
    assert_eq!(store.tags().await.expect("read"), [tag("1"), tag("latest")].into());
    for selector in [by_tag("1"), by_digest(&one)] {
        let head = store.head(&selector).await.expect("read");
        assert_eq!(head.as_ref(), Some(one.descriptor()));
        assert_eq!(store.get(&selector).await.expect("read"), Some(one.clone()));
    }
    // A child: in no entry, and its own body says what it is.
    let head = store.head(&by_digest(&loose)).await.expect("read");
    assert_eq!(head.as_ref(), Some(loose.descriptor()));
    for absent in [by_tag("2"), by_digest(&image("none"))] {
        assert_eq!(store.head(&absent).await.expect("read"), None);
        assert_eq!(store.get(&absent).await.expect("read"), None);
    }
}

#[tokio::test]
async fn a_tag_is_put_moved_and_removed() {
    let (one, two) = (image("one"), image("two"));
    let fixture = Fixture::new();
    let store = fixture.open();
    store.put(&tag("latest"), &one).await.expect("written");
    store.put(&tag("latest"), &two).await.expect("written");
    assert_eq!(store.get(&by_tag("latest")).await.expect("read"), Some(two.clone()));
    assert!(fixture.index().contains(one.digest().as_str()), "{}", fixture.index());
    store.untag(&tag("latest")).await.expect("removed");
    assert_eq!(store.tags().await.expect("read"), BTreeSet::new());
    assert_eq!(store.head(&by_digest(&two)).await.expect("read").as_ref(), Some(two.descriptor()));
    let before = fixture.index();
    store.untag(&tag("latest")).await.expect("gone already");
    assert_eq!(fixture.index(), before);
    assert_eq!(fixture.names(), ["blobs", "index.json", "oci-layout"]);
}

#[test]
fn a_manifest_without_a_media_type_is_known_by_its_shape() {
    let body = r#"{"schemaVersion":2,"config":{},"layers":[]}"#;
    let (old, config) = (manifest(body.to_owned()), manifest(r#"{"os":"linux"}"#.to_owned()));
    let fixture = Fixture::new();
    fixture.write_blob(&old);
    fixture.write_blob(&config);
    let layout = fixture.open();
    assert_eq!(layout.read_manifest(&by_digest(&old)).expect("read"), Some(old));
    let error = layout.read_manifest(&by_digest(&config)).expect_err("no manifest");
    assert_eq!(error.blame(), Blame::Registry);
}

#[test]
fn what_is_no_layout_is_refused_with_path_reason_and_remedy() {
    let open = |path: &Path| Layout::open(path).expect_err("no layout");
    let said = |error: &StoreError, part: &str| {
        let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
        let text = format!("{error}{source}");
        assert!(text.contains(part), "{text:?} does not say {part:?}");
        assert!(error.remedy().is_some(), "{text:?} has no remedy");
    };
    let fixture = Fixture::new();
    let missing = open(&fixture.path().join("missing"));
    assert_eq!(missing.blame(), Blame::NotFound);
    said(&missing, "missing: there is no such directory");
    said(&open(&fixture.path().join("index.json")), "index.json: it is no directory");
    fixture.write("index.json", "{\n  \"manifests\": [,]\n}");
    let malformed = open(fixture.path());
    said(&malformed, "index.json: expected value at line 2 column 17");
    assert_eq!(malformed.blame(), Blame::Local);
    fs::remove_file(fixture.path().join("index.json")).expect("removed");
    said(&open(fixture.path()), "it has no index.json");
    fixture.write("oci-layout", r#"{"imageLayoutVersion":"2.0.0"}"#);
    let newer = open(fixture.path());
    assert_eq!(newer.blame(), Blame::Unsupported);
    said(&newer, r#"it has version "2.0.0""#);
    fixture.write("oci-layout", "1.0.0");
    said(&open(fixture.path()), "at line 1 column");
    fs::remove_file(fixture.path().join("oci-layout")).expect("removed");
    said(&open(fixture.path()), "it has no oci-layout file");
}

#[test]
fn a_blob_that_is_not_what_the_index_promises_is_damage() {
    let one = image("one");
    let fixture = Fixture::tagged(&[("1", &one)]);
    let layout = fixture.open();
    let blob = layout.blob_path(one.digest());
    let damage = |part: &str| {
        let error = layout.read_manifest(&by_tag("1")).expect_err("damaged");
        assert_eq!(error.blame(), Blame::Registry);
        assert!(error.to_string().contains(&blob.display().to_string()), "{error}");
        assert!(error.to_string().contains(part), "{error}");
    };
    fs::write(&blob, "{}").expect("written");
    damage("it has 2 bytes");
    fs::write(&blob, " ".repeat(one.bytes().len())).expect("written");
    damage("");
    layout.write_tag(&tag("1"), &one).expect("written");
    assert_eq!(fs::read(&blob).expect("readable"), *one.bytes());
    fs::remove_file(&blob).expect("removed");
    damage("the file is missing; the layout is damaged");
    // Putting the manifest brings its bytes back, and leaves the index alone.
    let before = fixture.index();
    layout.write_tag(&tag("1"), &one).expect("written");
    assert_eq!(layout.read_manifest(&by_tag("1")).expect("read"), Some(one));
    assert_eq!(fixture.index(), before);
}

#[test]
fn a_tag_that_is_right_already_is_not_written() {
    let one = image("one");
    let fixture = Fixture::tagged(&[("1", &one)]);
    let modified = || {
        let path = fixture.path().join("index.json");
        let metadata = fs::metadata(path).expect("there");
        (metadata.modified().expect("a time"), fixture.index())
    };
    let before = modified();
    fixture.open().write_tag(&tag("1"), &one).expect("nothing to do");
    assert_eq!(modified(), before);
}

#[test]
fn an_ambiguous_tag_is_refused_until_it_is_removed() {
    let (one, two) = (image("one"), image("two"));
    let fixture = Fixture::tagged(&[("1", &one), ("1", &two)]);
    let layout = fixture.open();
    let errors = [
        layout.read_tags().expect_err("ambiguous"),
        layout.read_head(&by_tag("1")).expect_err("ambiguous"),
        layout.read_manifest(&by_tag("1")).expect_err("ambiguous"),
        layout.write_tag(&tag("1"), &one).expect_err("ambiguous"),
    ];
    for error in errors {
        assert_eq!(error.blame(), Blame::Conflict);
        assert!(error.remedy().is_some_and(|remedy| remedy.starts_with("untag 1")));
    }
    layout.remove_tag(&tag("1")).expect("removed");
    layout.write_tag(&tag("1"), &two).expect("written");
    assert_eq!(layout.read_head(&by_tag("1")).expect("read").as_ref(), Some(two.descriptor()));
}

/// Every thread opens the layout for itself: to the lock each of them is another process.
#[test]
fn concurrent_writers_of_different_tags_lose_nothing() {
    let fixture = Fixture::new();
    let expected: BTreeSet<Tag> =
        (0..6).flat_map(|w| (0..5).map(move |n| tag(&format!("{w}.{n}")))).collect();
    std::thread::scope(|scope| {
        for writer in 0..6 {
            let layout = fixture.open();
            scope.spawn(move || {
                for n in 0..5 {
                    let image = image(&format!("{}", n % 2));
                    layout.write_tag(&tag(&format!("{writer}.{n}")), &image).expect("written");
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..50 {
                fixture.open().read_tags().expect("whole at any time");
            }
        });
    });
    assert_eq!(fixture.open().read_tags().expect("read"), expected);
    assert_eq!(fixture.names(), ["blobs", "index.json", "oci-layout"]);
}

#[test]
fn what_an_interrupted_write_left_does_no_harm() {
    let one = image("one");
    let fixture = Fixture::tagged(&[("1", &one)]);
    fixture.write(".plimsoll-abcdef", "{\"manifests\": [{\"med");
    fixture.write("blobs/sha256/.plimsoll-abcdef", "{");
    let layout = fixture.open();
    layout.write_tag(&tag("2"), &image("two")).expect("written");
    assert_eq!(layout.read_tags().expect("read"), [tag("1"), tag("2")].into());
}

#[test]
fn a_write_that_fails_changes_nothing() {
    let one = image("one");
    let fixture = Fixture::tagged(&[("1", &one)]);
    let before = fixture.index();
    // A file where the directory of blobs should be.
    fs::remove_dir_all(fixture.path().join("blobs")).expect("removed");
    fixture.write("blobs", "");
    let error = fixture.open().write_tag(&tag("1"), &image("two")).expect_err("no directory");
    assert_eq!(error.blame(), Blame::Local);
    assert!(error.to_string().contains("blobs/sha256"), "{error}");
    assert_eq!(fixture.index(), before);
    assert_eq!(fixture.names(), ["blobs", "index.json", "oci-layout"]);
}

#[cfg(unix)]
#[test]
fn a_directory_that_may_not_be_written_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let (one, two) = (image("one"), image("two"));
    let fixture = Fixture::tagged(&[("1", &one), ("2", &two)]);
    let mode = |mode| fs::set_permissions(fixture.path(), fs::Permissions::from_mode(mode));
    mode(0o555).expect("changed");
    // Root may write anyway.
    let refused = fs::write(fixture.path().join("probe"), "").is_err();
    let written = fixture.open().write_tag(&tag("1"), &two);
    let same = fixture.open().write_tag(&tag("2"), &two);
    mode(0o755).expect("changed");
    same.expect("nothing to write");
    if refused {
        let error = written.expect_err("refused");
        assert_eq!(error.blame(), Blame::Local);
        assert!(error.to_string().contains("index.json"), "{error}");
        assert!(error.remedy().is_some());
    }
}

#[cfg(unix)]
#[test]
fn a_layout_may_be_reached_by_links() {
    let fixture = Fixture::tagged(&[("1", &image("one"))]);
    let link = fixture.path().join("nested/link");
    fs::create_dir(fixture.path().join("nested")).expect("made");
    std::os::unix::fs::symlink("..", &link).expect("linked");
    Layout::open(&link).expect("opens").write_tag(&tag("2"), &image("two")).expect("written");
    assert_eq!(fixture.open().read_tags().expect("read"), [tag("1"), tag("2")].into());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_sequence_of_writes_gives_the_expected_tags_and_touches_nothing_else(
        writes in prop::collection::vec((0..4usize, prop::option::of(0..3usize)), 0..12),
    ) {
        let names = ["1.2.3", "1.2", "1", "latest"];
        let images = ["a", "b", "c"].map(image);
        let untouched = [
            named(&image("x"), "edge"),
            named(&image("y"), "docker.io/acme/web:1"),
            entry(&image("z"), r#", "annotations" : {"n": "1"},"x": [1e400, 0.10, {"b":1,"a":2}]"#),
        ];
        let fixture = Fixture::new();
        fixture.write_index(&untouched);
        let layout = fixture.open();
        let mut expected = BTreeMap::from([(tag("edge"), image("x").digest().clone())]);
        let mut mentioned = BTreeSet::new();
        for (name, to) in writes {
            let name = tag(names[name]);
            if let Some(to) = to {
                layout.write_tag(&name, &images[to]).expect("written");
                mentioned.insert(images[to].digest().clone());
                expected.insert(name, images[to].digest().clone());
            } else {
                layout.remove_tag(&name).expect("removed");
                expected.remove(&name);
            }
            prop_assert_eq!(&layout.read_tags().expect("read"), &expected.keys().cloned().collect());
            for (name, digest) in &expected {
                let head = layout.read_head(&Selector::Tag(name.clone())).expect("read");
                prop_assert_eq!(head.map(|head| head.digest), Some(digest.clone()));
            }
            let index = fixture.index();
            let places: Vec<_> = untouched.iter().map(|entry| index.find(entry)).collect();
            prop_assert!(places.is_sorted() && places[0].is_some(), "{}", index);
            prop_assert!(mentioned.iter().all(|digest| index.contains(digest.as_str())));
        }
    }
}
