//! Fault injection at every request of a promotion: within a registry, where blobs are mounted,
//! and between two, where they travel. Whatever fails, and whenever, the tags are all old, all
//! new, or exactly what the report says; nothing is there without what it consists of; and the
//! same command completes what is left.

use std::collections::BTreeMap;
use std::fs;

use plimsoll_registry::fake::{Answer, FakeAuth, FakeOptions, FakeRegistry, Fault, FaultRule};
use plimsoll_registry::{Digest, Tag};

use crate::fault_kinds::{everywhere, is_a_liar, kinds};
use crate::ocitag::{Ocitag, Run};
use crate::seed;
use crate::truth::Truth;

const FROM: &str = "acme/staging";
const TO: &str = "acme/prod";

/// `ci:secret`
const AUTH: &str = "Y2k6c2VjcmV0";

/// How an image gets where it is to be.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// An index, from a repository of the same registry, released as 1.2.4.
    Within,
    /// An image, from another registry, released as 1.2.4.
    Between,
    /// An image, from a repository of the same registry, to one tag that exists.
    Copy,
}

impl Way {
    /// How many requests it takes, of the registry it comes from if that is another, and of the
    /// one it goes to.
    fn requests(self) -> [(Side, usize); 2] {
        let (from, to) = match self {
            Self::Within => (0, 26),
            Self::Between => (7, 20),
            Self::Copy => (0, 10),
        };
        [(Side::From, from), (Side::To, to)]
    }
}

/// Which registry fails.
#[derive(Clone, Copy, Debug)]
enum Side {
    From,
    To,
}

struct World {
    way: Way,
    /// The registry of the source, where that is another.
    other: Option<FakeRegistry>,
    to: FakeRegistry,
    new: Digest,
    manifests: Vec<Digest>,
    before: BTreeMap<Tag, Digest>,
}

fn registry() -> FakeRegistry {
    let auth = FakeAuth::bearer("ci", "secret");
    // What is missing is for the client to know.
    FakeRegistry::start(FakeOptions { auth, missing_references: true, ..FakeOptions::default() })
}

impl World {
    fn new(way: Way) -> Self {
        let to = registry();
        let other = (way == Way::Between).then(registry);
        let from = other.as_ref().unwrap_or(&to);
        let platforms = match way {
            Way::Within => &["linux/amd64", "linux/arm64"][..],
            Way::Between | Way::Copy => &["linux/amd64"],
        };
        let new = from.seed_image(FROM, "build-7", platforms);
        let manifests = seed::manifests(from, FROM, &new);
        let old = to.seed_image(TO, "1.2.3", &["linux/s390x"]);
        match way {
            Way::Copy => to.tag(TO, "build-7", &old),
            Way::Within | Way::Between => {
                for alias in ["1.2", "1", "latest"] {
                    to.tag(TO, alias, &old);
                }
            }
        }
        let before = to.tags(TO);
        Self { way, other, to, new, manifests, before }
    }

    fn from(&self) -> &FakeRegistry {
        self.other.as_ref().unwrap_or(&self.to)
    }

    fn side(&self, side: Side) -> &FakeRegistry {
        match side {
            Side::From => self.from(),
            Side::To => &self.to,
        }
    }

    /// Within a second a request: long enough on this machine, and soon over when nobody answers.
    fn promote_in_haste(&self) -> Run {
        self.promote("1")
    }

    fn promote(&self, timeout: &str) -> Run {
        // No authority is asked for on the loopback interface, and reading them all takes longer
        // than the promotion.
        let ocitag = Ocitag::new().env("SSL_CERT_FILE", "/dev/null");
        let hosts = [self.from().host(), self.to.host()];
        let auths = hosts.map(|host| format!(r#""{host}": {{ "auth": "{AUTH}" }}"#)).join(", ");
        let docker = ocitag.home().join(".docker");
        fs::create_dir(&docker).expect("a directory in an empty home");
        let config = format!(r#"{{ "auths": {{ {auths} }} }}"#);
        fs::write(docker.join("config.json"), config).expect("a file in it");
        let from = format!("{}/{FROM}:build-7", self.from().host());
        let to = format!("{}/{TO}", self.to.host());
        let release = match self.way {
            Way::Within | Way::Between => &["--semver", "1.2.4"][..],
            Way::Copy => &[],
        };
        let args = ["promote", &from, &to, "--output", "json", "--timeout", timeout];
        ocitag.run(args.iter().chain(release))
    }

    fn truth<'t>(&'t self, run: &'t Run, context: &'t str) -> Truth<'t> {
        let after = self.to.tags(TO);
        Truth { new: &self.new, before: &self.before, after, run, context }
    }

    fn check(&self, run: &Run, context: &str) {
        let truth = self.truth(run, context);
        match self.way {
            Way::Within | Way::Between => truth.check_release(),
            Way::Copy => truth.check_copy(),
        }
        self.check_whole(run, context);
    }

    /// What a registry that lies gives no reason to doubt.
    fn check_least(&self, run: &Run, context: &str) {
        if self.way != Way::Copy {
            self.truth(run, context).check_order();
        }
        self.check_whole(run, context);
    }

    /// Every manifest of the image that is there has its blobs and its children.
    fn check_whole(&self, run: &Run, context: &str) {
        let blobs = self.to.blobs(TO);
        let is_there = |digest: &Digest| self.to.manifest(TO, digest).is_some();
        for digest in self.manifests.iter().filter(|digest| is_there(digest)) {
            let listed = seed::blobs(self.from(), FROM, digest);
            let missing: Vec<_> = listed.iter().filter(|blob| !blobs.contains(blob)).collect();
            assert!(missing.is_empty(), "{context}: {digest} lacks {missing:?}: {run:?}");
        }
        if is_there(&self.new) {
            assert!(self.manifests.iter().all(is_there), "{context}: children: {run:?}");
        }
    }

    /// What the registry was asked to forget, or finished; a session whose client never heard of
    /// it cannot be cancelled.
    fn check_uploads(&self, run: &Run, context: &str) {
        let requests = self.to.requests();
        let unheard = requests.iter().filter(|request| {
            request.method == "POST" && request.status.is_none() && !request.path.contains("mount=")
        });
        let unheard = unheard.count();
        assert!(self.to.open_uploads() <= unheard, "{context}: an upload is open: {run:?}");
    }

    /// The same command with nothing in its way brings everything.
    fn check_again(&self, context: &str) {
        for side in [Side::From, Side::To] {
            self.side(side).clear_faults();
        }
        let again = self.promote("60");
        let context = format!("again after {context}");
        assert_eq!(again.code, 0, "{context}: {again:?}");
        self.check(&again, &context);
        assert!(self.to.manifest(TO, &self.new).is_some(), "{context}");
    }
}

/// What can go wrong, with what passes by itself in all its forms.
fn all_kinds() -> Vec<(&'static str, Fault)> {
    let mut kinds = kinds();
    kinds.extend([
        ("400", Fault::Answer(Answer::new(400))),
        ("408", Fault::Answer(Answer::new(408))),
        ("502", Fault::Answer(Answer::html(502))),
        ("503", Fault::Answer(Answer::new(503).header("Retry-After", "0"))),
        ("cut upload", Fault::CutUpload(100)),
    ]);
    kinds
}

fn once(way: Way) {
    for (side, requests) in way.requests() {
        everywhere(requests, &all_kinds(), |index, name, fault| {
            let world = World::new(way);
            world.side(side).fail(FaultRule::nth(index, fault));
            let run = world.promote_in_haste();
            let context = format!("{way:?}, {side:?}, request {index}: {name}");
            assert_eq!(world.side(side).pending_faults(), 0, "{context}: it did not strike");
            world.check(&run, &context);
            world.check_uploads(&run, &context);
            if run.code != 0 {
                world.check_again(&context);
            }
        });
    }
}

fn for_good(way: Way) {
    for (side, requests) in way.requests() {
        everywhere(requests, &kinds(), |index, name, fault| {
            let world = World::new(way);
            world.side(side).fail(FaultRule::nth(index, fault).always());
            let run = world.promote_in_haste();
            let context = format!("{way:?}, {side:?}, from request {index} on: {name}");
            if is_a_liar(name) {
                world.check_least(&run, &context);
            } else {
                world.check(&run, &context);
            }
            world.check_again(&context);
        });
    }
}

#[test]
fn without_a_fault_they_take_as_many_requests_as_are_made_to_fail() {
    for way in [Way::Within, Way::Between, Way::Copy] {
        let world = World::new(way);
        let run = world.promote("60");
        world.check(&run, "no fault");
        assert_eq!(run.code, 0, "{run:?}");
        let of_other = world.other.as_ref().map_or(0, |other| other.requests().len());
        let [(_, from), (_, to)] = way.requests();
        assert_eq!((of_other, world.to.requests().len()), (from, to), "{way:?}");
        assert_eq!(world.to.open_uploads(), 0);
    }
}

#[test]
fn within_a_registry_one_request_fails_once() {
    once(Way::Within);
}

#[test]
fn within_a_registry_everything_fails_from_one_request_on() {
    for_good(Way::Within);
}

#[test]
fn between_registries_one_request_fails_once() {
    once(Way::Between);
}

#[test]
fn between_registries_everything_fails_from_one_request_on() {
    for_good(Way::Between);
}

#[test]
fn a_copy_to_one_tag_says_what_became_of_it() {
    once(Way::Copy);
    for_good(Way::Copy);
}

/// Whoever moves an alias while it is being moved may win or lose, but disturbs nothing else; and
/// the same command says the last word.
#[test]
fn somebody_else_moves_an_alias_at_any_moment() {
    for index in 0..26 {
        let world = World::new(Way::Within);
        let theirs = world.to.seed_image(TO, "1.2.2", &["linux/s390x"]);
        let (repository, tag) = (TO.to_owned(), Tag::latest());
        let retag = Fault::Retag { repository, tag, digest: theirs.clone() };
        world.to.fail(FaultRule::nth(index, retag));
        let run = world.promote("60");
        let context = format!("somebody moves latest at request {index}");
        assert_eq!((run.code, world.to.pending_faults()), (0, 0), "{context}: {run:?}");
        let mut tags = world.to.tags(TO);
        let latest = tags.remove("latest").expect("it was there, and nobody removes it");
        assert!([&world.new, &theirs].contains(&&latest), "{context}: {latest}");
        assert!(["1.2.4", "1.2", "1"].iter().all(|tag| tags[*tag] == world.new), "{context}");
        let again = world.promote("60");
        world.check(&again, &format!("again after {context}"));
        assert_eq!(world.to.tags(TO)["latest"], world.new, "{context}");
    }
}
