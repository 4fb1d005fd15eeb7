use proptest::prelude::*;

use super::*;

fn version(text: &str) -> VersionTag {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

/// Prerelease, build and variant of a tag.
fn parts(text: &str) -> (Option<String>, Option<String>, Option<String>) {
    let version = version(text);
    (version.prerelease, version.build, version.variant)
}

#[test]
fn edge_22_the_suffix_is_prerelease_build_and_variant() {
    let some = |text: &str| Some(text.to_owned());
    for (text, prerelease, build, variant) in [
        ("1.2.3", None, None, None),
        ("v1.2.3", None, None, None),
        ("1.2.3-rc.1", some("rc.1"), None, None),
        ("1.2.3-rc-1", some("rc-1"), None, None),
        ("1.2.3-4", some("4"), None, None),
        ("1.2.3-SNAPSHOT", some("SNAPSHOT"), None, None),
        ("1.2.3-M1", some("M1"), None, None),
        ("1.2.3-musl", None, None, some("musl")),
        ("1.2.3-devel", None, None, some("devel")),
        ("1.2.3-alpine3.19", None, None, some("alpine3.19")),
        ("1.2.3-rc.1-alpine3.19", some("rc.1"), None, some("alpine3.19")),
        ("1.2.3_build.5", None, some("build.5"), None),
        ("1.2.3_b5-alpine", None, some("b5"), some("alpine")),
        ("1.2.3-rc.1_b5-alpine", some("rc.1"), some("b5"), some("alpine")),
        ("1.2.3-debian-11-r5", None, None, some("debian-11-r5")),
        ("1.2.3-alpine-rc1", some("rc1"), None, some("alpine")),
        ("1.2.3-alpine_x", None, None, some("alpine_x")),
    ] {
        assert_eq!(parts(text), (prerelease, build, variant), "{text}");
        assert_eq!(version(text).to_string(), text);
    }
}

#[test]
fn edge_20_plus_is_written_as_underscore() {
    let version = version("1.2.3+build.5");
    assert_eq!(version.tag().as_str(), "1.2.3_build.5");
    assert_eq!(version.build(), Some("build.5"));
    assert!(matches!("1.2.3+a-b".parse::<VersionTag>(), Err(VersionError::DashInBuild(_))));
}

#[test]
fn edge_21_dates_hashes_and_leading_zeros_are_no_versions() {
    for text in [
        "20240101",
        "2024.01.01",
        "1.02.3",
        "01.2.3",
        "1.2.3-01",
        "1234567",
        "sha-abcdef0",
        "1.2",
        "1",
        "latest",
        "1.2.3.4",
        "v",
        "vv1.2.3",
        "1.2.",
        ".1.2",
        "1..2",
        "1.2.3-",
        "1.2.3--a",
        "1.2.3_",
        "1.2.3-rc..1",
        "1.2.3-rc_",
        "V1.2.3",
        "x1.2.3",
        "",
        "1.2.3-rc1_",
        "1.2.3-.a",
        "1.2.3-rc.1-.a",
    ] {
        assert!(text.parse::<VersionTag>().is_err(), "{text}");
    }
}

#[test]
fn edge_19_numbers_have_any_length() {
    let big = version("1.2.99999999999999999999999999");
    assert_eq!(big.precedence(&version("1.2.18446744073709551615")), Ordering::Greater);
    assert_eq!(version("1.10.0").precedence(&version("1.9.0")), Ordering::Greater);
}

/// The example of Semantic Versioning 2.0.0, §11.
#[test]
fn precedence_is_that_of_semantic_versioning() {
    let grammar = VersionGrammar::default();
    let ascending = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.0.1",
        "1.1.0",
        "2.0.0",
    ];
    let versions: Vec<_> = ascending.map(|text| grammar.parse(text).expect(text)).into();
    for (at, lower) in versions.iter().enumerate() {
        assert_eq!(lower.precedence(lower), Ordering::Equal);
        for higher in &versions[at + 1..] {
            assert_eq!(lower.precedence(higher), Ordering::Less, "{lower} {higher}");
            assert_eq!(higher.precedence(lower), Ordering::Greater, "{higher} {lower}");
        }
    }
}

#[test]
fn edge_22_a_variant_must_read_back_as_itself() {
    let grammar = VersionGrammar::default();
    let base = version("v1.2.3-rc.1");
    for good in ["alpine", "alpine3.19", "musl", "debian-11", "py3.11"] {
        let varied = base.with_variant(good, &grammar).expect(good);
        assert_eq!(varied.to_string(), format!("v1.2.3-rc.1-{good}"));
        assert_eq!((varied.prerelease(), varied.variant()), (Some("rc.1"), Some(good)));
    }
    assert_eq!(base.with_variant("", &grammar), Ok(base.clone()));
    for bad in ["rc1", "1", "1.2", "v1", "latest", "beta-alpine", "a b", "sha256-x", "3-x", "-x"] {
        assert!(base.with_variant(bad, &grammar).is_err(), "{bad}");
    }
    let alpine = version("1.2.3-alpine");
    assert!(matches!(alpine.with_variant("slim", &grammar), Err(VersionError::TwoVariants { .. })));
}

#[test]
fn edge_22_the_prerelease_words_are_configurable() {
    let grammar = VersionGrammar { prerelease_words: vec!["final".to_owned()] };
    assert_eq!(grammar.parse("1.2.3-final2").expect("legal").prerelease(), Some("final2"));
    assert_eq!(grammar.parse("1.2.3-rc1").expect("legal").variant(), Some("rc1"));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[v0-9a-c.+_-]{0,24}") {
        if let Ok(version) = text.parse::<VersionTag>() {
            prop_assert_eq!(version.to_string(), text.replace('+', "_"));
            prop_assert_eq!(version.tag().as_str().parse::<VersionTag>(), Ok(version.clone()));
        }
    }

    #[test]
    fn what_the_grammar_generates_reads_back(
        prefixed in any::<bool>(),
        core in "(0|[1-9][0-9]{0,22})(\\.(0|[1-9][0-9]{0,3})){2}",
        prerelease in prop::option::of("(rc|beta|alpha)(\\.(0|[1-9][0-9]?))?"),
        build in prop::option::of("[a-z0-9.]{1,6}"),
        variant in prop::option::of("(alpine|slim|bookworm)[0-9.]{0,3}(-x)?"),
    ) {
        let mut text = format!("{}{core}", if prefixed { "v" } else { "" });
        for (separator, part) in [('-', &prerelease), ('_', &build), ('-', &variant)] {
            if let Some(part) = part {
                text.push(separator);
                text.push_str(part);
            }
        }
        let version: VersionTag = text.parse().expect("generated from the grammar");
        prop_assert_eq!(version.is_prefixed(), prefixed);
        prop_assert_eq!(version.prerelease(), prerelease.as_deref());
        prop_assert_eq!(version.build(), build.as_deref());
        prop_assert_eq!(version.variant(), variant.as_deref());
    }
}
