//! Fault injection at every request of a promotion: within a registry, where blobs are mounted,
//! and between two, where they travel. Whatever fails, and whenever, the tags are all old, all
//! new, or exactly what the report says; nothing is there without what it consists of; and the
//! same command completes what is left.

use plimsoll_registry::Tag;
use plimsoll_registry::fake::{Answer, Fault, FaultRule};

use crate::fault_kinds::{everywhere, is_a_liar, kinds};
use crate::promotion::{TO, Way, World};

/// What can go wrong, with what passes by itself in all its forms.
fn all_kinds() -> Vec<(&'static str, Fault)> {
    let mut kinds = kinds();
    kinds.extend([
        ("400", Fault::Answer(Answer::new(400))),
        ("408", Fault::Answer(Answer::new(408))),
        ("502", Fault::Answer(Answer::html(502))),
        ("503", Fault::Answer(Answer::new(503).header("Retry-After", "0"))),
        ("cut upload", Fault::CutUpload(100)),
        ("wrong bytes", Fault::WrongBytes),
        ("short length", Fault::ShortLength),
        ("expired tokens", Fault::ExpireTokens),
    ]);
    kinds
}

fn once(way: Way) {
    for (side, requests) in way.requests() {
        everywhere(requests, &all_kinds(), |index, name, fault| {
            let world = World::new(way);
            world.side(side).fail(FaultRule::nth(index, fault));
            let context = format!("{way:?}, {side:?}, request {index}: {name}");
            let run = if name == "stall" {
                // Ends with its time; on a slow machine also before the request that stalls.
                world.promote_in_haste()
            } else {
                let run = world.promote("60");
                assert_eq!(world.side(side).pending_faults(), 0, "{context}: it did not strike");
                run
            };
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
    for way in [Way::Within, Way::Between, Way::Copy, Way::Large] {
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
