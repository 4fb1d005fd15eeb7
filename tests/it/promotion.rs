//! A promotion from `acme/staging` to `acme/prod`, and what is to be true after it, however it
//! ended.

use std::collections::BTreeMap;
use std::fs;

use plimsoll_registry::fake::{FakeAuth, FakeOptions, FakeRegistry};
use plimsoll_registry::{Digest, Tag};

use crate::ocitag::{Ocitag, Run};
use crate::seed;
use crate::truth::Truth;

pub(crate) const FROM: &str = "acme/staging";
pub(crate) const TO: &str = "acme/prod";

/// `ci:secret`
const AUTH: &str = "Y2k6c2VjcmV0";

/// How an image gets where it is to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Way {
    /// An index, from a repository of the same registry, released as 1.2.4.
    Within,
    /// An image, from another registry, released as 1.2.4.
    Between,
    /// An image, from a repository of the same registry, to one tag that exists.
    Copy,
    /// An image of some MiB, from another registry, released as 1.2.4.
    Large,
}

impl Way {
    /// How many requests it takes, of the registry it comes from if that is another, and of the
    /// one it goes to.
    pub(crate) fn requests(self) -> [(Side, usize); 2] {
        let (from, to) = match self {
            Self::Within => (0, 26),
            Self::Between => (7, 20),
            Self::Copy => (0, 10),
            Self::Large => (10, 28),
        };
        [(Side::From, from), (Side::To, to)]
    }
}

/// Which registry fails.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Side {
    From,
    To,
}

pub(crate) struct World {
    way: Way,
    /// The registry of the source, where that is another.
    pub(crate) other: Option<FakeRegistry>,
    pub(crate) to: FakeRegistry,
    pub(crate) new: Digest,
    manifests: Vec<Digest>,
    before: BTreeMap<Tag, Digest>,
}

fn registry() -> FakeRegistry {
    let auth = FakeAuth::bearer("ci", "secret");
    // What is missing is for the client to know.
    FakeRegistry::start(FakeOptions { auth, missing_references: true, ..FakeOptions::default() })
}

impl World {
    pub(crate) fn new(way: Way) -> Self {
        let to = registry();
        let other = matches!(way, Way::Between | Way::Large).then(registry);
        let from = other.as_ref().unwrap_or(&to);
        let new = match way {
            Way::Within => from.seed_image(FROM, "build-7", &["linux/amd64", "linux/arm64"]),
            Way::Between | Way::Copy => from.seed_image(FROM, "build-7", &["linux/amd64"]),
            Way::Large => seed::image(from, (FROM, "build-7"), "linux/amd64", &large_layers()),
        };
        let manifests = seed::manifests(from, FROM, &new);
        let old = to.seed_image(TO, "1.2.3", &["linux/s390x"]);
        match way {
            Way::Copy => to.tag(TO, "build-7", &old),
            Way::Within | Way::Between | Way::Large => {
                for alias in ["1.2", "1", "latest"] {
                    to.tag(TO, alias, &old);
                }
            }
        }
        let before = to.tags(TO);
        Self { way, other, to, new, manifests, before }
    }

    pub(crate) fn from(&self) -> &FakeRegistry {
        self.other.as_ref().unwrap_or(&self.to)
    }

    pub(crate) fn side(&self, side: Side) -> &FakeRegistry {
        match side {
            Side::From => self.from(),
            Side::To => &self.to,
        }
    }

    /// Within a second a request: long enough on this machine, and soon over when nobody answers.
    pub(crate) fn promote_in_haste(&self) -> Run {
        self.promote("1")
    }

    pub(crate) fn promote(&self, timeout: &str) -> Run {
        let ocitag = self.ocitag();
        ocitag.run(self.args(timeout))
    }

    /// The program, with its credentials.
    pub(crate) fn ocitag(&self) -> Ocitag {
        // No authority is asked for on the loopback interface, and reading them all takes longer
        // than the promotion.
        let ocitag = Ocitag::new().env("SSL_CERT_FILE", "/dev/null");
        let hosts = [self.from().host(), self.to.host()];
        let auths = hosts.map(|host| format!(r#""{host}": {{ "auth": "{AUTH}" }}"#)).join(", ");
        let docker = ocitag.home().join(".docker");
        fs::create_dir(&docker).expect("a directory in an empty home");
        let config = format!(r#"{{ "auths": {{ {auths} }} }}"#);
        fs::write(docker.join("config.json"), config).expect("a file in it");
        ocitag
    }

    /// Its command line.
    pub(crate) fn args(&self, timeout: &str) -> Vec<String> {
        let from = format!("{}/{FROM}:build-7", self.from().host());
        let to = format!("{}/{TO}", self.to.host());
        let release = match self.way {
            Way::Within | Way::Between | Way::Large => &["--semver", "1.2.4"][..],
            Way::Copy => &[],
        };
        let args = ["promote", &from, &to, "--output", "json", "--timeout", timeout];
        args.iter().chain(release).map(|&arg| arg.to_owned()).collect()
    }

    pub(crate) fn truth<'t>(&'t self, run: &'t Run, context: &'t str) -> Truth<'t> {
        let after = self.to.tags(TO);
        Truth { new: &self.new, before: &self.before, after, run, context }
    }

    pub(crate) fn check(&self, run: &Run, context: &str) {
        let truth = self.truth(run, context);
        match self.way {
            Way::Within | Way::Between | Way::Large => truth.check_release(),
            Way::Copy => truth.check_copy(),
        }
        self.check_whole(context);
    }

    /// What a registry that lies gives no reason to doubt.
    pub(crate) fn check_least(&self, run: &Run, context: &str) {
        if self.way != Way::Copy {
            self.truth(run, context).check_order();
        }
        self.check_whole(context);
    }

    /// What holds when a run was killed, who says nothing any more.
    pub(crate) fn check_after_kill(&self, context: &str) {
        let after = self.to.tags(TO);
        let moved = |tag: &str| after.get(tag) == Some(&self.new);
        let ahead = ["1.2", "1", "latest"].into_iter().any(moved);
        assert!(moved("1.2.4") || !ahead, "{context}: ahead of 1.2.4: {after:?}");
        self.check_whole(context);
    }

    /// Every manifest of the image that is there has its blobs and its children.
    fn check_whole(&self, context: &str) {
        let blobs = self.to.blobs(TO);
        let is_there = |digest: &Digest| self.to.manifest(TO, digest).is_some();
        for digest in self.manifests.iter().filter(|digest| is_there(digest)) {
            let listed = seed::blobs(self.from(), FROM, digest);
            let missing: Vec<_> = listed.iter().filter(|blob| !blobs.contains(blob)).collect();
            assert!(missing.is_empty(), "{context}: {digest} lacks {missing:?}");
        }
        if is_there(&self.new) {
            assert!(self.manifests.iter().all(is_there), "{context}: its children are missing");
        }
    }

    /// What the registry was asked to forget, or finished; a session whose client never heard of
    /// it cannot be cancelled.
    pub(crate) fn check_uploads(&self, run: &Run, context: &str) {
        let requests = self.to.requests();
        let unheard = requests.iter().filter(|request| {
            request.method == "POST" && request.status.is_none() && !request.path.contains("mount=")
        });
        let unheard = unheard.count();
        assert!(self.to.open_uploads() <= unheard, "{context}: an upload is open: {run:?}");
    }

    /// The same command with nothing in its way brings everything.
    pub(crate) fn check_again(&self, context: &str) {
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

/// Layers of half a MiB, one, one and a half, and two.
fn large_layers() -> [Vec<u8>; 4] {
    let mut random = fastrand::Rng::with_seed(7);
    [1, 2, 3, 4].map(|halves| std::iter::repeat_with(|| random.u8(..)).take(halves << 19).collect())
}
