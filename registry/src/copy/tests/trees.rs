//! Trees that are refused.

use std::error::Error;

use bytes::Bytes;

use super::memory::Memory;
use super::sample::{LAYER, Sample, blob, image, index, json, manifest, two_platforms};
use super::{copy, loaded};
use crate::content::{Child, Content, Part};
use crate::copy::order::Findings;
use crate::copy::tree::{CopyLimits, Role};
use crate::copy::{CopyError, CopyOptions, TreeError};
use crate::digest::Digest;
use crate::manifest::{Descriptor, Manifest, MediaType};

fn refused(result: Result<impl Sized, Box<dyn Error>>) -> CopyError {
    let error = result.err().expect("refused");
    *error.downcast::<CopyError>().expect("a copy error")
}

#[tokio::test]
async fn edge_12_a_sparse_index_names_the_child_and_the_remedy() {
    let sample = two_platforms();
    let source = loaded(&sample).await;
    let missing = sample.manifests[1].digest().clone();
    source.state().manifests.remove(&missing);
    let sink = Memory::new();
    let error = refused(copy(&source, &[&sink], &CopyOptions::default()).await);
    assert!(error.to_string().contains(missing.as_str()), "{error}");
    assert!(error.to_string().contains("for linux/arm64, but there is no such"), "{error}");
    assert!(error.remedy().expect("a remedy").contains("--platform"));
    assert_eq!(sink.state().log.len(), 0);
}

#[tokio::test]
async fn edge_7_blobs_among_the_entries_of_an_index_are_copied_as_blobs() {
    // As build caches have them: one of a known type, and one of a type of its own.
    let layer = blob(LAYER, "cached layer");
    let own = blob("application/vnd.acme.cache.v0", "cache config");
    let body = format!(r#"{{"manifests":[{},{}]}}"#, json(&layer.0, ""), json(&own.0, ""));
    let manifests = vec![manifest(&body, MediaType::OCI_INDEX)];
    let sample = Sample { manifests, blobs: vec![layer, own] };
    let (source, sink) = (loaded(&sample).await, Memory::new());
    let (plan, copied) = copy(&source, &[&sink], &CopyOptions::default()).await.expect("copied");
    assert!(copied.failures.is_empty());
    assert_eq!(plan.destinations[0].to_copy.count, 2);
    super::assert_same(&sink, &sample);
}

#[tokio::test]
async fn a_child_that_is_not_as_listed_is_refused() {
    let child = image(&["x"], "");
    let listed = child.root().descriptor().clone();
    for wrong in [
        Descriptor { size: listed.size + 1, ..listed.clone() },
        Descriptor { media_type: MediaType::new(MediaType::DOCKER_MANIFEST), ..listed },
    ] {
        let body = format!(r#"{{"manifests":[{}]}}"#, json(&wrong, ""));
        let mut sample = child.clone();
        sample.manifests.push(manifest(&body, MediaType::OCI_INDEX));
        let source = loaded(&sample).await;
        let error = refused(copy(&source, &[], &CopyOptions::default()).await);
        assert!(matches!(error, CopyError::NotAsListed { .. }), "{error}");
    }
}

#[tokio::test]
async fn depth_and_count_are_capped_before_anything_more_is_read() {
    let mut deep = image(&["bottom"], "");
    for _ in 0..12 {
        deep = index(&[(&deep, "")], "");
    }
    let source = loaded(&deep).await;
    let error = refused(copy(&source, &[], &CopyOptions::default()).await);
    assert!(matches!(error, CopyError::Tree(TreeError::TooDeep { limit: 8, .. })), "{error}");
    assert_eq!(source.count("get"), 9);

    let children: Vec<_> = (0..30).map(|n| image(&[&format!("child {n}")], "")).collect();
    let children: Vec<_> = children.iter().map(|child| (child, "")).collect();
    let source = loaded(&index(&children, "")).await;
    for limits in [
        CopyLimits { manifests: 30, ..CopyLimits::default() },
        CopyLimits { manifest_bytes: 5000, ..CopyLimits::default() },
    ] {
        source.state().log.clear();
        let options = CopyOptions { limits, ..CopyOptions::default() };
        let error = refused(copy(&source, &[], &options).await);
        assert!(matches!(error, CopyError::Tree(TreeError::TooMany { .. })), "{error}");
        assert_eq!(source.count("get"), 1);
    }
    let limits = CopyLimits { blobs: 59, ..CopyLimits::default() };
    let options = CopyOptions { limits, ..CopyOptions::default() };
    let error = refused(copy(&source, &[], &options).await);
    assert!(matches!(error, CopyError::Tree(TreeError::TooMany { what: "blobs", .. })), "{error}");
}

#[tokio::test]
async fn a_tower_that_lists_every_storey_at_the_top_is_too_deep_as_well() {
    let mut storeys = vec![image(&["ground"], "")];
    for _ in 0..12 {
        let below = storeys.last().expect("one");
        storeys.push(index(&[(below, "")], ""));
    }
    let all: Vec<_> = storeys.iter().map(|storey| (storey, "")).collect();
    let source = loaded(&index(&all, "")).await;
    let error = refused(copy(&source, &[], &CopyOptions::default()).await);
    assert!(matches!(error, CopyError::Tree(TreeError::TooDeep { .. })), "{error}");
}

/// No real digest makes one; a store that lies, or a broken hash, might.
#[test]
fn cycles_are_refused_and_towers_do_not_overflow_the_stack() {
    let digest = |n: usize| Digest::sha256(n.to_string().as_bytes());
    let entry = |n| Descriptor { media_type: MediaType::new("x"), digest: digest(n), size: 1 };
    let lists = |children: Vec<usize>| {
        let child = |n| Child { descriptor: entry(n), platform: None, data: None };
        Content { children: children.into_iter().map(child).collect(), ..Content::default() }
    };
    let order = |edges: Vec<Vec<usize>>, depth| {
        let manifests = edges.into_iter().enumerate();
        let findings = Findings {
            manifests: manifests.map(|(n, to)| (digest(n), (entry(n), lists(to)))).collect(),
            roots: vec![(digest(0), Role::Image)],
            ..Findings::default()
        };
        findings.order(&CopyLimits { depth, ..CopyLimits::default() }).map(|(nodes, _)| nodes.len())
    };
    assert!(matches!(order(vec![vec![0]], 8), Err(TreeError::Cycle { .. })));
    assert!(matches!(order(vec![vec![1], vec![2], vec![0]], 8), Err(TreeError::Cycle { .. })));
    assert_eq!(order(vec![vec![1, 2, 1], vec![2], vec![]], 8), Ok(3));
    let tower = (0..50_000).map(|n| vec![n + 1]).chain([vec![]]).collect();
    assert_eq!(order(tower, 50_000), Ok(50_001));
}

#[test]
fn a_blob_of_two_sizes_is_refused() {
    let part = |size| Part {
        descriptor: Descriptor {
            media_type: MediaType::new("x"),
            digest: Digest::sha256(b"x"),
            size,
        },
        data: None,
        foreign: false,
    };
    let content = Content { blobs: vec![part(1), part(2)], ..Content::default() };
    let image: Manifest = manifest("{}", MediaType::OCI_MANIFEST);
    let mut findings = Findings::default();
    findings.roots.push((image.digest().clone(), Role::Image));
    findings.manifests.insert(image.digest().clone(), (image.descriptor().clone(), content));
    let error = findings.order(&CopyLimits::default()).expect_err("two sizes");
    assert!(matches!(error, TreeError::Sizes { one: 1, other: 2, .. }));
}

#[tokio::test]
async fn edge_6_schema_1_and_unknown_shapes_are_refused_by_name() {
    let body = Bytes::from_static(br#"{"schemaVersion":1}"#);
    Manifest::received(body, "application/json", None).expect_err("schema 1");
    let sample = Sample {
        manifests: vec![manifest("{\"acme\":1}", "application/vnd.acme.thing")],
        blobs: Vec::new(),
    };
    let source = Memory::new();
    source.state().manifests.insert(sample.digest().clone(), sample.root().clone());
    source.state().tags.insert(super::tag("1"), sample.digest().clone());
    let error = refused(copy(&source, &[], &CopyOptions::default()).await);
    assert!(error.to_string().contains("application/vnd.acme.thing"), "{error}");
}
