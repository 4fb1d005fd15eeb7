use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::layout::Layout;
use crate::layout::fixture;
use crate::reference::Selector;
use crate::store::Store;

/// A manifest about `subject`.
pub(crate) fn signature(subject: &Manifest, name: &str) -> Manifest {
    let body = json!({
        "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST,
        "artifactType": "application/vnd.acme.signature", "annotations": { "by": name },
        "config": { "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": Digest::sha256(b"{}"), "size": 2 },
        "layers": [], "subject": subject.descriptor(),
    });
    Manifest::received(Bytes::from(body.to_string()), MediaType::OCI_MANIFEST, None).expect("typed")
}

pub(crate) fn names(referrers: &[Referrer]) -> Vec<&str> {
    let mut names: Vec<_> =
        referrers.iter().map(|referrer| referrer.annotations["by"].as_str()).collect();
    names.sort_unstable();
    names
}

#[test]
fn edge_40_an_entry_says_what_the_referrer_is() {
    let subject = fixture::image("subject");
    let signature = signature(&subject, "ann");
    let reference = Reference::of(&signature).expect("it refers to something");
    assert_eq!(reference.subject, *subject.digest());
    let referrer = reference.referrer().expect("an entry");
    assert_eq!(referrer.descriptor, *signature.descriptor());
    assert_eq!(referrer.artifact_type.as_deref(), Some("application/vnd.acme.signature"));
    assert_eq!(referrer.annotations["by"], "ann");
    assert!(Reference::of(&subject).is_none());
    let error = Reference::required(&subject).err().expect("it refers to nothing");
    assert!(error.to_string().contains("names none"), "{error}");
}

#[test]
fn edge_40_only_an_index_is_an_index() {
    let index = |text: &str| read(text.as_bytes());
    assert_eq!(index(r#"{"schemaVersion":2,"manifests":[]}"#), Some(Vec::new()));
    assert_eq!(index(r#"{"schemaVersion":2,"manifests":null}"#), Some(Vec::new()));
    for other in ["", "{}", "<html>", r#"{"schemaVersion":2,"mediaType":"x","manifests":[]}"#] {
        assert_eq!(index(other), None, "{other}");
    }
}

#[test]
fn edge_40_the_tag_is_the_digest_in_the_alphabet_of_tags() {
    let sha256 = Digest::sha256(b"");
    assert_eq!(fallback::tag(&sha256).as_str(), format!("sha256-{}", sha256.encoded()));
    let sha512 = Digest::sha512(b"");
    assert_eq!(fallback::tag(&sha512).as_str(), format!("sha512-{}", &sha512.encoded()[..64]));
    let odd: Digest = "a+b:x=y".parse().expect("legal");
    assert_eq!(fallback::tag(&odd).as_str(), "a-b-x-y");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edge_40_a_layout_keeps_what_many_add_at_once() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let layout = Layout::create(directory.path().join("web")).expect("made");
    let subject = fixture::image("subject");
    layout.put(&"1.2.3".parse().expect("a tag"), &subject).await.expect("written");
    assert!(layout.referrers(subject.digest()).await.expect("read").is_empty());
    let adding = ["ann", "bob", "cid", "dan"].map(|name| {
        let (layout, signature) = (layout.clone(), signature(&subject, name));
        tokio::spawn(async move { layout.add_referrer(&signature).await })
    });
    for added in adding {
        added.await.expect("ran").expect("added");
    }
    let referrers = layout.referrers(subject.digest()).await.expect("read");
    assert_eq!(names(&referrers), ["ann", "bob", "cid", "dan"]);

    // Other tools list them in the index itself: they are found there, and only once.
    let eve = signature(&subject, "eve");
    layout.put(&"eve".parse().expect("a tag"), &eve).await.expect("written");
    let bob = signature(&subject, "bob");
    layout.put(&"bob".parse().expect("a tag"), &bob).await.expect("written");
    let referrers = layout.referrers(subject.digest()).await.expect("read");
    assert_eq!(names(&referrers), ["ann", "bob", "cid", "dan", "eve"]);
    let selector = Selector::Digest(bob.digest().clone());
    assert_eq!(layout.get(&selector).await.expect("read"), Some(bob));
}

#[tokio::test]
async fn edge_40_a_tag_that_holds_something_else_is_left_alone() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let layout = Layout::create(directory.path().join("web")).expect("made");
    let subject = fixture::image("subject");
    let tag = fallback::tag(subject.digest());
    // The subject itself counts for nothing.
    layout.put(&tag, &subject).await.expect("written");
    assert!(layout.referrers(subject.digest()).await.expect("read").is_empty());
    let image = signature(&fixture::image("other"), "ann");
    layout.put(&tag, &image).await.expect("written");
    let error = layout.add_referrer(&signature(&subject, "bob")).await.expect_err("occupied");
    assert_eq!(error.blame(), Blame::Conflict);
    assert!(layout.referrers(subject.digest()).await.expect("read").is_empty());
}
