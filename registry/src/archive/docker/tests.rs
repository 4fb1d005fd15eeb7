use std::error::Error as _;

use bytes::Bytes;
use proptest::prelude::*;

use super::fixture::{LAYERS, blob, config, hex, listed, manifest_of, manifest_text, new, old};
use super::*;
use crate::archive::fixture::{Fixture, archive, entry, file};
use crate::archive::index_tar;
use crate::layout::fixture::image as bare;
use crate::manifest::MediaType;

fn tag(text: &str) -> Tag {
    text.parse().expect("a tag")
}

fn by_tag(text: &str) -> Selector {
    Selector::Tag(tag(text))
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

fn open(fixture: &Fixture) -> DockerArchive {
    DockerArchive::open(fixture.path()).expect("an archive")
}

/// The three forms of one image give one manifest, and all its blobs.
#[tokio::test]
async fn an_image_is_read_from_every_form() {
    let expected = manifest_of(&config(&LAYERS), &LAYERS);
    let whole = manifest_text(&config(&LAYERS), &LAYERS);
    let bare = manifest_text(&config(&LAYERS), &[]);
    for entries in [
        old(),
        new(&whole, &listed(&whole)),
        // Engine 25, which left out the layers, or the image.
        new(&bare, &listed(&bare)),
        new(&whole, "null"),
    ] {
        let fixture = Fixture::of(&entries);
        let store = open(&fixture);
        assert!(store.tags().await.expect("read").contains(&tag("1.2.3")));
        let only = store.only_image().await.expect("one image");
        assert_eq!(only, Selector::Digest(expected.digest().clone()));
        for selector in [only, by_tag("1.2.3")] {
            let head = store.head(&selector).await.expect("read");
            assert_eq!(head.as_ref(), Some(expected.descriptor()));
            assert_eq!(store.get(&selector).await.expect("read"), Some(expected.clone()));
        }
        assert_eq!(store.get(&by_tag("2")).await.expect("read"), None);
        let config = config(&LAYERS);
        for content in LAYERS.into_iter().chain([&config[..]]) {
            let opened = store.open_blob_at(&blob(content), 2).await.expect("opened");
            assert_eq!(all(opened.expect("there")).await.expect("read"), content[2..]);
            assert!(store.has_blob(&blob(content)).await.expect("read"));
        }
        assert!(store.open_blob(&blob(b"other")).await.expect("read").is_none());
        assert!(!store.has_blob(&blob(b"other")).await.expect("read"));
    }
}

#[tokio::test]
async fn a_manifest_that_is_there_is_read_as_it_is() {
    // Other spacing, other types: bytes are sacred.
    let whole = manifest_text(&config(&LAYERS), &LAYERS).replace("layer.v1.tar", "layer.v1.tar+x ");
    let fixture = Fixture::of(&new(&whole, &listed(&whole)));
    let found = open(&fixture).get(&by_tag("1.2.3")).await.expect("read").expect("there");
    assert_eq!(found.bytes(), whole.as_bytes());
}

#[tokio::test]
async fn compressed_layers_are_known_by_their_start() {
    let layers: [&[u8]; 2] = [b"\x1f\x8b rest", b"\x28\xb5\x2f\xfd rest"];
    let config = config(&[b"one", b"two"]);
    let fixture = Fixture::of(&[
        file("c.json", &config),
        file("1.tar.gz", layers[0]),
        file("2", layers[1]),
        file("manifest.json", br#"[{"Config":"c.json","Layers":["1.tar.gz","2"]}]"#),
    ]);
    let store = open(&fixture);
    let only = store.only_image().await.expect("one image");
    let manifest = store.get(&only).await.expect("read").expect("there");
    let text = String::from_utf8(manifest.bytes().to_vec()).expect("text");
    assert!(text.contains("layer.v1.tar+gzip") && text.contains("layer.v1.tar+zstd"), "{text}");
}

#[tokio::test]
async fn several_images_need_a_tag() {
    let second = config(&[b"other"]);
    let mut entries = old();
    let list = r#"[{"Config":"CONFIG","RepoTags":["acme/api:2"],"Layers":["other.tar"]},"#;
    let list = list.replace("CONFIG", &format!("{}.json", hex(&second)));
    let saved = String::from_utf8(entries[4][512..].to_vec()).expect("text");
    let saved = saved.trim_end_matches('\0').strip_prefix('[').expect("a list").to_owned();
    entries[4] = file("manifest.json", (list + &saved).as_bytes());
    entries.push(file(&format!("{}.json", hex(&second)), &second));
    entries.push(file("other.tar", b"other"));
    let fixture = Fixture::of(&entries);
    let store = open(&fixture);
    assert_eq!(store.tags().await.expect("read").len(), 3);
    let error = store.only_image().await.expect_err("two images");
    let listed = "which has several: acme/api:2, acme/web:1.2.3, acme/web:latest";
    assert!(error.to_string().ends_with(listed), "{error}");
    assert!(error.remedy().is_some());
    let found = store.get(&by_tag("2")).await.expect("read");
    assert_eq!(found, Some(manifest_of(&second, &[b"other"])));
    entries[4] = file("manifest.json", saved_twice(&fixture).as_bytes());
    fixture.write(&archive(&entries));
    let error = store.get(&by_tag("2")).await.expect_err("ambiguous");
    assert_eq!(error.blame(), Blame::Conflict);
}

/// `manifest.json` with every tag made the same.
fn saved_twice(fixture: &Fixture) -> String {
    let bytes = fixture.bytes();
    let files = index_tar(&bytes).expect("legal");
    let (_, data) = files.iter().find(|(name, _)| name == "manifest.json").expect("there");
    let text = &bytes[data.start as usize..data.end as usize];
    String::from_utf8(text.to_vec()).expect("text").replace("1.2.3", "2")
}

#[tokio::test]
async fn damage_is_named() {
    let layer = |entries: &mut Vec<Vec<u8>>, at: usize, with: Vec<u8>| entries[at] = with;
    let a = "a".repeat(64);
    for (at, with, part) in [
        (1, file(&format!("{a}/layer.tar"), b"damaged"), "its content is sha256:"),
        (1, file("none", b""), "it is missing"),
        (1, entry(&format!("{a}/layer.tar"), b'5', "", b""), "read archive"),
        (1, entry(&format!("{a}/layer.tar"), b'2', "../../x", b""), "read archive"),
        (0, file(&format!("{}.json", "0".repeat(64)), b"{}"), "it is missing"),
        (0, file(&format!("{}.json", hex(&config(&LAYERS))), b"{}"), "its content is sha256:"),
    ] {
        let mut entries = old();
        // Where the entry of a layer stands alone, its link has nothing else to lead to.
        layer(&mut entries, at, with);
        let fixture = Fixture::of(&entries);
        let error = open(&fixture).get(&by_tag("1.2.3")).await.expect_err(part);
        assert!(error.to_string().contains(part), "{error} {:?}", error.source());
        assert!(error.remedy().is_some(), "{error}");
    }
    let few = config(&LAYERS[..2]);
    let name = format!("{}.json", hex(&few));
    let list = format!(r#"[{{"Config":"{name}","RepoTags":["a:1"],"Layers":[]}}]"#);
    let fixture = Fixture::of(&[file(&name, &few), file("manifest.json", list.as_bytes())]);
    let error = open(&fixture).get(&by_tag("1")).await.expect_err("too few");
    assert!(error.to_string().contains("it promises 2 layers, manifest.json lists 0"), "{error}");
}

#[test]
fn what_docker_did_not_save_is_refused_with_reason_and_remedy() {
    let layout = file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
    for (entries, part, remedy) in [
        (vec![], "it has no manifest.json", "docker save"),
        (vec![file("repositories", b"{}")], "before 1.10", "save it again"),
        (vec![layout, file("index.json", b"{}")], "an OCI layout", "oci-archive:"),
        (vec![file("manifest.json", b"{}")], "read manifest.json", "write the archive again"),
    ] {
        let fixture = Fixture::of(&entries);
        let error = DockerArchive::open(fixture.path()).expect_err(part);
        assert!(error.to_string().contains(part), "{error}");
        assert!(error.remedy().is_some_and(|text| text.contains(remedy)), "{:?}", error.remedy());
    }
    let fixture = Fixture::new();
    let error = DockerArchive::open(fixture.path()).expect_err("nothing there");
    assert_eq!(error.blame(), Blame::NotFound);
}

/// An archive with one image, under these tags.
async fn written(fixture: &Fixture, tags: &[&str]) -> (DockerArchive, Manifest) {
    let config = config(&LAYERS);
    let manifest = manifest_of(&config, &LAYERS);
    let store = DockerArchive::create(fixture.path()).expect("nothing there");
    for content in LAYERS.into_iter().chain([&config[..]]) {
        store.write_blob(&blob(content), reader(content)).await.expect("taken in");
    }
    for name in tags {
        store.put(&tag(name), &manifest).await.expect("written");
    }
    (store, manifest)
}

#[tokio::test]
async fn what_is_written_has_both_forms() {
    let fixture = Fixture::new();
    let (store, manifest) = written(&fixture, &["1.2.3", "latest"]).await;
    assert_eq!(store.get(&by_tag("latest")).await.expect("read"), Some(manifest.clone()));
    let contents = Contents::open(&fixture.path()).expect("read").expect("there");
    let text = contents.text("manifest.json").expect("read").expect("there");
    let layers = LAYERS.map(|layer| format!(r#""blobs/sha256/{}""#, hex(layer))).join(",");
    let expected = format!(
        r#"[{{"Config":"blobs/sha256/{}","Layers":[{layers}],"RepoTags":["web:1.2.3","web:latest"]}}]"#,
        hex(&config(&LAYERS))
    );
    assert_eq!(text, expected);
    let index = contents.text("index.json").expect("read").expect("there");
    for name in ["1.2.3", "latest"] {
        let image = format!(r#""io.containerd.image.name":"docker.io/library/web:{name}""#);
        assert!(index.contains(&image), "{index}");
    }
    let before = fixture.bytes();
    store.put(&tag("latest"), &manifest).await.expect("nothing to do");
    assert!(fixture.bytes() == before);
    // Read as a layout, it is the same image.
    let oci = crate::archive::OciArchive::open(fixture.path()).expect("a layout as well");
    assert_eq!(oci.get(&by_tag("1.2.3")).await.expect("read"), Some(manifest.clone()));
    store.untag(&tag("latest")).await.expect("removed");
    assert_eq!(store.tags().await.expect("read"), [tag("1.2.3")].into());
    let before = fixture.bytes();
    store.untag(&tag("latest")).await.expect("gone already");
    assert!(fixture.bytes() == before);
    assert_eq!(fixture.names(), ["web.tar"]);
}

#[tokio::test]
async fn a_tag_moves_to_another_image_and_leaves_no_name_behind() {
    let fixture = Fixture::new();
    let (store, old) = written(&fixture, &["1.2", "1"]).await;
    let store = store.named("ghcr.io/acme/web".parse().expect("a name"));
    let second = config(&[b"other"]);
    for content in [&b"other"[..], &second] {
        store.write_blob(&blob(content), reader(content)).await.expect("taken in");
    }
    let new = manifest_of(&second, &[b"other"]);
    store.put(&tag("1"), &new).await.expect("written");
    assert_eq!(store.get(&by_tag("1")).await.expect("read"), Some(new));
    assert_eq!(store.get(&by_tag("1.2")).await.expect("read"), Some(old));
    let contents = Contents::open(&fixture.path()).expect("read").expect("there");
    let text = contents.text("manifest.json").expect("read").expect("there");
    assert!(text.contains(r#"["web:1.2"]"#), "{text}");
    assert!(text.contains(r#"["ghcr.io/acme/web:1"]"#), "{text}");
}

#[tokio::test]
async fn an_archive_without_manifests_takes_tags_of_its_images_only() {
    let fixture = Fixture::of(&old());
    let store = open(&fixture);
    let manifest = store.get(&by_tag("1.2.3")).await.expect("read").expect("there");
    store.put(&tag("1.2"), &manifest).await.expect("written");
    assert_eq!(store.get(&by_tag("1.2")).await.expect("read"), Some(manifest.clone()));
    store.untag(&tag("latest")).await.expect("removed");
    assert_eq!(store.tags().await.expect("read"), [tag("1.2.3"), tag("1.2")].into());
    let kept = [&old()[..4], &old()[5..]].concat().concat();
    assert!(fixture.bytes().starts_with(&kept));
    let second = config(&[b"other"]);
    for content in [&b"other"[..], &second] {
        store.write_blob(&blob(content), reader(content)).await.expect("taken in");
    }
    let before = fixture.bytes();
    let other = manifest_of(&second, &[b"other"]);
    let error = store.put(&tag("2"), &other).await.expect_err("another image");
    assert_eq!(error.blame(), Blame::Unsupported);
    assert!(error.remedy().is_some_and(|remedy| remedy.contains("a new file")));
    assert!(fixture.bytes() == before);
}

#[tokio::test]
async fn what_docker_load_does_not_take_is_refused() {
    let fixture = Fixture::new();
    let store = DockerArchive::create(fixture.path()).expect("nothing there");
    let index = format!(r#"{{"mediaType":"{}","manifests":[]}}"#, MediaType::OCI_INDEX);
    let index = Manifest::received(Bytes::from(index), "", None).expect("an index");
    for error in [
        store.put(&tag("1"), &index).await.expect_err("an index"),
        store.put_manifest(&index).await.expect_err("an index"),
    ] {
        assert_eq!(error.blame(), Blame::Unsupported);
        let remedy = error.remedy().expect("something can be done");
        assert!(remedy.contains("--platform") && remedy.contains("oci-archive:"), "{remedy}");
    }
    let error = store.put(&tag("1"), &bare("artifact")).await.expect_err("no image");
    assert!(error.to_string().contains("is no image"), "{error}");
    let chart = manifest_text(b"{}", &[b"x"]).replace("image.config", "helm.config");
    let chart = Manifest::received(Bytes::from(chart), "", None).expect("a manifest");
    let error = store.put(&tag("1"), &chart).await.expect_err("no image");
    assert!(error.to_string().contains("its config is"), "{error}");
    let lacking = manifest_of(&config(&LAYERS), &LAYERS);
    let error = store.put(&tag("1"), &lacking).await.expect_err("no blobs");
    assert!(error.to_string().contains("it lacks the config sha256:"), "{error}");
    assert_eq!(fixture.names(), [""; 0]);
}

#[tokio::test]
async fn a_file_that_cannot_give_its_name_needs_one() {
    let fixture = Fixture::new();
    let path = fixture.path().with_file_name("_.tar");
    let store = DockerArchive::create(&path).expect("nothing there");
    let second = config(&[]);
    store.write_blob(&blob(&second), reader(&second)).await.expect("taken in");
    let manifest = manifest_of(&second, &[]);
    let error = store.put(&tag("1"), &manifest).await.expect_err("no name");
    assert!(error.to_string().contains("name the image"), "{error}");
    let store = store.named("web".parse().expect("a name"));
    store.put(&tag("1"), &manifest).await.expect("written");
    assert_eq!(store.only_image().await.expect("one").to_string(), manifest.digest().as_str());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_damaged_archive_gives_the_right_bytes_or_an_error(
        form in 0..3usize,
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1..=255u8), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let whole = manifest_text(&config(&LAYERS), &LAYERS);
        let bare = manifest_text(&config(&LAYERS), &[]);
        let entries = [old(), new(&whole, &listed(&whole)), new(&bare, &listed(&bare))];
        let mut bytes = archive(&entries[form]);
        for (at, bits) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= bits;
        }
        bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len())));
        let fixture = Fixture::new();
        fixture.write(&bytes);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let Ok(store) = DockerArchive::open(fixture.path()) else { return Ok(()) };
        let _ = runtime.block_on(store.tags());
        let _ = runtime.block_on(store.only_image());
        let expected = manifest_of(&config(&LAYERS), &LAYERS);
        let by_digest = Selector::Digest(expected.digest().clone());
        if let Ok(Some(found)) = runtime.block_on(store.get(&by_digest)) {
            prop_assert_eq!(found.bytes(), expected.bytes());
        }
        for content in LAYERS {
            if let Ok(Some(opened)) = runtime.block_on(store.open_blob(&blob(content))) {
                let verified = opened.verified(&blob(content)).expect("sha256");
                if let Ok(read) = runtime.block_on(all(verified)) {
                    prop_assert_eq!(read, content);
                }
            }
        }
    }
}
