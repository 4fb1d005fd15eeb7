//! A fault at every operation of a copy, and the run after it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::memory::{Faults, Memory};
use super::referrers::{Signed, signed};
use super::{copy_from, layout, tag};
use crate::copy::{CopyOptions, Destination, DestinationReport, TagOutcome};
use crate::digest::Digest;
use crate::plan::Previous;
use crate::reference::Selector;
use crate::store::Store as _;

fn assert_complete(sink: &Memory, signed: &Signed) {
    assert_eq!(sink.gaps(), []);
    let state = sink.state();
    assert_eq!(state.tags[&tag("app")], *signed.image.digest());
    assert_eq!(state.tags[&tag(&signed.cosign_tag())], *signed.cosign.digest());
    let all = signed.all.iter().chain([&signed.image, &signed.cosign]);
    assert!(all.flat_map(|it| &it.manifests).all(|it| state.manifests.contains_key(it.digest())));
}

/// The report says of every tag what it points at, unless that could not be asked for.
fn assert_true(sink: &Memory, report: &DestinationReport, at: usize) {
    for own in &report.tags {
        let actual = sink.state().tags.get(&own.tag).cloned();
        let known = match &own.now {
            Previous::NotRead => {
                assert!(matches!(own.outcome, TagOutcome::Failed { .. }), "fault {at}: {own:?}");
                continue;
            }
            known => known.digest(),
        };
        assert_eq!(actual.as_ref(), known, "fault {at}: {own:?}");
    }
}

/// Copies to `sinks`, with every operation failing once, or failing for good from there on.
async fn at_every_operation(mount_from: Option<&str>, sinks: usize, lasting: bool) -> usize {
    let signed = signed();
    let source = Arc::new(Memory::new());
    signed.load(&source).await;
    for at in 0.. {
        let faults = Faults::new(at, lasting);
        source.use_faults(&faults);
        let sink = || {
            let mut sink = Memory::new().with_faults(&faults);
            sink.siblings.insert("web".to_owned(), Arc::clone(&source));
            sink
        };
        let sinks: Vec<Memory> = (0..sinks).map(|_| sink()).collect();
        let to: Vec<&dyn Destination> = sinks.iter().map(|sink| sink as _).collect();
        let options = CopyOptions::default();
        let first = copy_from(&*source, &to, &options, mount_from).await;
        let hit = faults.count() > at;
        let mut arrived: Vec<BTreeSet<Digest>> = Vec::new();
        for (number, sink) in sinks.iter().enumerate() {
            assert_eq!(sink.gaps(), [], "fault {at}: what has a tag is complete");
            let is_complete =
                first.as_ref().is_ok_and(|(_, copied)| copied.report.destinations[number].complete);
            for copied in first.iter().map(|(_, copied)| copied) {
                assert_true(sink, &copied.report.destinations[number], at);
            }
            if is_complete {
                assert_complete(sink, &signed);
            } else {
                assert!(hit && !sink.state().tags.contains_key(&tag("app")), "fault {at}");
            }
            arrived.push(sink.state().blobs.keys().cloned().collect());
            sink.state().log.clear();
        }
        if !hit {
            return at;
        }
        let never = Faults::never();
        source.use_faults(&never);
        sinks.iter().for_each(|sink| sink.use_faults(&never));
        let (_, copied) = copy_from(&*source, &to, &options, mount_from).await.expect("again");
        assert!(copied.failures.is_empty(), "fault {at}: {:?}", copied.failures);
        for (sink, arrived) in sinks.iter().zip(arrived) {
            assert_complete(sink, &signed);
            let again = arrived.iter().any(|digest| sink.count(&format!("write {digest}")) > 0);
            assert!(!again, "fault {at}: what had arrived is not sent again");
        }
    }
    unreachable!()
}

#[tokio::test]
async fn a_fault_anywhere_leaves_no_incomplete_tag_and_the_next_run_completes() {
    assert!(at_every_operation(None, 1, true).await > 100);
    assert!(at_every_operation(None, 2, false).await > 200);
    for lasting in [false, true] {
        assert!(at_every_operation(Some("web"), 1, lasting).await > 35);
    }
    // A repository that nothing can be mounted from.
    assert!(at_every_operation(Some("elsewhere"), 1, false).await > 100);
}

/// Killed: the copy is dropped at every point where it waits.
#[tokio::test]
async fn a_copy_given_up_anywhere_leaves_no_incomplete_tag_and_the_next_run_completes() {
    use std::future::{Future as _, poll_fn};
    use std::task::Poll;

    let signed = signed();
    let source = Memory::new();
    signed.load(&source).await;
    let mut polls = 0;
    loop {
        let sink = Memory::new();
        let to: [&dyn Destination; 1] = [&sink];
        let options = CopyOptions::default();
        let mut left = polls;
        let mut run = Box::pin(copy_from(&source, &to, &options, None));
        let ended = poll_fn(|context| {
            let ended = run.as_mut().poll(context).is_ready();
            left -= i32::from(!ended);
            if ended || left < 0 { Poll::Ready(ended) } else { Poll::Pending }
        })
        .await;
        drop(run);
        assert_eq!(sink.gaps(), [], "given up after {polls}");
        let _ = copy_from(&source, &to, &options, None).await.expect("again");
        assert_complete(&sink, &signed);
        if ended {
            break;
        }
        polls += 1;
    }
    assert!(polls > 10, "{polls}");
}

#[tokio::test]
async fn a_source_that_fails_anywhere_leaves_a_layout_without_the_tag() {
    let sample = super::two_platforms();
    let source = Memory::new();
    sample.load(&source, Some("1")).await;
    for at in 0.. {
        let faults = Faults::new(at, true);
        source.use_faults(&faults);
        let (_dir, sink) = layout();
        let options = CopyOptions::default();
        let first = copy_from(&source, &[&sink], &options, None).await;
        let complete = first.is_ok_and(|(_, copied)| copied.failures.is_empty());
        let found = sink.head(&Selector::Tag(tag("app"))).await.expect("read");
        assert_eq!(found.is_some(), complete, "fault {at}");
        if complete {
            return;
        }
        source.use_faults(&Faults::never());
        let (_, copied) = copy_from(&source, &[&sink], &options, None).await.expect("again");
        assert!(copied.failures.is_empty());
    }
}
