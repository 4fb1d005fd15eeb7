//! What is attached to images.

use super::memory::Memory;
use super::sample::{Sample, attached, image, index, json, two_platforms};
use super::{copy, loaded, tag};
use crate::copy::{CopyOptions, LeftOutReason, TagKept, TagOutcome};
use crate::manifest::MediaType;
use crate::referrers::Referrers as _;
use crate::store::Store as _;

/// Signed itself, with a signed signature and a child with a bill of materials.
pub(super) struct Signed {
    pub(super) image: Sample,
    pub(super) all: Vec<Sample>,
    pub(super) cosign: Sample,
}

pub(super) fn signed() -> Signed {
    let image = two_platforms();
    let signature = attached(image.root(), "signature");
    let countersignature = attached(signature.root(), "countersignature");
    let sbom = attached(&image.manifests[0], "bill of materials");
    let cosign = super::image(&["cosign signature"], "");
    Signed { image, all: vec![signature, countersignature, sbom], cosign }
}

impl Signed {
    pub(super) async fn load(&self, store: &Memory) {
        self.image.load(store, Some("1")).await;
        for sample in &self.all {
            sample.load(store, None).await;
        }
        self.cosign.load(store, Some(&self.cosign_tag())).await;
        image(&["of something else"], "")
            .load(store, Some(&format!("sha256-{}.sig", "0".repeat(64))))
            .await;
        store.state().log.clear();
    }

    pub(super) fn cosign_tag(&self) -> String {
        format!("sha256-{}.sig", self.image.digest().encoded())
    }
}

#[tokio::test]
async fn edge_40_what_is_attached_follows_before_the_tag() {
    let signed = signed();
    let (source, sink) = (Memory::new(), Memory::new());
    signed.load(&source).await;
    let (plan, copied) = copy(&source, &[&sink], &CopyOptions::default()).await.expect("copied");
    assert!(copied.failures.is_empty(), "{:?}", copied.failures);
    for sample in signed.all.iter().chain([&signed.image, &signed.cosign]) {
        for manifest in &sample.manifests {
            assert_eq!(sink.state().manifests.get(manifest.digest()), Some(manifest));
        }
    }
    let tags: Vec<_> = sink.tags().await.expect("tags").into_iter().collect();
    assert_eq!(tags, [tag("app"), tag(&signed.cosign_tag())]);
    let log = sink.state().log.clone();
    let at = |line: String| log.iter().position(|own| *own == line).expect("written");
    let put = |sample: &Sample| at(format!("put {}", sample.digest()));
    assert!(put(&signed.image) < put(&signed.all[0]));
    assert!(put(&signed.all[0]) < put(&signed.all[1]));
    assert!(put(&signed.all[1]) < at(format!("tag {}", signed.cosign_tag())));
    assert!(at(format!("tag {}", signed.cosign_tag())) < at("tag app".to_owned()));
    assert_eq!(plan.tree.manifests.len(), 3 + 3 + 1);
    // Again: nothing. A signature more: that one and no other.
    let (plan, _) = copy(&source, &[&sink], &CopyOptions::default()).await.expect("copied");
    assert!(plan.is_empty());
    attached(signed.image.root(), "later").load(&source, None).await;
    let (plan, _) = copy(&source, &[&sink], &CopyOptions::default()).await.expect("copied");
    assert_eq!(plan.destinations[0].to_copy.count, 2);
    assert_eq!(sink.referrers(signed.image.digest()).await.expect("listed").len(), 2);
}

#[tokio::test]
async fn without_referrers_nothing_of_them_is_asked() {
    let signed = signed();
    let (source, sink) = (Memory::new(), Memory::new());
    signed.load(&source).await;
    let options = CopyOptions { referrers: false, ..CopyOptions::default() };
    let _ = copy(&source, &[&sink], &options).await.expect("copied");
    super::assert_same(&sink, &signed.image);
    assert_eq!((source.count("list"), source.count("referrers")), (0, 0));
    assert_eq!(sink.count("referrers"), 0);
}

#[tokio::test]
async fn signatures_that_the_destination_has_for_its_own_are_kept_unless_forced() {
    let signed = signed();
    let (source, sink) = (Memory::new(), Memory::new());
    signed.load(&source).await;
    let own = image(&["own signature"], "");
    own.load(&sink, Some(&signed.cosign_tag())).await;
    let (plan, copied) = copy(&source, &[&sink], &CopyOptions::default()).await.expect("copied");
    let report = &copied.report.destinations[0];
    assert!(report.complete);
    let kept = report.tags.iter().find(|own| own.tag == tag(&signed.cosign_tag()));
    let outcome = &kept.expect("reported").outcome;
    assert!(matches!(outcome, TagOutcome::Kept { reason: TagKept::Differs { .. } }), "{outcome:?}");
    assert!(!sink.state().manifests.contains_key(signed.cosign.digest()));
    assert_eq!(plan.destinations[0].to_copy.count, 4 + 6);
    let options = CopyOptions { force: true, ..CopyOptions::default() };
    let _ = copy(&source, &[&sink], &options).await.expect("copied");
    assert_eq!(sink.state().tags[&tag(&signed.cosign_tag())], *signed.cosign.digest());
}

/// A store that knows nothing of referrers: what the tag lists is believed only as far as it is
/// true.
#[tokio::test]
async fn edge_40_the_fallback_tag_is_an_index_and_lists_what_says_so_itself() {
    let (_dir, source) = super::layout();
    let base = image(&["base"], "");
    base.load(&source, Some("1")).await;
    let signature = attached(base.root(), "signature");
    let stranger = image(&["stranger"], "");
    signature.load(&source, None).await;
    stranger.load(&source, None).await;
    let gone = image(&["gone"], "");
    let entries = [&signature, &stranger, &gone].map(|it| json(it.root().descriptor(), ""));
    let body = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{}]}}"#,
        MediaType::OCI_INDEX,
        entries.join(",")
    );
    let list = super::sample::manifest(&body, MediaType::OCI_INDEX);
    let name = tag(&format!("sha256-{}", base.digest().encoded()));
    source.put(&name, &list).await.expect("written");
    let sink = Memory::new();
    let (plan, copied) = copy(&source, &[&sink], &CopyOptions::default()).await.expect("copied");
    assert!(copied.report.destinations[0].complete);
    assert_eq!(sink.state().manifests.len(), 2);
    let reasons: Vec<_> = plan.tree.left_out.iter().map(|left| left.reason).collect();
    assert_eq!(reasons, [LeftOutReason::NotAttached, LeftOutReason::Gone]);
    // The subject itself under that name, as some registries show it.
    source.put(&name, base.root()).await.expect("written");
    assert_eq!(source.referrers(base.digest()).await.expect("read"), []);
}

/// A list of what is attached can be changed by anybody, so it can go in circles.
#[tokio::test]
async fn attachments_are_capped_in_depth() {
    let mut top = image(&["image"], "");
    let source = loaded(&top).await;
    for _ in 0..12 {
        top = attached(top.root(), "signature");
        top.load(&source, None).await;
    }
    let error = copy(&source, &[], &CopyOptions::default()).await.expect_err("too deep");
    assert!(error.to_string().contains("nested more than 8 deep"), "{error}");
}

#[tokio::test]
async fn an_attached_index_brings_its_own_parts() {
    let base = image(&["base"], "");
    let part = image(&["part"], "");
    let subject = format!(r#","subject":{}"#, json(base.root().descriptor(), ""));
    let bundle = index(&[(&part, "")], &subject);
    let (source, sink) = (loaded(&base).await, Memory::new());
    bundle.load(&source, None).await;
    let _ = copy(&source, &[&sink], &CopyOptions::default()).await.expect("copied");
    assert_eq!(sink.state().manifests.len(), 3);
    let (plan, _) = copy(&source, &[&sink], &CopyOptions::default()).await.expect("copied");
    assert!(plan.is_empty());
}
