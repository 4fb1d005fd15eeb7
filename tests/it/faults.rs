//! Fault injection at every request of a release of four tags: whatever fails, and whenever, the
//! tags are all old, all new, or exactly what the report says.

use std::collections::BTreeMap;

use plimsoll_registry::fake::{FakeAuth, FakeOptions, FakeRegistry, FaultRule};
use plimsoll_registry::{Digest, Tag};

use crate::fault_kinds::{everywhere, is_a_liar, kinds};
use crate::ocitag::{Ocitag, Run};
use crate::truth::Truth;

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

    fn truth<'t>(&'t self, run: &'t Run, context: &'t str) -> Truth<'t> {
        let after = self.fake.tags("acme/cake");
        Truth { new: &self.new, before: &self.before, after, run, context }
    }
}

#[test]
fn without_a_fault_it_takes_as_many_requests_as_are_made_to_fail() {
    let world = World::new();
    let run = world.release("60");
    assert_eq!(world.fake.requests().len(), REQUESTS, "{run:?}");
    world.truth(&run, "no fault").check_release();
}

#[test]
fn one_request_fails_once() {
    everywhere(REQUESTS, &kinds(), |index, name, fault| {
        let world = World::new();
        world.fake.fail(FaultRule::nth(index, fault));
        let run = world.release_in_haste();
        world.truth(&run, &format!("request {index}: {name}")).check_release();
    });
}

#[test]
fn from_one_request_on_everything_fails_and_then_the_same_command_works() {
    everywhere(REQUESTS, &kinds(), |index, name, fault| {
        let world = World::new();
        world.fake.fail(FaultRule::nth(index, fault).always());
        let run = world.release_in_haste();
        if is_a_liar(name) {
            world.truth(&run, &format!("from request {index} on: {name}")).check_order();
        } else {
            world.truth(&run, &format!("from request {index} on: {name}")).check_release();
        }
        world.fake.clear_faults();
        let again = world.release("60");
        assert_eq!(again.code, 0, "after {name} from request {index} on: {again:?}");
        world.truth(&again, &format!("again after {name} from request {index} on")).check_release();
    });
}
