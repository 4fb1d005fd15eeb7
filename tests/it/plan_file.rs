//! `ocitag plan`, `apply` and `untag`.

use plimsoll_registry::Digest;
use plimsoll_registry::fake::{FakeOptions, FakeRegistry};
use tempfile::TempDir;

use crate::TestResult;
use crate::ocitag::{Ocitag, Run};

struct World {
    fake: FakeRegistry,
    directory: TempDir,
}

impl World {
    /// 1.2.3 with its aliases, and 1.2.4 without.
    fn new() -> Result<Self, crate::Error> {
        let fake = FakeRegistry::start(FakeOptions::default());
        let old = fake.seed_image("acme/cake", "1.2.3", &["linux/amd64"]);
        fake.seed_image("acme/cake", "1.2.4", &["linux/amd64", "linux/arm64"]);
        for alias in ["1.2", "1", "latest"] {
            fake.tag("acme/cake", alias, &old);
        }
        Ok(Self { fake, directory: tempfile::tempdir()? })
    }

    fn file(&self) -> String {
        self.directory.path().join("plan.json").display().to_string()
    }

    fn plan(&self, args: &[&str]) -> Run {
        let image = format!("{}/acme/cake", self.fake.host());
        let file = self.file();
        let fixed = ["plan", "--plan-out", &file, "--semver", "1.2.4", &image];
        Ocitag::new().run(fixed.iter().chain(args))
    }

    fn apply(&self) -> Run {
        Ocitag::new().run(["apply", &self.file()])
    }

    fn at(&self, tag: &str) -> Option<Digest> {
        self.fake.tags("acme/cake").get(tag).cloned()
    }
}

#[test]
fn a_plan_is_applied_and_applied_again() -> TestResult {
    let world = World::new()?;
    let before = world.fake.tags("acme/cake");
    assert!(world.plan(&[]).ok().contains("would be moved"));
    assert_eq!(world.fake.tags("acme/cake"), before);
    assert!(world.apply().ok().contains("moved"));
    for alias in ["1.2", "1", "latest"] {
        assert_eq!(world.at(alias), world.at("1.2.4"), "{alias}");
    }
    assert!(!world.apply().ok().contains("moved"), "there is nothing left to do");
    Ok(())
}

#[test]
fn a_world_that_drifted_is_refused_and_left_alone() -> TestResult {
    type Drift = fn(&FakeRegistry);
    let drifts: [(Drift, &str); 4] = [
        (|fake| fake.untag("acme/cake", "latest"), "latest is absent"),
        (|fake| drop(fake.seed_image("acme/cake", "1", &["linux/s390x"])), "1 is at sha256:"),
        (|fake| drop(fake.seed_image("acme/cake", "1.3.0", &["linux/s390x"])), "latest"),
        (|fake| drop(fake.seed_image("acme/cake", "1.2.4", &["linux/s390x"])), "tag 1.2.4 exists"),
    ];
    for (drift, word) in drifts {
        let world = World::new()?;
        world.plan(&[]).ok();
        drift(&world.fake);
        let before = world.fake.tags("acme/cake");
        world.apply().fails(3, &["not what it was", word, "ocitag plan"]);
        assert_eq!(world.fake.tags("acme/cake"), before);
    }
    Ok(())
}

#[test]
fn what_was_planned_is_what_is_applied_whatever_its_tag_is_by_then() -> TestResult {
    let world = World::new()?;
    let image = format!("{}/acme/cake:build-7", world.fake.host());
    let built = world.fake.seed_image("acme/cake", "build-7", &["linux/s390x"]);
    let file = world.file();
    Ocitag::new().run(["plan", "--plan-out", &file, "--semver", "1.2.5", &image]).ok();
    world.fake.seed_image("acme/cake", "build-7", &["linux/riscv64"]);
    world.apply().ok();
    assert_eq!(world.at("latest"), Some(built));
    Ok(())
}

#[test]
fn a_plan_that_conflicts_is_not_written() -> TestResult {
    let world = World::new()?;
    let image = format!("{}/acme/cake:1.2.3", world.fake.host());
    let file = world.file();
    let run = Ocitag::new().run(["plan", "--plan-out", &file, "--semver", "1.2.4", &image]);
    run.fails(3, &["1.2.4 exists"]);
    world.apply().fails(1, &["plan.json"]);
    Ok(())
}

#[test]
fn untag_removes_the_tag_and_not_the_image() -> TestResult {
    let world = World::new()?;
    let digest = world.at("latest").expect("an alias");
    let latest = format!("{}/acme/cake:latest", world.fake.host());
    let image = format!("{}/acme/cake", world.fake.host());
    assert!(Ocitag::new().run(["untag", &latest]).ok().contains("removed"));
    assert_eq!(world.at("latest"), None);
    assert!(world.fake.manifest("acme/cake", &digest).is_some());
    assert!(Ocitag::new().run(["untag", &latest]).ok().contains("was not there"));
    Ocitag::new().run(["untag", &image]).fails(2, &["IMAGE:TAG"]);
    Ocitag::new().run(["untag", &format!("{image}@{digest}")]).fails(2, &["never deleted"]);
    world.fake.configure(|options| options.untag_unsupported = true);
    Ocitag::new().run(["untag", &format!("{image}:1")]).fails(6, &["try: "]);
    assert!(world.at("1").is_some());
    let deleted = world.fake.count(|r| r.method == "DELETE" && r.path.contains("sha256:"));
    assert_eq!(deleted, 0, "no digest is ever deleted");
    Ok(())
}
