use super::explore::{Counterexample, Explored, Orders, Scenario, Trouble};
use super::program::{Command, Driver, Source};
use crate::alias::{AliasPolicy, Precision};

/// A repository with one release and its aliases.
const ALIASED: &str = "1.2.2=old 1.2=old 1=old latest=old";

/// One without aliases.
const BARE: &str = "1.2.2=old";

const ALL: AliasPolicy =
    AliasPolicy { precision: Precision::Major, zero_major: false, latest: true };
const MINOR_AND_LATEST: AliasPolicy = AliasPolicy { precision: Precision::Minor, ..ALL };
const MINOR_AND_MAJOR: AliasPolicy = AliasPolicy { latest: false, ..ALL };
const ONLY_LATEST: AliasPolicy = AliasPolicy { precision: Precision::Patch, ..ALL };

/// A release of an image that is named by its digest; here images are named after versions.
fn release(versions: &'static str) -> Command {
    let image = versions.split(' ').next().expect("a version");
    Command {
        versions,
        image,
        source: Source::Digest,
        driver: Driver::Whole,
        concurrency: 8,
        together: false,
    }
}

/// `docker push` of the exact tag, and then a release of it.
fn pushed(version: &'static str) -> Command {
    Command { source: Source::Pushed, ..release(version) }
}

fn scenario<const N: usize>(world: &'static str, runs: [Command; N]) -> Scenario {
    let runs = runs.into();
    Scenario { world, policy: ALL, runs, trouble: Trouble::None, orders: Orders::Every }
}

/// Releases at once: what is being released is the name.
fn pairs() -> [(&'static str, Scenario); 14] {
    let one_by_one = |version| Command { concurrency: 1, ..release(version) };
    let together = |version| Command { together: true, ..release(version) };
    let same_image = Command { image: "1.2.4", ..release("1.3.0") };
    let alpine = "1.2.2-alpine=old 1.2-alpine=old alpine=old";
    [
        ("into nothing", scenario("", [release("1.2.4"), release("1.3.0")])),
        ("into one version", scenario(BARE, [release("1.2.4"), release("1.3.0")])),
        ("into aliases", scenario(ALIASED, [release("1.2.4"), release("1.3.0")])),
        ("after docker push", scenario(ALIASED, [pushed("1.2.4"), pushed("1.3.0")])),
        ("of one series", scenario(ALIASED, [release("1.2.3"), release("1.2.4")])),
        ("twice the same", scenario(ALIASED, [release("1.2.4"), release("1.2.4")])),
        ("with v and without", scenario(ALIASED, [release("1.2.4"), release("v1.3.0")])),
        ("of a variant", scenario(alpine, [release("1.2.4-alpine"), release("1.3.0-alpine")])),
        ("with a variant", scenario(BARE, [release("1.2.4 1.2.4-alpine"), release("1.3.0")])),
        ("with a prerelease", scenario(ALIASED, [release("1.2.4"), release("1.3.0-rc.1")])),
        ("of one image", scenario(BARE, [release("1.2.4"), same_image])),
        (
            "of what is latest already",
            scenario("1.2.2=old 1.2=old 1=old latest=1.3.0", [release("1.2.4"), release("1.3.0")]),
        ),
        ("one by one", scenario(ALIASED, [one_by_one("1.2.4"), one_by_one("1.3.0")])),
        ("all in one", scenario(ALIASED, [together("1.2.4"), together("1.3.0")])),
    ]
}

impl Scenario {
    fn with(self, trouble: Trouble, orders: Orders) -> Self {
        Self { trouble, orders, ..self }
    }

    #[track_caller]
    fn holds(&self) -> Explored {
        self.explore().unwrap_or_else(|counterexample| panic!("{self:?}\n{counterexample}"))
    }

    #[track_caller]
    fn breaks(&self) -> Counterexample {
        self.explore().expect_err("a counterexample")
    }
}

/// States, and ways through them. Exact, so that a check cannot shrink to nothing unnoticed.
fn size(explored: &Explored) -> (usize, u128) {
    (explored.states, explored.interleavings)
}

/// The sizes of all [`pairs`].
#[track_caller]
fn all_hold(trouble: Trouble, orders: Orders, sizes: [(&str, usize, u128); 14]) {
    let pairs = pairs().map(|(name, pair)| {
        let (states, interleavings) = size(&pair.with(trouble, orders).holds());
        (name, states, interleavings)
    });
    assert_eq!(pairs, sizes);
}

#[test]
fn rule_7_two_runs_end_with_every_alias_on_its_maximum() {
    all_hold(
        Trouble::None,
        Orders::Every,
        [
            ("into nothing", 10_694, 1_699_340_764),
            ("into one version", 10_694, 1_699_340_764),
            ("into aliases", 13_882, 5_884_110_745_344),
            ("after docker push", 10_685, 7_231_286_264_040),
            ("of one series", 27_337, 81_474_693_216_768),
            ("twice the same", 2_092, 1_572_006_528),
            ("with v and without", 7_525, 666_758_625_600),
            ("of a variant", 10_045, 126_535_707_576),
            ("with a variant", 315_515, 499_884_991_101_552),
            ("with a prerelease", 236, 209_664),
            ("of one image", 4_688, 616_795_454),
            ("of what is latest already", 62_722, 1_767_521_305_298_034_240),
            ("one by one", 2_512, 117_565_016),
            ("all in one", 11_823, 1_524_570_960_492),
        ],
    );
}

#[test]
fn rule_6_a_run_that_is_killed_leaves_no_alias_ahead_and_can_be_run_again() {
    all_hold(
        Trouble::Killed,
        Orders::Different,
        [
            ("into nothing", 1_065, 44_798),
            ("into one version", 1_065, 44_798),
            ("into aliases", 1_940, 2_545_576),
            ("after docker push", 1_592, 591_746),
            ("of one series", 6_429, 688_590_248),
            ("twice the same", 1_212, 7_142_084),
            ("with v and without", 765, 43_320),
            ("of a variant", 1_423, 176_683),
            ("with a variant", 3_715, 6_349_687),
            ("with a prerelease", 157, 183),
            ("of one image", 663, 15_405),
            ("of what is latest already", 2_793, 37_312_694),
            ("one by one", 1_464, 99_633),
            ("all in one", 1_530, 686_380),
        ],
    );
}

#[test]
fn rule_8_a_request_that_fails_is_reported_or_harmless() {
    all_hold(
        Trouble::Error,
        Orders::Different,
        [
            ("into nothing", 42_011, 34_389_623),
            ("into one version", 42_011, 34_389_623),
            ("into aliases", 70_940, 2_507_904_892),
            ("after docker push", 19_657, 16_702_438),
            ("of one series", 658_007, 1_586_176_804_451_410),
            ("twice the same", 124_329, 925_534_458_732_622),
            ("with v and without", 9_469, 138_220),
            ("of a variant", 56_399, 118_869_038),
            ("with a variant", 97_268, 51_006_499),
            ("with a prerelease", 1_002, 276),
            ("of one image", 18_437, 20_663_734),
            ("of what is latest already", 63_551, 1_754_290_568),
            ("one by one", 58_938, 64_703_637),
            ("all in one", 76_171, 2_756_454_426),
        ],
    );
}

#[test]
fn a_run_alone_is_killed_or_fails_at_any_point() {
    let sizes = [Trouble::None, Trouble::Killed, Trouble::Error].map(|trouble| {
        size(&scenario(ALIASED, [release("1.2.4")]).with(trouble, Orders::Every).holds())
    });
    assert_eq!(sizes, [(24, 48), (30, 306), (143, 553)]);
}

#[test]
fn two_runs_with_two_variants_each() {
    let world = "1.2.2=old 1.2=old latest=old 1.2.2-alpine=old alpine=old";
    let runs = [release("1.2.4 1.2.4-alpine"), release("1.3.0 1.3.0-alpine")];
    let variants = scenario(world, runs).with(Trouble::None, Orders::Different);
    assert_eq!(size(&variants.holds()), (101_867, 30_914_960_064));
}

fn three(world: &'static str, policy: AliasPolicy) -> Scenario {
    let runs = [release("1.2.3"), release("1.2.4"), release("1.3.0")];
    Scenario { policy, ..scenario(world, runs).with(Trouble::None, Orders::Different) }
}

#[test]
fn rule_7_three_runs_with_minor_and_latest() {
    assert_eq!(size(&three(ALIASED, MINOR_AND_LATEST).holds()), (776_622, 58_789_872_355));
}

#[test]
fn rule_7_three_runs_with_minor_and_major() {
    assert_eq!(size(&three(BARE, MINOR_AND_MAJOR).holds()), (419_429, 965_019_348));
}

#[test]
fn rule_7_three_runs_after_docker_push() {
    let runs = ["1.2.3", "1.2.4", "1.3.0"].map(pushed).into();
    let three = Scenario { runs, ..three(ALIASED, MINOR_AND_LATEST) };
    assert_eq!(size(&three.holds()), (146_686, 1_963_237_634));
}

#[test]
fn rule_7_three_runs_with_v_and_without_and_all_aliases() {
    let runs = ["1.2.3", "v1.2.4", "1.3.0"].map(release);
    let three = scenario(ALIASED, runs).with(Trouble::None, Orders::Different);
    assert_eq!(size(&three.holds()), (426_302, 9_659_889_538));
}

#[test]
fn rule_7_three_runs_with_a_prerelease_and_all_aliases() {
    let runs = ["1.2.3", "1.2.4", "1.3.0-rc.1"].map(release);
    let three = scenario(ALIASED, runs).with(Trouble::None, Orders::Different);
    assert_eq!(size(&three.holds()), (134_608, 110_106_783_120));
}

#[test]
fn rule_7_three_runs_two_of_them_the_same_with_all_aliases() {
    let runs = ["1.2.4", "1.2.4", "1.3.0"].map(release);
    let three = scenario(BARE, runs).with(Trouble::None, Orders::Different);
    assert_eq!(size(&three.holds()), (281_177, 67_609_562_594));
}

#[test]
fn rule_6_one_of_three_runs_is_killed() {
    for (world, expected) in [(ALIASED, (82_485, 13_688_066)), (BARE, (42_652, 621_364))] {
        let three = three(world, ONLY_LATEST).with(Trouble::Killed, Orders::Different);
        assert_eq!(size(&three.holds()), expected);
    }
}

/// Two gigabytes, and without optimisation more than a minute:
/// `cargo test --release -p plimsoll-registry --lib three_runs`.
#[cfg(not(debug_assertions))]
#[test]
fn rule_7_three_runs_with_all_aliases() {
    let runs = ["1.2.3", "1.2.4", "1.3.0"].map(pushed).into();
    let pushed = Scenario { runs, ..three(BARE, ALL) };
    assert_eq!(size(&pushed.holds()), (3_662_602, 5_213_713_598_831_577));
    assert_eq!(size(&three(BARE, ALL).holds()), (12_123_888, 347_607_501_273_805));
}

/// That the orders which [`Orders::Different`] leaves out lead nowhere else.
#[test]
fn leaving_orders_out_changes_no_end() {
    let same_ends = |pair: &Scenario, trouble| {
        let every = pair.clone().with(trouble, Orders::Every).holds();
        let different = pair.clone().with(trouble, Orders::Different).holds();
        assert_eq!(every.ends, different.ends);
        assert!(different.states < every.states);
    };
    let pushed = scenario(ALIASED, [pushed("1.2.4"), pushed("1.3.0")]);
    let same = scenario(ALIASED, [release("1.2.4"), release("1.2.4")]);
    for trouble in [Trouble::None, Trouble::Killed, Trouble::Error] {
        same_ends(&pushed, trouble);
        same_ends(&same, trouble);
    }
}

/// That the checker sees what it is there to see: the same runs with one rule left out.
fn left_out(driver: Driver) -> Scenario {
    let run = |version| Command { driver, ..release(version) };
    scenario(ALIASED, [run("1.2.4"), run("1.3.0")])
}

#[test]
fn without_rule_7_an_alias_is_overtaken() {
    let counterexample = left_out(Driver::NoSecondLook).breaks().to_string();
    let lines: Vec<_> = counterexample.lines().map(str::trim).collect();
    assert_eq!(
        lines,
        [
            "latest: not on the highest version",
            "1. A 1.2.4  list tags: 1 1.2 1.2.2 latest",
            "2. A 1.2.4  get [1.2.4]: [1.2.4]",
            "3. A 1.2.4  head 1: [old]",
            "4. A 1.2.4  head 1.2: [old]",
            "5. A 1.2.4  head latest: [old]",
            "6. A 1.2.4  get [1.2.4]: [1.2.4]",
            "7. A 1.2.4  put 1.2.4 := [1.2.4]",
            "8. A 1.2.4  put 1.2 := [1.2.4]",
            "9. A 1.2.4  put 1 := [1.2.4]",
            "10. B 1.3.0  list tags: 1 1.2 1.2.2 1.2.4 latest",
            "11. B 1.3.0  get [1.3.0]: [1.3.0]",
            "12. B 1.3.0  head 1: [1.2.4]",
            "13. B 1.3.0  head latest: [old]",
            "14. B 1.3.0  get [1.3.0]: [1.3.0]",
            "15. B 1.3.0  put 1.3.0 := [1.3.0]",
            "16. B 1.3.0  put 1.3 := [1.3.0]",
            "17. B 1.3.0  put 1 := [1.3.0]",
            "18. B 1.3.0  put latest := [1.3.0]",
            "19. A 1.2.4  put latest := [1.2.4]",
            "1=[1.3.0] 1.2=[1.2.4] 1.2.2=[old] 1.2.4=[1.2.4] 1.3=[1.3.0] 1.3.0=[1.3.0] latest=[1.2.4]",
        ]
    );
}

#[test]
fn without_rule_6_an_alias_is_ahead() {
    let counterexample = left_out(Driver::Backwards).breaks().to_string();
    let lines: Vec<_> = counterexample.lines().map(str::trim).collect();
    assert_eq!(
        lines,
        [
            "latest: ahead of its exact tag",
            "1. A 1.2.4  list tags: 1 1.2 1.2.2 latest",
            "2. A 1.2.4  get [1.2.4]: [1.2.4]",
            "3. A 1.2.4  head 1: [old]",
            "4. A 1.2.4  head 1.2: [old]",
            "5. A 1.2.4  head latest: [old]",
            "6. A 1.2.4  get [1.2.4]: [1.2.4]",
            "7. A 1.2.4  put latest := [1.2.4]",
            "1=[old] 1.2=[old] 1.2.2=[old] latest=[1.2.4]",
        ]
    );
}

#[test]
fn without_rule_3_an_alias_goes_backwards() {
    let counterexample = left_out(Driver::NoGuard).breaks().to_string();
    let lines: Vec<_> = counterexample.lines().map(str::trim).collect();
    assert_eq!(
        lines,
        [
            "latest: not on the highest version",
            "1. A 1.2.4  get [1.2.4]: [1.2.4]",
            "2. A 1.2.4  head 1.2.4: no such tag",
            "3. A 1.2.4  get [1.2.4]: [1.2.4]",
            "4. A 1.2.4  put 1.2.4 := [1.2.4]",
            "5. A 1.2.4  put 1.2 := [1.2.4]",
            "6. A 1.2.4  put 1 := [1.2.4]",
            "7. B 1.3.0  get [1.3.0]: [1.3.0]",
            "8. B 1.3.0  head 1.3.0: no such tag",
            "9. B 1.3.0  get [1.3.0]: [1.3.0]",
            "10. B 1.3.0  put 1.3.0 := [1.3.0]",
            "11. B 1.3.0  put 1.3 := [1.3.0]",
            "12. B 1.3.0  put 1 := [1.3.0]",
            "13. B 1.3.0  put latest := [1.3.0]",
            "14. A 1.2.4  put latest := [1.2.4]",
            "1=[1.3.0] 1.2=[1.2.4] 1.2.2=[old] 1.2.4=[1.2.4] 1.3=[1.3.0] 1.3.0=[1.3.0] latest=[1.2.4]",
        ]
    );
}
