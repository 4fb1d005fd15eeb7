//! One platform of several.

use super::memory::Memory;
use super::sample::{image, index, platform, two_platforms};
use super::{assert_same, copy, loaded, tag};
use crate::copy::{CopyError, CopyOptions};

fn only(platform: &str) -> CopyOptions {
    let platform = Some(platform.parse().expect("a platform"));
    CopyOptions { platform, ..CopyOptions::default() }
}

#[tokio::test]
async fn edge_12_one_platform_is_another_digest_and_the_plan_says_so() {
    let sample = two_platforms();
    let source = loaded(&sample).await;
    // Even when the other one is missing.
    source.state().manifests.remove(sample.manifests[0].digest());
    let sink = Memory::new();
    let (plan, copied) = copy(&source, &[&sink], &only("linux/arm64")).await.expect("copied");
    assert!(copied.report.destinations[0].complete);
    assert_same(&sink, &image(&["base of both"], ""));
    assert_eq!(sink.state().tags[&tag("app")], *sample.manifests[1].digest());
    assert_eq!(plan.tree.asked.digest, *sample.digest());
    assert_eq!(plan.tree.root.digest, *sample.manifests[1].digest());
    let choice = plan.tree.platform.expect("chosen");
    assert_eq!((choice.platform.to_string().as_str(), choice.others), ("linux/arm64", 1));
}

#[tokio::test]
async fn a_nested_index_is_searched_and_what_is_not_there_is_said() {
    let arm = image(&["arm"], "");
    let unknown = image(&["provenance"], "");
    let children = [
        (&two_platforms(), String::new()),
        (&arm, platform("linux/s390x")),
        (&unknown, platform("unknown/unknown")),
    ];
    let children: Vec<_> = children.iter().map(|(child, rest)| (*child, rest.as_str())).collect();
    let source = loaded(&index(&children, "")).await;
    let sink = Memory::new();
    let _ = copy(&source, &[&sink], &only("linux/arm64")).await.expect("copied");
    assert_same(&sink, &image(&["base of both"], ""));
    let error = copy(&source, &[], &only("windows/amd64")).await.expect_err("none");
    let text = error.to_string();
    assert!(text.ends_with("it has linux/s390x, linux/amd64, linux/arm64"), "{text}");
}

#[tokio::test]
async fn edge_13_a_single_manifest_is_not_filtered_and_two_candidates_are_not_guessed() {
    let source = loaded(&image(&["x"], "")).await;
    let error = copy(&source, &[], &only("linux/amd64")).await.expect_err("no index");
    assert!(matches!(error.downcast_ref(), Some(CopyError::NoIndex { .. })), "{error}");
    let (a, b) = (image(&["a"], ""), image(&["b"], ""));
    let platform = platform("windows/amd64");
    let source = loaded(&index(&[(&a, &platform), (&b, &platform)], "")).await;
    let error = copy(&source, &[], &only("windows/amd64")).await.expect_err("two");
    assert!(matches!(error.downcast_ref(), Some(CopyError::SeveralPlatforms { .. })), "{error}");
    let source = loaded(&index(&[(&a, &platform), (&a, &platform)], "")).await;
    let _ = copy(&source, &[], &only("windows/amd64")).await.expect("one, twice");
}
