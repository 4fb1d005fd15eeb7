mod corpus;
mod faults;
mod memory;
mod platforms;
mod referrers;
mod sample;
mod several;
mod trees;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use memory::Memory;
use sample::{Sample, image, index, two_platforms};

use crate::copy::{
    BlobSkip, Copier, CopyEvent, CopyOptions, CopyOutcome, CopyPlan, CopySource, Destination, Goal,
    plan_copy,
};
use crate::layout::Layout;
use crate::reference::Selector;
use crate::store::Store as _;
use crate::tag::Tag;

fn tag(text: &str) -> Tag {
    text.parse().expect("a tag")
}

/// A copy of `web:1` of the source to these destinations, as `app`.
async fn copy(
    source: &dyn CopySource,
    destinations: &[&dyn Destination],
    options: &CopyOptions,
) -> Result<(CopyPlan, CopyOutcome), Box<dyn std::error::Error>> {
    copy_from(source, destinations, options, None).await
}

async fn copy_from(
    source: &dyn CopySource,
    destinations: &[&dyn Destination],
    options: &CopyOptions,
    mount_from: Option<&str>,
) -> Result<(CopyPlan, CopyOutcome), Box<dyn std::error::Error>> {
    let copier = Copier::new(source, "src/web", options.clone());
    let goals = destinations.iter().enumerate().map(|(at, store)| Goal {
        store: *store,
        name: format!("dst/web{at}"),
        mount_from: mount_from.map(str::to_owned),
        tags: vec![tag("app")],
        seen: BTreeMap::new(),
    });
    let goals: Vec<_> = goals.collect();
    let tree = copier.read_tree(&Selector::Tag(tag("1"))).await?;
    let sights = copier.look(&tree, &goals).await;
    let states: Vec<_> = sights.into_iter().map(|sight| sight.state).collect();
    let plan = plan_copy(&tree, options, &states);
    // What is written down says everything.
    let text = serde_json::to_string(&plan)?;
    assert_eq!(serde_json::from_str::<CopyPlan>(&text)?, plan);
    let copied = copier.apply(&plan, &goals).await;
    let text = serde_json::to_string(&copied.report)?;
    assert_eq!(serde_json::from_str::<crate::CopyReport>(&text)?, copied.report);
    Ok((plan, copied))
}

fn goal<'s>(store: &'s Memory, name: &str, tags: Vec<Tag>) -> Goal<'s> {
    Goal { store, name: name.to_owned(), mount_from: None, tags, seen: BTreeMap::new() }
}

async fn loaded(sample: &Sample) -> Memory {
    let store = Memory::new();
    sample.load(&store, Some("1")).await;
    store.state().log.clear();
    store
}

fn layout() -> (tempfile::TempDir, Layout) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let layout = Layout::create(dir.path().join("web")).expect("made");
    (dir, layout)
}

/// Whether `store` has all of `sample`, byte for byte, and nothing else.
fn assert_same(store: &Memory, sample: &Sample) {
    let state = store.state();
    for manifest in &sample.manifests {
        assert_eq!(state.manifests.get(manifest.digest()), Some(manifest));
    }
    assert_eq!(state.manifests.len() + state.blobs.len(), sample.parts());
    drop(state);
    assert_eq!(store.gaps(), []);
}

/// A copy can be made by a task of its own.
#[tokio::test]
async fn a_copy_is_send() {
    let source = Arc::new(loaded(&two_platforms()).await);
    let task = async move {
        let sink = Memory::new();
        let options = CopyOptions::default();
        let copier = Copier::new(&*source, "src/web", options.clone());
        let goals = [goal(&sink, "dst/web", Vec::new())];
        let tree = copier.read_tree(&Selector::Tag(tag("1"))).await.expect("read");
        let sights = copier.look(&tree, &goals).await;
        let states: Vec<_> = sights.into_iter().map(|sight| sight.state).collect();
        let copied = copier.apply(&plan_copy(&tree, &options, &states), &goals).await;
        copied.report.destinations[0].complete
    };
    assert!(tokio::spawn(task).await.expect("ran"));
}

#[tokio::test]
async fn edge_14_blobs_then_children_by_digest_then_the_tag() {
    let sample = two_platforms();
    let (source, sink) = (loaded(&sample).await, Memory::new());
    let (plan, copied) = copy(&source, &[&sink], &CopyOptions::default()).await.expect("copied");
    assert!(copied.failures.is_empty(), "{:?}", copied.failures);
    assert!(copied.report.destinations[0].complete);
    assert_same(&sink, &sample);
    assert_eq!(sink.state().tags[&tag("app")], *sample.digest());
    let writes = ["commit", "put", "tag"];
    let log = sink.state().log.clone();
    let order: Vec<_> = log
        .iter()
        .filter_map(|line| writes.iter().position(|write| line.starts_with(&format!("{write} "))))
        .collect();
    // Four blobs, as one layer is shared; two children; the index together with its tag.
    assert_eq!(order, [0, 0, 0, 0, 1, 1, 2]);
    assert_eq!(source.count("get"), 3);
    assert_eq!(plan.destinations[0].to_copy.bytes, plan.tree.blob_bytes());
    assert_eq!(copied.report.destinations[0].copied(), plan.destinations[0].to_copy);
    assert!(!plan.is_empty());
}

#[tokio::test]
async fn edge_17_what_is_there_is_not_looked_at_nor_written_again() {
    let sample = two_platforms();
    let (source, sink) = (loaded(&sample).await, Memory::new());
    let options = CopyOptions::default();
    let _ = copy(&source, &[&sink], &options).await.expect("copied");
    sink.state().log.clear();
    let (plan, copied) = copy(&source, &[&sink], &options).await.expect("copied");
    assert!(plan.is_empty() && copied.report.destinations[0].complete);
    assert_eq!(sink.state().log, ["head app"]);
    let skip = &plan.destinations[0].blobs[0].how;
    let manifest = sample.digest().clone();
    assert_eq!(*skip, crate::BlobHow::Skip { reason: BlobSkip::Below { manifest } });
    // Without the tag, the image is found by its digest.
    sink.state().tags.clear();
    sink.state().log.clear();
    let (_, copied) = copy(&source, &[&sink], &options).await.expect("copied");
    assert!(copied.report.destinations[0].complete);
    let root = sample.digest();
    assert_eq!(sink.state().log, ["head app", &format!("head {root}"), "tag app"]);
}

#[tokio::test]
async fn edge_34_blobs_are_mounted_without_looking_and_copied_when_that_is_declined() {
    let sample = two_platforms();
    let source = Arc::new(loaded(&sample).await);
    let mut sink = Memory::new();
    sink.siblings.insert("web".to_owned(), Arc::clone(&source));
    let options = CopyOptions { referrers: false, ..CopyOptions::default() };
    let (plan, copied) =
        copy_from(&*source, &[&sink], &options, Some("web")).await.expect("copied");
    assert_same(&sink, &sample);
    let report = &copied.report.destinations[0];
    assert_eq!((report.mounted().count, report.copied().count), (4, 0));
    assert_eq!(plan.destinations[0].to_mount.count, 4);
    assert_eq!((sink.count("mount"), sink.count("has"), source.count("open")), (4, 0, 0));
    // What is asked of the destination: its tag, one mount for each blob, the manifests.
    assert_eq!(sink.state().log.len(), 1 + 4 + 3);

    let declining = Memory::new();
    let (_, copied) =
        copy_from(&*source, &[&declining], &options, Some("web")).await.expect("copied");
    assert_same(&declining, &sample);
    let report = &copied.report.destinations[0];
    assert_eq!((report.mounted().count, report.copied().count), (0, 4));
    // Once more, without the manifests: what is there is not sent again.
    declining.state().manifests.clear();
    declining.state().tags.clear();
    let _ = copy_from(&*source, &[&declining], &options, Some("web")).await.expect("copied");
    assert_eq!(declining.count("commit"), 4);
    assert_same(&declining, &sample);
}

#[tokio::test]
async fn edge_8_foreign_layers_are_skipped_unless_asked_for() {
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let mut sample = image(&["plain"], "");
    let windows = sample::blob(foreign, "windows");
    let text = String::from_utf8(sample.root().bytes().to_vec()).expect("text");
    let text =
        text.replace("\"layers\":[", &format!("\"layers\":[{},", sample::json(&windows.0, "")));
    sample.manifests = vec![sample::manifest(&text, "application/json")];
    sample.blobs.push(windows.clone());
    let (source, sink) = (loaded(&sample).await, Memory::new());
    let (plan, copied) = copy(&source, &[&sink], &CopyOptions::default()).await.expect("copied");
    assert!(copied.report.destinations[0].complete);
    assert!(!sink.state().blobs.contains_key(&windows.0.digest));
    assert_eq!(plan.destinations[0].to_copy.count, 2);
    let options = CopyOptions { include_foreign: true, ..CopyOptions::default() };
    let all = Memory::new();
    let _ = copy(&source, &[&all], &options).await.expect("copied");
    assert!(all.state().blobs.contains_key(&windows.0.digest));
}

#[tokio::test]
async fn from_layout_to_layout_every_byte_is_the_same() {
    let nested = index(&[(&two_platforms(), ""), (&image(&["third"], ""), "")], "");
    let ((_a, source), (_b, first), (_c, second)) = (layout(), layout(), layout());
    nested.load(&source, Some("1")).await;
    let sinks: [&dyn Destination; 2] = [&first, &second];
    let (_, copied) = copy(&source, &sinks, &CopyOptions::default()).await.expect("copied");
    assert!(copied.failures.is_empty(), "{:?}", copied.failures);
    for sink in [&first, &second] {
        let root = sink.get(&Selector::Tag(tag("app"))).await.expect("read").expect("there");
        assert_eq!(root, *nested.root());
        let blobs = nested.blobs.iter().map(|(blob, _)| &blob.digest);
        for digest in blobs.chain(nested.manifests.iter().map(crate::Manifest::digest)) {
            let read = |layout: &Layout| std::fs::read(layout.blob_path(digest)).expect("there");
            assert_eq!(read(sink), read(&source), "{digest}");
        }
    }
    let (plan, _) = copy(&source, &sinks, &CopyOptions::default()).await.expect("copied");
    assert!(plan.is_empty());
}

#[tokio::test]
async fn edge_9_inline_content_stands_for_a_read_only_if_it_is_right() {
    let inline = |data: &str| {
        let config = sample::blob(sample::CONFIG, "{}");
        let config_json = sample::json(&config.0, &format!(r#","data":"{data}""#));
        let body = format!(r#"{{"config":{config_json},"layers":[]}}"#);
        let manifests = vec![sample::manifest(&body, crate::MediaType::OCI_MANIFEST)];
        Sample { manifests, blobs: vec![config] }
    };
    for (data, reads) in [("e30=", 0), ("e31=", 1), ("no base64", 1), ("", 1)] {
        let sample = inline(data);
        let (source, sink) = (loaded(&sample).await, Memory::new());
        let (_, copied) = copy(&source, &[&sink], &CopyOptions::default()).await.expect("copied");
        assert!(copied.report.destinations[0].complete);
        assert_eq!(source.count("open"), reads, "{data}");
        assert_same(&sink, &sample);
    }
}

#[tokio::test]
async fn progress_tells_of_every_byte() {
    let sample = image(&["twelve bytes"], "");
    let (source, sink) = (loaded(&sample).await, Memory::new());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let copier = Copier::new(&source, "src", CopyOptions::default())
        .with_concurrency(1)
        .with_progress(move |event| log.lock().expect("no panic").push(event));
    let goals = [goal(&sink, "dst", vec![tag("a")])];
    let tree = copier.read_tree(&Selector::Tag(tag("1"))).await.expect("read");
    let sights = copier.look(&tree, &goals).await;
    let states: Vec<_> = sights.into_iter().map(|sight| sight.state).collect();
    let _ = copier.apply(&plan_copy(&tree, copier.options(), &states), &goals).await;
    let lines = seen.lock().expect("no panic");
    let names = lines.iter().map(|event| match event {
        CopyEvent::ManifestRead { .. } => "read".to_owned(),
        CopyEvent::BlobStarted { size, .. } => format!("start {size}"),
        CopyEvent::BlobProgress { done, .. } => done.to_string(),
        CopyEvent::BlobCopied { destination, size, .. } => format!("{destination} {size}"),
        CopyEvent::TagWritten { tag, .. } => tag.to_string(),
        other => panic!("{other:?}"),
    });
    let names: Vec<_> = names.collect();
    let expected = [
        "read", "start 22", "5", "10", "15", "20", "22", "dst 22", "start 12", "5", "10", "12",
        "dst 12", "a",
    ];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn exact_versions_are_not_replaced_unless_forced() {
    let source = loaded(&image(&["new"], "")).await;
    let sink = Memory::new();
    image(&["old"], "").load(&sink, Some("1.2.3")).await;
    for force in [false, true] {
        let options = CopyOptions { force, ..CopyOptions::default() };
        let copier = Copier::new(&source, "src", options.clone());
        let tags = vec![tag("1.2.3")];
        let goals = [goal(&sink, "dst", tags)];
        let tree = copier.read_tree(&Selector::Tag(tag("1"))).await.expect("read");
        let sights = copier.look(&tree, &goals).await;
        let states: Vec<_> = sights.into_iter().map(|sight| sight.state).collect();
        let copied = copier.apply(&plan_copy(&tree, &options, &states), &goals).await;
        assert_eq!(copied.failures.is_empty(), force);
        assert_eq!(sink.count("tag 1.2.3"), 1 + usize::from(force));
    }
    assert_eq!(sink.gaps(), []);
}

#[tokio::test]
async fn two_destinations_of_one_name_are_two_destinations() {
    let sample = two_platforms();
    let (source, first, second) = (loaded(&sample).await, Memory::new(), Memory::new());
    let options = CopyOptions::default();
    let copier = Copier::new(&source, "src", options.clone());
    let goals = [goal(&first, "dst", Vec::new()), goal(&second, "dst", Vec::new())];
    let tree = copier.read_tree(&Selector::Tag(tag("1"))).await.expect("read");
    let sights = copier.look(&tree, &goals).await;
    let states: Vec<_> = sights.into_iter().map(|sight| sight.state).collect();
    let plan = plan_copy(&tree, &options, &states);
    assert!(copier.apply(&plan, &goals).await.failures.is_empty());
    assert_same(&first, &sample);
    assert_same(&second, &sample);
    // What is not given is not written to, and said.
    let copied = copier.apply(&plan, &goals[..0]).await;
    assert_eq!(copied.failures.len(), 2);
    assert!(copied.failures[0].to_string().contains("not given as a destination"));
}
