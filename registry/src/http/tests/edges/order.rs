//! In which order a promotion writes, and what becomes of it when it fails.

use super::*;
use crate::apply::ApplyError;
use crate::digest::Digest;
use crate::fake::{Answer, Fault, FaultRule, TagWrites};
use crate::http::tests::tag;
use crate::manifest::MediaType;
use crate::plan::Previous;
use crate::report::Outcome;
use crate::store::{Blame, Store as _};

/// What a request writes, in a word.
fn kind(path: &str, image: &Digest, children: &[String]) -> &'static str {
    let reference = path.rsplit('/').next().unwrap_or_default();
    match reference.split('?').next().unwrap_or_default() {
        _ if path.contains("/blobs/uploads/") => "blob",
        own if own == image.as_str() => "index",
        own if children.iter().any(|child| child == own) => "child",
        own if own.starts_with("sha256:") => "referrer",
        "1.2.3" => "exact",
        "1.2" | "1" => "numbered",
        "latest" => "latest",
        _ => "something else",
    }
}

#[tokio::test]
async fn edge_14_blobs_children_index_referrers_exact_narrow_broad_latest() {
    let from = FakeRegistry::start(bearer());
    let image = from.seed_image("acme/web", "1.2.3", &["linux/amd64", "linux/arm64"]);
    let index = from.manifest("acme/web", &image).expect("seeded");
    let index: serde_json::Value = serde_json::from_slice(&index.bytes).expect("json");
    let children = index["manifests"].as_array().expect("a list").iter();
    let children: Vec<String> =
        children.map(|child| child["digest"].as_str().expect("text").to_owned()).collect();
    let empty = from.put_blob("acme/web", "{}");
    let empty = serde_json::json!({ "mediaType": "application/vnd.oci.empty.v1+json",
        "digest": empty, "size": 2 });
    let signature = serde_json::json!({ "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST,
        "artifactType": "application/vnd.acme.signature", "config": empty, "layers": [empty],
        "subject": { "mediaType": MediaType::OCI_INDEX, "digest": image,
            "size": from.manifest("acme/web", &image).expect("seeded").bytes.len() } });
    let signature = signature.to_string();
    from.put_manifest("acme/web", "signature", MediaType::OCI_MANIFEST, signature);

    let to = FakeRegistry::start(bearer());
    to.seed_image("acme/web", "1.2.2", &["linux/amd64"]);
    let applied = promote(&store(&from), &store(&to), None, "1.2.3").await;
    assert!(applied.error.is_none(), "{:?}", applied.error);
    let requests = to.requests();
    let writes = requests.iter().filter(|request| request.method == "PUT");
    assert!(writes.clone().all(|request| request.status == Some(201)));
    let mut order: Vec<_> = writes.map(|request| kind(&request.path, &image, &children)).collect();
    order.dedup();
    let expected = ["blob", "child", "index", "referrer", "exact", "numbered", "latest"];
    assert_eq!(order, expected);
    let tags: Vec<String> = to.tags("acme/web").keys().map(ToString::to_string).collect();
    assert_eq!(tags, ["1", "1.2", "1.2.2", "1.2.3", "latest"], "no child has a tag");
}

#[tokio::test]
async fn edge_15_a_failed_release_puts_back_what_moved_and_removes_what_is_new() {
    let fake = built(bearer());
    let before = fake.tags("acme/web");
    let no = Answer::error(403, "DENIED", "no");
    fake.fail(FaultRule::on("PUT", "/manifests/latest", Fault::Answer(no)));
    let applied = release(&store(&fake), "1.2.3", "build-7").await.expect("observed");
    assert!(matches!(applied.error, Some(ApplyError::Step(_))));
    assert_eq!(fake.tags("acme/web"), before);
    let journal: Vec<_> = applied
        .report
        .tags
        .iter()
        .map(|tag| (tag.tag.as_str(), tag.before.clone(), tag.now.clone()))
        .collect();
    let at = |name: &str| Previous::At(before[&tag(name)].clone());
    let expected = ["1.2", "1", "latest"].map(|name| (name, at(name), at(name)));
    assert_eq!(journal[0], ("1.2.3", Previous::Absent, Previous::Absent));
    assert_eq!(journal[1..], expected);
    let removed = fake.count(|r| r.method == "DELETE" && r.status == Some(202));
    assert_eq!(removed, 1);
}

#[tokio::test]
async fn edge_15_a_tag_that_is_no_longer_ours_is_not_put_back() {
    let fake = built(bearer());
    let theirs = fake.seed_image("acme/web", "theirs", &["linux/s390x"]);
    let no = Answer::error(403, "DENIED", "no");
    fake.fail(FaultRule::on("PUT", "/manifests/latest", Fault::Answer(no)));
    // Just before it is looked at again.
    let retag =
        Fault::Retag { repository: "acme/web".to_owned(), tag: tag("1.2"), digest: theirs.clone() };
    fake.fail(FaultRule::on("HEAD", "/manifests/1.2", retag).skip(1));
    let applied = release(&store(&fake), "1.2.3", "build-7").await.expect("observed");
    assert!(applied.error.is_some());
    assert_eq!(fake.pending_faults(), 0);
    let tags = fake.tags("acme/web");
    assert_eq!(tags[&tag("1.2")], theirs);
    assert_eq!(tags[&tag("1")], tags[&tag("1.2.2")]);
}

#[tokio::test]
async fn edge_15_aliases_are_looked_at_before_and_the_list_after() {
    let fake = built(bearer());
    let applied = release(&store(&fake), "1.2.3", "build-7").await.expect("observed");
    assert!(applied.error.is_none(), "{:?}", applied.error);
    let requests = fake.requests();
    let first_put = requests.iter().position(|request| request.method == "PUT").expect("writes");
    let heads = requests.iter().take(first_put).filter(|request| request.method == "HEAD");
    assert_eq!(heads.count(), 3);
    assert!(requests.last().expect("requests").path.contains("/tags/list"));
}

#[tokio::test]
async fn edge_16_where_tags_cannot_be_removed_no_digest_is_deleted_in_their_place() {
    let options = FakeOptions { untag_unsupported: true, delete_by_digest: true, ..bearer() };
    let fake = built(options);
    let web = store(&fake);
    let before = fake.tags("acme/web");
    let error = web.untag(&tag("1.2.2")).await.expect_err("it cannot");
    assert_eq!(error.blame(), Blame::Unsupported);
    assert_eq!(fake.tags("acme/web"), before);
    // Neither when a release is rolled back, which then says what stays.
    let no = Answer::error(403, "DENIED", "no");
    fake.fail(FaultRule::on("PUT", "/manifests/latest", Fault::Answer(no)));
    let applied = release(&web, "1.2.3", "build-7").await.expect("observed");
    let exact = &applied.report.tags[0];
    assert!(matches!(&exact.outcome, Outcome::Stranded { .. }), "{:?}", exact.outcome);
    let by_digest = fake.count(|r| r.method == "DELETE" && r.path.contains("sha256:"));
    assert_eq!(by_digest, 0, "{}", methods(&fake));
    // Nor is anything else put in the tag's place.
    let tags = fake.tags("acme/web");
    assert_eq!(tags[&tag("1.2.3")], tags[&tag("build-7")]);
    assert_eq!(tags[&tag("1.2")], tags[&tag("1.2.2")]);
}

#[tokio::test]
async fn edge_17_a_release_made_before_writes_nothing_where_nothing_may_be_written_twice() {
    for tag_writes in
        [TagWrites::Once(400), TagWrites::Immutable(412), TagWrites::VersionsOnce(400)]
    {
        let fake = FakeRegistry::start(FakeOptions { tag_writes, ..bearer() });
        fake.seed_image("acme/web", "build-7", &["linux/amd64"]);
        let web = store(&fake);
        for round in 0..2 {
            fake.reset_counts();
            let applied = release(&web, "1.2.3", "build-7").await.expect("observed");
            assert!(applied.error.is_none(), "{:?}", applied.error);
            let writes = fake.count(|request| request.method == "PUT");
            assert_eq!(writes, [4, 0][round], "{}", methods(&fake));
        }
    }
}
