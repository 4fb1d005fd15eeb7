//! `kill -9` at every request of a promotion, and in the middle of bodies: the same command then
//! completes it, and sends nothing again that had arrived.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Mutex;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use plimsoll_harness::require_docker;
use plimsoll_registry::Digest;
use plimsoll_registry::fake::{FakeRegistry, Fault, FaultRule, RequestRecord};
use plimsoll_tests::distribution::RegistryDefinition;

use crate::TestResult;
use crate::ocitag::Ocitag;
use crate::promotion::{FROM, TO, Way, World};
use crate::seed;

/// How long to wait for a program that ought to get there: it has hung, or this machine has.
const PATIENCE: Duration = Duration::from_secs(300);

/// Starts `ocitag` with `args`, and kills it when the rule strikes that is made with where to say
/// so.
fn kill(
    ocitag: &Ocitag,
    args: &[String],
    fake: &FakeRegistry,
    rule: impl FnOnce(mpsc::Sender<()>) -> FaultRule,
) -> io::Result<()> {
    let (reached, moment) = mpsc::channel();
    fake.fail(rule(reached));
    let mut child = ocitag.spawn(args);
    let has_come = moment.recv_timeout(PATIENCE);
    let killed = child.kill();
    let ended = child.wait_with_output()?;
    killed?;
    has_come.unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    // What it had sent besides may not have been read yet.
    fake.wait_until_idle();
    assert_eq!(ended.status.signal(), Some(9), "it ended by itself: {ended:?}");
    Ok(())
}

/// The blobs of the image.
fn blobs(world: &World) -> Vec<Digest> {
    seed::blobs(world.from(), FROM, &world.new)
}

/// The blobs that were sent, by the requests that ended their uploads.
fn sent(fake: &FakeRegistry) -> Vec<Digest> {
    let digest = |request: &RequestRecord| {
        let (_, digest) = request.path.split_once("digest=")?;
        let digest = digest.split('&').next().unwrap_or_default();
        (request.method == "PUT").then(|| digest.parse().expect("a digest"))
    };
    let sent: Vec<Digest> = fake.requests().iter().filter_map(digest).collect();
    let uploads = fake.count(|request| request.method == "POST");
    assert_eq!(sent.len(), uploads, "{:#?}", fake.requests());
    sent
}

/// After a kill: nothing is wrong so far, and the next run brings what is missing; what it sent.
fn complete(world: &World, context: &str) -> Vec<Digest> {
    let there = world.to.blobs(TO);
    world.to.clear_faults();
    world.check_after_kill(context);
    world.to.reset_counts();
    let again = world.promote("60");
    assert_eq!(again.code, 0, "again after {context}: {again:?}");
    world.check(&again, &format!("again after {context}"));
    let sent = sent(&world.to);
    let once: BTreeSet<_> = sent.iter().collect();
    assert_eq!(once.len(), sent.len(), "{context}: {sent:?}");
    assert!(sent.iter().all(|blob| !there.contains(blob)), "{context}: {sent:?}, {there:?}");
    sent
}

/// Runs `check` for every number below `count`, a few at a time.
fn each(count: usize, check: impl Fn(usize) -> TestResult + Sync) -> TestResult {
    let numbers = Mutex::new(0..count);
    thread::scope(|scope| {
        let work = || -> TestResult {
            loop {
                let number = numbers.lock().expect("no panic while it is held").next();
                let Some(number) = number else { return Ok(()) };
                check(number)?;
            }
        };
        let workers = [(); 4].map(|()| scope.spawn(work));
        workers.into_iter().try_for_each(|worker| worker.join().expect("its panic is printed"))
    })
}

/// With one blob under way at a time.
fn one_by_one(mut args: Vec<String>) -> Vec<String> {
    args.extend(["--concurrency", "1"].map(str::to_owned));
    args
}

#[test]
fn at_every_request_between_registries() -> TestResult {
    let [_, (_, requests)] = Way::Large.requests();
    let resent = Mutex::new(Vec::new());
    each(requests, |index| {
        let world = World::new(Way::Large);
        kill(&world.ocitag(), &world.args("60"), &world.to, |reached| {
            FaultRule::nth(index, Fault::Hold { bytes: 0, reached })
        })?;
        let sent = complete(&world, &format!("killed at request {index}"));
        assert!(index < requests - 1 || sent.is_empty(), "{sent:?}");
        resent.lock().expect("no panic while it is held").push(sent.len());
        Ok(())
    })?;
    let resent: BTreeSet<usize> = resent.into_inner()?.into_iter().collect();
    assert!(resent.len() > 2, "all of the image, none, and something between: {resent:?}");
    Ok(())
}

#[test]
fn in_the_middle_of_every_blob() -> TestResult {
    let world = World::new(Way::Large);
    let blobs = blobs(&world);
    each(3 * blobs.len(), |number| {
        let (nth, bytes) = (number / 3, [1, 100_000, usize::MAX][number % 3]);
        let world = World::new(Way::Large);
        kill(&world.ocitag(), &one_by_one(world.args("60")), &world.to, |reached| {
            FaultRule::on("PUT", "/blobs/uploads/", Fault::Hold { bytes, reached }).skip(nth)
        })?;
        let sent = complete(&world, &format!("killed within blob {nth}, after {bytes} bytes"));
        assert_eq!(sent.len(), blobs.len() - nth, "no blob again that was finished: {sent:?}");
        Ok(())
    })
}

#[test]
fn at_every_request_within_a_registry() -> TestResult {
    let [_, (_, requests)] = Way::Within.requests();
    each(requests, |index| {
        let world = World::new(Way::Within);
        kill(&world.ocitag(), &world.args("60"), &world.to, |reached| {
            FaultRule::nth(index, Fault::Hold { bytes: 0, reached })
        })?;
        let context = format!("killed at request {index}");
        world.to.clear_faults();
        world.check_after_kill(&context);
        world.check_again(&context);
        assert_eq!(world.to.open_uploads(), 0, "{context}");
        Ok(())
    })
}

#[tokio::test]
async fn on_the_way_to_a_real_registry() -> TestResult {
    let engine = require_docker!();
    let registry = RegistryDefinition::default().start(&engine).await?;
    let world = World::new(Way::Large);
    let from = format!("{}/{FROM}:build-7", world.from().host());
    let to = format!("{}/{TO}", registry.address());
    let args = ["promote", &from, &to, "--semver", "1.2.4"].map(str::to_owned).to_vec();
    let total = blobs(&world).len();
    kill(&world.ocitag(), &one_by_one(args.clone()), world.from(), |reached| {
        FaultRule::on("GET", "/blobs/", Fault::Hold { bytes: 0, reached }).skip(total - 1)
    })?;
    world.from().clear_faults();
    world.from().reset_counts();
    world.ocitag().run(&args).ok();
    let reads = world.from().count(|request| request.path.contains("/blobs/"));
    assert_eq!(reads, 1, "all other blobs had arrived");
    for tag in ["1.2.4", "1.2", "1", "latest"] {
        assert_eq!(registry.skopeo_inspect(TO, tag).await?, world.new.to_string(), "{tag}");
    }
    Ok(())
}
