mod edges;

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::alias::{AliasPolicy, Precision};
use crate::manifest::MediaType;

/// A repository reduced to what the planner can see of it.
#[derive(Clone, Debug, Default, PartialEq)]
struct World(BTreeMap<Tag, Digest>);

fn tag(text: &str) -> Tag {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn image(name: &str) -> Descriptor {
    let media_type = MediaType::new(MediaType::OCI_INDEX);
    Descriptor { media_type, digest: Digest::sha256(name.as_bytes()), size: 2 }
}

fn release(version: &str) -> Release {
    let version = version.parse().unwrap_or_else(|error| panic!("{error}"));
    Release::new(vec![version], AliasPolicy::default())
}

impl World {
    /// Tags, each with the name of its image: `"1.2.3=a latest=b"`.
    fn new(tags: &str) -> Self {
        let pairs = tags.split_whitespace().map(|pair| {
            let (name, content) = pair.split_once('=').expect("tag=image");
            (tag(name), image(content).digest)
        });
        Self(pairs.collect())
    }

    /// Looks at exactly what the release says it needs, as the effectful side does.
    fn observe(&self, release: &Release, source: Descriptor) -> Observation {
        let listing = match release.guard {
            Guard::Full => Listing::Complete(self.0.keys().cloned().collect()),
            Guard::Off => Listing::NotRead,
        };
        let found = |tag: &Tag| {
            let digest = self.0.get(tag)?.clone();
            Some(Descriptor { digest, ..image("") })
        };
        let seen = release.tags_to_see(&listing).into_iter();
        let seen = seen.map(|tag| (tag.clone(), found(&tag))).collect();
        Observation { schema: SCHEMA, repository: "acme/cake".to_owned(), source, listing, seen }
    }

    fn plan(&self, release: &Release, content: &str) -> Plan {
        plan(release, &self.observe(release, image(content)))
    }

    fn apply(&mut self, plan: &Plan) {
        for step in &plan.steps {
            self.0.insert(step.tag.clone(), step.target.digest.clone());
        }
    }
}

/// The plan in one line a tag, for reading.
fn lines(plan: &Plan) -> Vec<String> {
    let steps = plan.steps.iter().map(|step| {
        let verb = if step.previous == Previous::Absent { "create" } else { "move" };
        format!("{verb} {} to {}", step.tag, step.version)
    });
    let skips = plan.skips.iter().map(|skip| match &skip.reason {
        SkipReason::AlreadyThere { .. } => format!("{} there", skip.tag),
        SkipReason::Newer { versions, .. } => format!("{} kept at {versions:?}", skip.tag),
        SkipReason::Undecided { versions } => format!("{} undecided {versions:?}", skip.tag),
        SkipReason::Yanked { versions, .. } => format!("{} kept at {versions:?}", skip.tag),
        SkipReason::Prerelease => format!("{} prerelease", skip.tag),
        SkipReason::ZeroMajor => format!("{} zero", skip.tag),
    });
    let conflicts = plan.conflicts.iter().map(ToString::to_string);
    steps.chain(skips).chain(conflicts).collect()
}

#[test]
fn a_first_release_creates_everything_from_narrow_to_broad() {
    let world = World::new("build-7=a");
    let lines = lines(&world.plan(&release("1.2.3"), "a"));
    assert_eq!(
        lines,
        [
            "create 1.2.3 to 1.2.3",
            "create 1.2 to 1.2.3",
            "create 1 to 1.2.3",
            "create latest to 1.2.3"
        ]
    );
}

#[test]
fn a_back_port_moves_its_own_minor_and_nothing_else() {
    let world = World::new("1.2.3=a 1.2.4=c 1.3.0=b 1.2=a 1.3=b 1=b latest=b");
    assert_eq!(
        lines(&world.plan(&release("1.2.4"), "c")),
        [
            "move 1.2 to 1.2.4",
            "1.2.4 there",
            r#"1 kept at ["1.3.0"]"#,
            r#"latest kept at ["1.3.0"]"#
        ]
    );
}

#[test]
fn an_alias_that_is_not_on_its_leader_is_put_there() {
    let world = World::new("1.2.3=a 1.2.4=c 1.3.0=b 1=a");
    assert_eq!(
        lines(&world.plan(&release("1.2.4"), "c")),
        ["create 1.2 to 1.2.4", "move 1 to 1.3.0", "create latest to 1.3.0", "1.2.4 there",]
    );
}

#[test]
fn a_prerelease_moves_no_alias() {
    let world = World::new("1.2.3=a latest=a");
    assert_eq!(
        lines(&world.plan(&release("1.3.0-rc.1"), "b")),
        ["create 1.3.0-rc.1 to 1.3.0-rc.1", "1.3 prerelease", "1 prerelease", "latest prerelease"]
    );
}

#[test]
fn an_exact_tag_is_immutable_unless_forced() {
    let world = World::new("1.2.3=a 1.2=a 1=a latest=a");
    let mut release = release("1.2.3");
    let refused = world.plan(&release, "b");
    assert!(matches!(refused.conflicts[..], [Conflict::ExactTagTaken { .. }]));
    release.force = true;
    let forced = world.plan(&release, "b");
    assert_eq!(forced.conflicts, []);
    assert_eq!(lines(&forced)[0], "move 1.2.3 to 1.2.3");
}

#[test]
fn several_variants_are_written_breadth_by_breadth() {
    let mut release = release("1.2.3");
    let alpine = release.versions[0].with_variant("alpine", &release.grammar).expect("a variant");
    release.versions.push(alpine);
    let plan = World::default().plan(&release, "a");
    let tags: Vec<_> = plan.steps.iter().map(|step| step.tag.as_str()).collect();
    assert_eq!(
        tags,
        ["1.2.3", "1.2.3-alpine", "1.2", "1.2-alpine", "1", "1-alpine", "latest", "alpine"]
    );
}

#[test]
fn edge_20_builds_of_one_version_are_a_tie_that_force_decides() {
    let world = World::new("1.2.3_b1=a latest=a");
    let mut release = release("1.2.3_b2");
    let conflicts = world.plan(&release, "b").conflicts;
    assert_eq!(conflicts.len(), 3);
    assert!(conflicts[0].to_string().contains("1.2.3_b1 and 1.2.3_b2"), "{}", conflicts[0]);
    assert_eq!(world.plan(&release, "a").conflicts, [], "the same image is no tie");
    release.force = true;
    assert_eq!(lines(&world.plan(&release, "b")).last().expect("steps"), "move latest to 1.2.3_b2");
}

#[test]
fn edge_21_v_and_no_v_must_agree_on_latest() {
    let world = World::new("v1.2.3=a latest=a");
    assert_eq!(world.plan(&release("1.2.3"), "a").conflicts, []);
    let plan = world.plan(&release("1.2.3"), "b");
    assert!(
        matches!(&plan.conflicts[..], [Conflict::Tie { alias, .. }] if *alias == Tag::latest())
    );
}

#[test]
fn newer_versions_that_disagree_leave_an_alias_undecided() {
    let world = World::new("1.3.0_b1=a 1.3.0_b2=b 1.2.3=c latest=c 1=b");
    assert_eq!(
        lines(&world.plan(&release("1.2.3"), "c"))[1..],
        [
            "1.2.3 there",
            r#"1 kept at ["1.3.0_b1", "1.3.0_b2"]"#,
            r#"latest undecided ["1.3.0_b1", "1.3.0_b2"]"#
        ]
    );
}

#[test]
fn rule_9_what_was_not_seen_is_never_absent() {
    let world = World::new("1.2.3=a 1.3.0=b 1=b latest=b 1.2=a");
    let release = release("1.2.3");
    let complete = world.observe(&release, image("a"));
    assert_eq!(plan(&release, &complete).conflicts, []);
    for hidden in complete.seen.keys() {
        let mut observation = complete.clone();
        observation.seen.remove(hidden);
        let expected = Conflict::NotSeen { tag: hidden.clone() };
        assert_eq!(plan(&release, &observation).conflicts, [expected], "{hidden} hidden");
    }
    let observation = complete;
    for vanished in ["1.3.0", "1.2.3"] {
        let mut observation = observation.clone();
        observation.seen.insert(tag(vanished), None);
        let expected = Conflict::Vanished { tag: tag(vanished) };
        assert_eq!(plan(&release, &observation).conflicts, [expected]);
    }
}

#[test]
fn without_a_guard_aliases_move_unseen_and_the_exact_tag_is_still_guarded() {
    let world = World::new("1.2.3=a 2.0.0=b latest=b");
    let mut release = release("1.2.3");
    release.guard = Guard::Off;
    let plan = world.plan(&release, "a");
    assert_eq!(plan.conflicts, []);
    assert!(plan.steps.iter().all(|step| step.previous == Previous::NotRead));
    assert_eq!(plan.steps.len(), 3);
    assert!(matches!(world.plan(&release, "x").conflicts[..], [Conflict::ExactTagTaken { .. }]));
    release.force = true;
    assert_eq!(world.plan(&release, "x").steps.len(), 4);
}

#[test]
fn plain_tags_go_where_they_are_told_and_only_some_aliases_may_be_asked_for() {
    let world = World::new("1.3.0=b latest=b nightly=b 1=b stable=c");
    let mut release = release("1.2.4");
    release.plain = vec![tag("nightly"), tag("edge"), tag("stable")];
    release.only = Some([tag("1.2.4"), tag("latest")].into());
    assert_eq!(
        lines(&world.plan(&release, "c")),
        [
            "create 1.2.4 to 1.2.4",
            "move nightly to nightly",
            "create edge to edge",
            "stable there",
            r#"latest kept at ["1.3.0"]"#,
        ]
    );
}

#[test]
fn a_release_is_json_and_back() {
    let mut release = release("v1.2.3-rc.1");
    for (only, plain) in [(None, vec![]), (Some([tag("a")].into()), vec![tag("b")])] {
        (release.only, release.plain) = (only, plain);
        let json = serde_json::to_string(&release).expect("a release is JSON");
        assert_eq!(serde_json::from_str::<Release>(&json).expect("and back"), release);
    }
}

#[test]
fn zero_is_skipped_with_its_reason() {
    let plan = World::default().plan(&release("0.4.1"), "a");
    assert_eq!(plan.steps.len(), 3);
    assert_eq!(lines(&plan)[3], "0 zero");
}

/// A version as the generator knows it: the oracle never parses a tag.
#[derive(Clone, Debug, PartialEq)]
struct Made {
    prefixed: bool,
    core: (u8, u8, u8),
    prerelease: Option<u8>,
    variant: Option<&'static str>,
}

/// Whether a version belongs to a series.
type InSeries<'m> = Box<dyn Fn(&Made) -> bool + 'm>;

impl Made {
    fn text(&self) -> String {
        let (major, minor, patch) = self.core;
        let mut text = format!("{}{major}.{minor}.{patch}", if self.prefixed { "v" } else { "" });
        if let Some(number) = self.prerelease {
            text += &format!("-rc.{number}");
        }
        if let Some(variant) = self.variant {
            text += &format!("-{variant}");
        }
        text
    }

    /// Its aliases, and for each whether another version is of that series.
    fn aliases(&self) -> Vec<(String, InSeries<'_>)> {
        let v = if self.prefixed { "v" } else { "" };
        let suffix = self.variant.map(|variant| format!("-{variant}")).unwrap_or_default();
        let (major, minor, _) = self.core;
        let own = move |other: &Made| other.prerelease.is_none() && other.variant == self.variant;
        let same_v = move |other: &Made| own(other) && other.prefixed == self.prefixed;
        let mut aliases: Vec<(String, InSeries<'_>)> = vec![
            (
                format!("{v}{major}.{minor}{suffix}"),
                Box::new(move |o| same_v(o) && (o.core.0, o.core.1) == (major, minor)),
            ),
            (self.variant.unwrap_or("latest").to_owned(), Box::new(own)),
        ];
        if major > 0 {
            let of_major = move |o: &Made| same_v(o) && o.core.0 == major;
            aliases.push((format!("{v}{major}{suffix}"), Box::new(of_major)));
        }
        aliases
    }
}

fn made() -> impl Strategy<Value = Made> {
    let prerelease = prop::option::weighted(0.2, 0u8..12);
    let variant = prop::option::weighted(0.3, prop::sample::select(vec!["alpine", "slim"]));
    (any::<bool>(), (0u8..3, 0u8..3, 0u8..12), prerelease, variant).prop_map(
        |(prefixed, core, prerelease, variant)| Made { prefixed, core, prerelease, variant },
    )
}

/// Aliases of anything, pointing at anything, as a repository tagged by hand has them.
fn stray_aliases() -> impl Strategy<Value = Vec<(Made, usize, u8)>> {
    prop::collection::vec((made(), 0usize..3, any::<u8>()), 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// The promise of the whole project.
    #[test]
    fn every_alias_ends_on_the_highest_version_of_its_series(
        history in prop::collection::vec(made(), 1..12),
        strays in stray_aliases(),
    ) {
        let mut world = World::default();
        for (of, nth, content) in strays {
            let aliases = of.aliases();
            let (alias, _) = &aliases[nth % aliases.len()];
            world.0.insert(tag(alias), image(&format!("stray-{content}")).digest);
        }
        let mut released: Vec<Made> = Vec::new();
        for version in history {
            let text = version.text();
            let release = release(&text);
            // One image a version: a second release of it is a re-run.
            let before = world.clone();
            let plan = world.plan(&release, &text);
            prop_assert_eq!(&plan, &world.plan(&release, &text), "plans are deterministic");
            if !plan.conflicts.is_empty() {
                // Only the same version with and without its v can clash here.
                let twin = |other: &Made| Made { prefixed: !other.prefixed, ..other.clone() };
                prop_assert!(released.iter().any(|other| twin(other) == version), "{plan:?}");
                continue;
            }
            world.apply(&plan);
            for other in &released {
                let exact = tag(&other.text());
                prop_assert_eq!(before.0.get(&exact), world.0.get(&exact), "exact tags never change");
            }
            if version.prerelease.is_some() {
                let mut expected = before.clone();
                expected.0.insert(tag(&text), image(&text).digest);
                prop_assert_eq!(&expected, &world, "a prerelease moves nothing");
            }
            prop_assert!(world.plan(&release, &text).is_empty(), "a second run has nothing to do");
            released.push(version);
        }
        for version in released.iter().filter(|version| version.prerelease.is_none()) {
            for (alias, of_series) in version.aliases() {
                let series = released.iter().filter(|other| of_series(other));
                let highest = series.max_by_key(|other| other.core).expect("itself at least");
                let at = world.0.get(alias.as_str());
                prop_assert_eq!(at, Some(&image(&highest.text()).digest), "{}", alias);
            }
        }
    }

    /// Whatever was seen or not, a plan is made, and never both writes and is forbidden a tag.
    #[test]
    fn the_planner_is_total(
        incoming in made(),
        existing in prop::collection::vec(made(), 0..6),
        hidden in prop::collection::vec(any::<bool>(), 16),
        guarded in any::<bool>(),
        force in any::<bool>(),
        precision in prop::sample::select(vec![Precision::Major, Precision::Minor, Precision::Patch]),
    ) {
        let mut release = release(&incoming.text());
        release.guard = if guarded { Guard::Full } else { Guard::Off };
        release.force = force;
        release.policy.precision = precision;
        let mut world = World::default();
        for other in &existing {
            world.0.insert(tag(&other.text()), image(&other.text()).digest);
        }
        let mut observation = world.observe(&release, image("new"));
        let mut hidden = hidden.into_iter();
        observation.seen.retain(|_, _| !hidden.next().unwrap_or(false));
        let plan = plan(&release, &observation);
        let mut tags: Vec<_> = plan.steps.iter().map(|step| &step.tag)
            .chain(plan.skips.iter().map(|skip| &skip.tag)).collect();
        let count = tags.len();
        tags.sort();
        tags.dedup();
        prop_assert_eq!(tags.len(), count, "each tag has one fate");
        prop_assert!(plan.steps.is_sorted_by_key(|step| step.breadth));
        let json = serde_json::to_string(&plan).expect("plans are JSON");
        prop_assert_eq!(serde_json::from_str::<Plan>(&json).expect("and back"), plan);
    }
}
