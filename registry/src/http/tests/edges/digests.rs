//! A registry that does not store what it is sent.

use super::*;
use crate::apply::ApplyError;
use crate::fake::{Fault, FaultRule};
use crate::http::tests::tag;
use crate::report::Outcome;
use crate::store::Store as _;

#[tokio::test]
async fn edge_2_what_is_stored_differently_is_read_back_and_put_back() {
    for tag_that_differs in ["1.2.3", "1", "latest"] {
        let fake = built(bearer());
        let before = fake.tags("acme/web");
        let path = format!("/manifests/{tag_that_differs}");
        fake.fail(FaultRule::on("PUT", &path, Fault::Rewrite));
        let applied = release(&store(&fake), "1.2.3", "build-7").await.expect("observed");
        let Some(ApplyError::Step(error)) = &applied.error else { panic!("{:?}", applied.error) };
        let stored = error.stored().expect("what it stored").to_string();
        let text = error.to_string();
        assert!(text.contains(&format!("reading it back gives {stored}")), "{text}");
        assert!(text.contains(before[&tag("build-7")].as_str()), "both are named: {text}");
        assert_eq!(fake.tags("acme/web"), before, "{tag_that_differs}");
        let report = applied.report.tags.iter().find(|own| own.tag.as_str() == tag_that_differs);
        let report = report.expect("it is in the report");
        assert!(matches!(report.outcome, Outcome::Failed { .. }), "{:?}", report.outcome);
        assert_eq!(report.now, report.before);
    }
}

#[tokio::test]
async fn edge_2_a_header_that_is_wrong_is_told_from_content_that_is() {
    let fake = built(bearer());
    let before = fake.tags("acme/web");
    fake.fail(FaultRule::on("PUT", "/manifests/1.2.3", Fault::WrongDigestHeader));
    let applied = release(&store(&fake), "1.2.3", "build-7").await.expect("observed");
    let error = applied.error.expect("the answer cannot be believed").to_string();
    assert!(error.contains("reading it back gives what was sent"), "{error}");
    assert_eq!(fake.tags("acme/web"), before);
}

#[tokio::test]
async fn edge_2_what_somebody_else_wrote_since_is_left_alone() {
    let fake = built(bearer());
    let theirs = fake.seed_image("acme/web", "theirs", &["linux/amd64"]);
    fake.fail(FaultRule::on("PUT", "/manifests/latest", Fault::Rewrite));
    let (repository, digest) = ("acme/web".to_owned(), theirs.clone());
    let retag = Fault::Retag { repository, tag: tag("latest"), digest };
    // Between reading back and putting back.
    fake.fail(FaultRule::on("HEAD", "/manifests/latest", retag).skip(1));
    let applied = release(&store(&fake), "1.2.3", "build-7").await.expect("observed");
    assert!(applied.error.is_some());
    assert_eq!(fake.pending_faults(), 0);
    assert_eq!(fake.tags("acme/web")[&tag("latest")], theirs);
}

#[tokio::test]
async fn edge_3_a_registry_that_never_names_a_digest_is_released_to_all_the_same() {
    let fake = built(bearer());
    fake.fail(FaultRule::on("GET", "/manifests/", Fault::MissingDigestHeader).always());
    fake.fail(FaultRule::on("HEAD", "/manifests/", Fault::MissingDigestHeader).always());
    fake.fail(FaultRule::on("PUT", "/manifests/", Fault::MissingDigestHeader).always());
    let web = store(&fake);
    let applied = release(&web, "1.2.3", "build-7").await.expect("observed");
    assert!(applied.error.is_none(), "{:?}", applied.error);
    let tags = fake.tags("acme/web");
    assert!(["1.2.3", "1.2", "1", "latest"].iter().all(|t| tags[&tag(t)] == tags[&tag("build-7")]));
    let found = web.head(&by_tag("1")).await.expect("answered").expect("there");
    assert_eq!(found.digest, tags[&tag("build-7")], "computed from the bytes");
}
