//! Fault injection at every request of a release of four tags: whatever fails, and whenever, the
//! tags are all old, all new, or exactly what the report says.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;

use plimsoll_registry::fake::{Answer, FakeAuth, FakeOptions, FakeRegistry, Fault, FaultRule};
use plimsoll_registry::{Digest, Outcome, Previous, Report, Tag};
use serde_json::Value;

use crate::ocitag::{Ocitag, Run};

/// Four tags to write, of which three exist.
const REQUESTS: usize = 12;

struct World {
    fake: FakeRegistry,
    new: Digest,
    before: BTreeMap<Tag, Digest>,
}

impl World {
    fn new() -> Self {
        let auth = FakeAuth::bearer("ci", "secret");
        let fake = FakeRegistry::start(FakeOptions { auth, ..FakeOptions::default() });
        let old = fake.seed_image("acme/cake", "1.2.3", &["linux/amd64"]);
        let new = fake.seed_image("acme/cake", "build-7", &["linux/arm64"]);
        for alias in ["1.2", "1", "latest"] {
            fake.tag("acme/cake", alias, &old);
        }
        let before = fake.tags("acme/cake");
        Self { fake, new, before }
    }

    /// Within a second a request: long enough on this machine, and soon over when nobody answers.
    fn release_in_haste(&self) -> Run {
        self.release("1")
    }

    fn release(&self, timeout: &str) -> Run {
        let image = format!("{}/acme/cake:build-7", self.fake.host());
        let ocitag = Ocitag::new().env("OCITAG_USERNAME", "ci").env("OCITAG_PASSWORD", "secret");
        ocitag.run(["--semver", "1.2.4", "--output", "json", "--timeout", timeout, &image])
    }

    /// No alias is ahead of the exact tag, and only success is called success.
    fn check_order(&self, run: &Run, context: &str) {
        let after = self.fake.tags("acme/cake");
        let moved = |tag: &str| after.get(tag) == Some(&self.new);
        let moved_aliases = ["1.2", "1", "latest"].into_iter().filter(|alias| moved(alias)).count();
        assert!(moved("1.2.4") || moved_aliases == 0, "{context}: ahead of 1.2.4: {run:?}");
        assert!(run.code != 0 || moved_aliases == 3, "{context}: success, and {after:?}");
    }

    /// Holds the run to what it says, by what the registry has.
    fn check(&self, run: &Run, context: &str) {
        self.check_order(run, context);
        let after = self.fake.tags("acme/cake");
        let printed: Value = serde_json::from_str(&run.stdout)
            .unwrap_or_else(|error| panic!("{context}: {error}: {run:?}"));
        let moved = |tag: &str| after.get(tag) == Some(&self.new);
        let all_new = ["1.2.4", "1.2", "1", "latest"].into_iter().all(moved);
        let no_errors = printed["errors"].as_array().is_some_and(Vec::is_empty);
        assert_eq!(run.code == 0, no_errors, "{context}: {run:?}");
        assert!(run.code != 0 || all_new, "{context}: success, and {after:?}");
        assert!([0, 3, 4, 5, 6, 7].contains(&run.code), "{context}: {run:?}");
        let Some(reports) = printed.get("reports") else {
            assert_eq!(after, self.before, "{context}: nothing was tried, so nothing changed");
            return;
        };
        let reports: Vec<Report> = serde_json::from_value(reports.clone()).expect("reports");
        for tag in &reports[0].tags {
            let actual = after.get(&tag.tag);
            match &tag.now {
                Previous::At(digest) => assert_eq!(actual, Some(digest), "{context}: {tag:?}"),
                Previous::Absent => assert_eq!(actual, None, "{context}: {tag:?}"),
                // Only what could not even be asked for afterwards may be unknown.
                Previous::NotRead => {
                    let unknown =
                        matches!(tag.outcome, Outcome::Failed { .. } | Outcome::Stranded { .. });
                    assert!(unknown, "{context}: {tag:?}");
                }
            }
        }
        if run.code != 0 && run.code != 7 {
            let unknown = reports[0].tags.iter().any(|tag| tag.now == Previous::NotRead);
            assert!(unknown || after == self.before, "{context}: {run:?} and {after:?}");
        }
    }
}

fn kinds() -> Vec<(&'static str, Fault)> {
    let other = Digest::sha256(b"something else").to_string();
    vec![
        ("500", Fault::Answer(Answer::new(500))),
        ("429", Fault::Answer(Answer::new(429).header("Retry-After", "0"))),
        ("401", Fault::Answer(Answer::new(401))),
        ("403", Fault::Answer(Answer::error(403, "DENIED", "no"))),
        ("404", Fault::Answer(Answer::new(404))),
        ("html", Fault::Answer(Answer::html(200))),
        ("reset", Fault::Reset),
        ("lost answer", Fault::AnswerLost),
        ("truncated", Fault::Truncate),
        ("wrong digest", Fault::WrongDigestHeader),
        ("another digest", Fault::SetHeader("Docker-Content-Digest".to_owned(), other)),
        ("no digest", Fault::MissingDigestHeader),
        ("stall", Fault::Stall),
    ]
}

/// Whether a registry that keeps doing this cannot be asked what it holds.
fn is_a_liar(kind: &str) -> bool {
    ["404", "wrong digest", "another digest"].contains(&kind)
}

/// Runs `check` for every request and every kind of fault, a few at a time.
fn everywhere(check: impl Fn(usize, &'static str, Fault) + Sync) {
    let cases = (0..REQUESTS).flat_map(|index| kinds().into_iter().map(move |kind| (index, kind)));
    let cases = Mutex::new(cases);
    thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| {
                loop {
                    let case = cases.lock().expect("no panic while it is held").next();
                    let Some((index, (name, fault))) = case else { break };
                    check(index, name, fault);
                }
            });
        }
    });
}

#[test]
fn without_a_fault_it_takes_as_many_requests_as_are_made_to_fail() {
    let world = World::new();
    let run = world.release("60");
    assert_eq!(world.fake.requests().len(), REQUESTS, "{run:?}");
    world.check(&run, "no fault");
}

#[test]
fn one_request_fails_once() {
    everywhere(|index, name, fault| {
        let world = World::new();
        world.fake.fail(FaultRule::nth(index, fault));
        let run = world.release_in_haste();
        world.check(&run, &format!("request {index}: {name}"));
    });
}

#[test]
fn from_one_request_on_everything_fails_and_then_the_same_command_works() {
    everywhere(|index, name, fault| {
        let world = World::new();
        world.fake.fail(FaultRule::nth(index, fault).always());
        let run = world.release_in_haste();
        if is_a_liar(name) {
            world.check_order(&run, &format!("from request {index} on: {name}"));
        } else {
            world.check(&run, &format!("from request {index} on: {name}"));
        }
        world.fake.clear_faults();
        let again = world.release("60");
        assert_eq!(again.code, 0, "after {name} from request {index} on: {again:?}");
        world.check(&again, &format!("again after {name} from request {index} on"));
    });
}
