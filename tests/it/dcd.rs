//! `ocitag dcd`: docker-ci-deploy's command line against registries.

use plimsoll_registry::fake::{FakeOptions, FakeRegistry};

use crate::ocitag::{Ocitag, Run};

fn dcd(args: &[&str]) -> Run {
    Ocitag::new().run(["dcd"].iter().chain(args))
}

#[test]
fn a_dry_run_is_offline_and_prints_what_would_be_pushed() {
    let run = dcd(&["--dry-run", "-V", "1.2.3", "-S", "-L", "registry.invalid/acme/cake:latest"]);
    let tags = ["1.2.3", "1.2", "1", "latest"];
    let lines: String =
        tags.iter().map(|tag| format!("registry.invalid/acme/cake:{tag}\n")).collect();
    assert_eq!(run.ok(), lines);
}

#[test]
fn a_release_moves_its_aliases_and_no_newer_one() {
    let fake = FakeRegistry::start(FakeOptions::default());
    let newer = fake.seed_image("acme/cake", "1.3.0", &["linux/amd64"]);
    fake.tag("acme/cake", "1", &newer);
    fake.tag("acme/cake", "latest", &newer);
    let built = fake.seed_image("acme/cake", "build-7", &["linux/arm64"]);
    let image = format!("{}/acme/cake:build-7", fake.host());
    let run = dcd(&["-t", "", "-V", "1.2.4", "-S", "-L", &image]);
    assert!(run.stdout.contains("1.3.0 is newer than 1.2.4"), "{run:?}");
    assert_eq!(run.code, 0, "{run:?}");
    let tags = fake.tags("acme/cake");
    assert_eq!((&tags["1.2.4"], &tags["1.2"]), (&built, &built));
    assert_eq!((&tags["1"], &tags["latest"]), (&newer, &newer));
}

#[test]
fn plain_tags_go_where_they_are_told_to() {
    let fake = FakeRegistry::start(FakeOptions::default());
    let built = fake.seed_image("acme/cake", "build-7", &["linux/arm64"]);
    let image = format!("{}/acme/cake:build-7", fake.host());
    dcd(&[&image, "--tag", "edge", "abc1234"]).ok();
    let tags = fake.tags("acme/cake");
    assert_eq!((&tags["edge"], &tags["abc1234"]), (&built, &built));
    assert_eq!(tags.len(), 3);
}

#[test]
fn another_registry_gets_a_copy() {
    let [from, to] = [0; 2].map(|_| FakeRegistry::start(FakeOptions::default()));
    let built = from.seed_image("acme/cake", "build-7", &["linux/amd64", "linux/arm64"]);
    let image = format!("{}/acme/cake:build-7", from.host());
    dcd(&["-r", &to.host(), "-t", "", "-V", "1.2.3", "-S", "-L", "--", &image]).ok();
    let tags = to.tags("acme/cake");
    for tag in ["1.2.3", "1.2", "1", "latest"] {
        assert_eq!(tags[tag], built, "{tag}");
    }
    assert_eq!(from.tags("acme/cake").len(), 1);
}

#[test]
fn one_bad_image_stops_the_run_before_any_write() {
    let fake = FakeRegistry::start(FakeOptions::default());
    fake.seed_image("acme/cake", "build-7", &["linux/amd64"]);
    let [good, missing] =
        ["cake:build-7", "tea:build-7"].map(|name| format!("{}/acme/{name}", fake.host()));
    dcd(&["-V", "1.2.3", "-S", &good, &missing]).fails(4, &["acme/tea"]);
    dcd(&["-V", "1.2.3", "-S", &good, "Bad"]).fails(2, &["\"Bad\""]);
    assert_eq!(fake.tags("acme/cake").len(), 1);
}

#[test]
fn help_and_wrong_options() {
    assert!(dcd(&["--help"]).ok().contains("--version-semver"));
    dcd(&["--bogus", "img"]).fails(2, &["--bogus"]);
    dcd(&["-S", "img"]).fails(2, &["--version"]);
}
