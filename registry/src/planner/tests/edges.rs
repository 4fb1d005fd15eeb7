//! Edges of the rules: what is stable, what is yanked, what ties.

use std::collections::BTreeSet;

use super::*;

fn yanked(release: Release, tags: &str) -> Release {
    Release { yanked: tags.split_whitespace().map(tag).collect(), ..release }
}

#[test]
fn edge_19_a_back_port_a_prerelease_and_zero_move_no_alias_of_others() {
    let world = World::new("1.3.0=b 1.3=b 1=b latest=b 1.2.3-alpine=c alpine=c");
    let moved = |version: &str| -> Vec<String> {
        let plan = world.plan(&release(version), version);
        plan.steps.iter().skip(1).map(|step| step.tag.to_string()).collect()
    };
    assert_eq!(moved("1.2.4"), ["1.2"]);
    assert_eq!(moved("1.4.0-rc.1"), [""; 0]);
    assert_eq!(moved("1.2.10"), ["1.2"]);
    assert_eq!(moved("1.10.0"), ["1.10", "1", "latest"]);
    assert_eq!(moved("1.2.4-alpine"), ["1.2-alpine", "1-alpine", "alpine"]);
    assert_eq!(moved("0.9.0"), ["0.9"]);
}

#[test]
fn edge_21_v_and_no_v_of_one_image_are_one() {
    let world = World::new("v1.2.3=a v1.2=a v1=a latest=a");
    let plan = world.plan(&release("1.2.3"), "a");
    assert_eq!(plan.conflicts, []);
    assert_eq!(lines(&plan).last().expect("a line"), "latest there");
}

#[test]
fn edge_24_a_yanked_version_keeps_no_alias_from_another() {
    // The aliases were moved off 1.3.0 before.
    let world = World::new("1.2.4=a 1.3.0=broken 1.2=a 1=a latest=a");
    let kept = world.plan(&release("1.2.5"), "b");
    assert_eq!(lines(&kept)[2..], ["move 1 to 1.3.0", "move latest to 1.3.0"]);
    let plan = world.plan(&yanked(release("1.2.5"), "1.3.0"), "b");
    assert_eq!(
        lines(&plan),
        ["create 1.2.5 to 1.2.5", "move 1.2 to 1.2.5", "move 1 to 1.2.5", "move latest to 1.2.5"]
    );
}

#[test]
fn edge_24_an_alias_moves_down_only_when_that_is_allowed() {
    let world = World::new("1.2.4=a 1.3.0=broken 1.2=a 1=broken latest=broken");
    let mut release = yanked(release("1.2.4"), "1.3.0");
    let plan = world.plan(&release, "a");
    assert!(plan.is_empty(), "{plan:?}");
    let reason = &plan.skips.last().expect("latest").reason;
    let SkipReason::Yanked { versions, digest, instead } = reason else { panic!("{reason:?}") };
    assert_eq!((versions.as_slice(), instead), ([tag("1.3.0")].as_slice(), &tag("1.2.4")));
    assert_eq!(*digest, image("broken").digest);

    release.allow_downgrade = true;
    let plan = world.plan(&release, "a");
    assert_eq!(
        lines(&plan),
        ["move 1 to 1.2.4", "move latest to 1.2.4", "1.2.4 there", "1.2 there"]
    );
}

#[test]
fn edge_24_a_move_up_from_a_yanked_version_needs_no_leave() {
    let world = World::new("1.3.0=broken 1.3=broken 1=broken latest=broken");
    let plan = world.plan(&yanked(release("1.3.1"), "1.3.0"), "fix");
    assert_eq!(lines(&plan).len(), 4);
    assert!(lines(&plan)[1..].iter().all(|line| line.starts_with("move ")));
}

#[test]
fn edge_24_a_yanked_version_under_another_leader_stays_or_moves_to_that() {
    let world = World::new("1.2.4=a 1.2.9=z 1.3.0=broken 1.2=z 1=broken latest=z");
    let mut release = yanked(release("1.2.4"), "1.3.0");
    assert_eq!(world.plan(&release, "a").steps, []);
    release.allow_downgrade = true;
    assert_eq!(lines(&world.plan(&release, "a"))[0], "move 1 to 1.2.9");
}

#[test]
fn edge_24_what_is_on_a_yanked_version_has_to_be_known() {
    let world = World::new("1.2.4=a 1.3.0=broken 1=broken");
    let release = yanked(release("1.2.4"), "1.3.0 9.9.9");
    let mut observation = world.observe(&release, image("a"));
    assert_eq!(plan(&release, &observation).conflicts, []);
    observation.seen.remove(&tag("1.3.0"));
    let expected = Conflict::NotSeen { tag: tag("1.3.0") };
    assert_eq!(plan(&release, &observation).conflicts, [expected]);
    let asked: BTreeSet<_> = release.tags_to_see(&observation.listing);
    assert!(asked.contains(&tag("1.3.0")) && !asked.contains(&tag("9.9.9")));
}

#[test]
fn edge_24_a_yanked_list_is_json_and_back() {
    let release = Release { allow_downgrade: true, ..yanked(release("1.2.4"), "1.3.0") };
    let json = serde_json::to_string(&release).expect("a release is JSON");
    assert_eq!(serde_json::from_str::<Release>(&json).expect("and back"), release);
}
