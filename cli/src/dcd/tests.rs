//! Tests of the whole: arguments in, references out.

use plimsoll_registry::{Leader, VersionTag};
use proptest::prelude::*;

use super::*;

fn run(args: &str) -> Result<Dcd, DcdError> {
    let args: Vec<_> = args.split_whitespace().map(|arg| arg.replace("''", "")).collect();
    match Dcd::parse(&args)? {
        DcdCommand::Run(dcd) => Ok(dcd),
        DcdCommand::Help => panic!("{args:?} asks for help"),
    }
}

fn lines(args: &str) -> Vec<String> {
    run(args).unwrap_or_else(|error| panic!("{args}: {error}")).lines().collect()
}

fn usage(args: &str) -> DcdUsage {
    match run(args) {
        Err(DcdError::Usage(usage)) => usage,
        other => panic!("{args}: {other:?}"),
    }
}

#[test]
fn a_greedy_tag_spares_the_images() {
    for (args, expected) in [
        (
            "--tag latest --tag v1.2 corphub/backend:latest",
            &["corphub/backend:latest", "corphub/backend:v1.2"][..],
        ),
        ("--tag eea981f my-image my-other-image", &["my-image:eea981f", "my-other-image:eea981f"]),
        ("--tag eea981f acme/a acme/b --dry-run", &["acme/a:eea981f", "acme/b:eea981f"]),
        ("-t a b -t c img -V 1.2", &["img:1.2-a", "img:1.2-b", "img:1.2-c"]),
        ("-t '' img:1", &["img"]),
        ("-t abc def -- img", &["img:abc", "img:def"]),
        (
            "-t stretch latest -V py3.6 -S -P 2 -L img",
            &["img:py3.6-stretch", "img:stretch", "img:py3.6", "img:latest"],
        ),
        ("-tabc --tag=def img", &["img:abc", "img:def"]),
    ] {
        assert_eq!(lines(args), expected, "{args}");
    }
    assert_eq!(usage("--tag a --tag b"), DcdUsage::NoImage);
    assert_eq!(usage("--tag a b --tag=c"), DcdUsage::NoImage);
    assert_eq!(usage("--tag abc def acme/img"), DcdUsage::TagOrImage("def".to_owned()));
    assert!(matches!(run("img1 -t latest acme/img2:1"), Err(DcdError::Tag { .. })));
}

#[test]
fn options_are_read_as_argparse_reads_them() {
    for (args, expected) in [
        ("-SLV=1.2.3 img", &["img:1.2.3", "img:1.2", "img:1", "img:latest"][..]),
        ("--version=1.2 --version-s img", &["img:1.2", "img:1"]),
        ("-V 1 -V 2 img", &["img:2"]),
        ("-V '' --tag-v 3 img", &["img:3"]),
        ("-V 1.2 -S -P -1 img", &["img:1.2", "img:1"]),
        ("--reg '' img", &["img"]),
        ("-V 1.2 -- a b", &["a:1.2", "b:1.2"]),
    ] {
        assert_eq!(lines(args), expected, "{args}");
    }
    assert_eq!(usage("-SV"), DcdUsage::NoValue("--version"));
    assert_eq!(usage("-t -v img"), DcdUsage::NoValue("--tag"));
    assert_eq!(usage("--verbose=1 img"), DcdUsage::UnwantedValue("--verbose"));
    assert_eq!(usage("-v=1 img"), DcdUsage::UnwantedValue("--verbose"));
    assert_eq!(usage("-vx img"), DcdUsage::Unknown("-x".to_owned()));
    assert_eq!(usage("-P x -S -V 1 img"), DcdUsage::NotANumber("x".to_owned()));
    assert!(
        matches!(usage("--s img"), DcdUsage::Ambiguous { candidates, .. } if candidates.len() == 2)
    );
    for (args, option, needs) in [
        ("-L img", "--version-latest", "--version"),
        ("-S -V '' img", "--version-semver", "--version"),
        ("-P 2 -V 1.2 img", "--semver-precision", "--version-semver"),
        ("-Z img", "--semver-zero", "--version-semver"),
    ] {
        assert_eq!(usage(args), DcdUsage::Requires { option, needs });
    }
    let help = |args: &[&str]| Dcd::parse(args) == Ok(DcdCommand::Help);
    assert!(help(&["-h"]) && help(&["-vh"]) && help(&["--he", "--bogus"]));
    assert_eq!(Dcd::parse::<&str>(&[]), Err(DcdError::Usage(DcdUsage::NoImage)));
}

#[test]
fn a_password_is_not_repeated() {
    for args in ["--login me:pw img", "--login=me:pw img", "-lme:pw img", "-r me:pw@reg:5000 img"] {
        let error = usage(args);
        assert!(matches!(error, DcdUsage::Login | DcdUsage::RegistryUser), "{args}: {error}");
        assert!(!error.to_string().contains("pw"), "{args}: {error}");
    }
    assert_eq!(usage("--token=pw img"), DcdUsage::Unknown("--token".to_owned()));
}

#[test]
fn help_names_every_option() {
    for option in ["tag", "version", "version-latest", "version-semver", "semver-precision"]
        .into_iter()
        .chain(["semver-zero", "registry", "dry-run", "verbose", "executable", "help"])
        .chain(["tag-version", "tag-latest", "tag-semver"])
    {
        assert!(HELP.contains(&format!("--{option}")), "{option}");
    }
}

#[test]
fn a_digest_is_tagged_or_stays_a_digest() {
    let digest = format!("sha256:{}", "a".repeat(64));
    assert_eq!(lines(&format!("img@{digest}")), [format!("img@{digest}")]);
    assert_eq!(lines(&format!("-r reg:1 img@{digest}")), [format!("reg:1/img@{digest}")]);
    assert_eq!(lines(&format!("-t x -- img:old@{digest}")), ["img:x"]);
    assert_eq!(lines(&format!("-V 1.2.3 -L img@{digest}")), ["img:1.2.3", "img:latest"]);
    assert_eq!(lines(&format!("img:1@{digest}")), ["img:1"]);
}

#[test]
fn a_registry_replaces_the_one_named() {
    for (args, expected) in [
        ("-r ghcr.io docker.io/library/nginx", "ghcr.io/library/nginx"),
        ("-r ghcr.io localhost/foo", "ghcr.io/foo"),
        ("-r ghcr.io nginx:1", "ghcr.io/nginx:1"),
        ("-r reg:5000/ns reg2.io/a/b", "reg:5000/ns/a/b"),
        ("-r acme reg:1/web", "acme/web"),
        ("-t 1 -- oci:build/web:0", "oci:build/web:1"),
    ] {
        assert_eq!(lines(args), [expected], "{args}");
    }
    assert!(matches!(run("-r reg:1/ a"), Err(DcdError::Registry { .. })));
    assert!(matches!(run("-r reg:1 oci:dir:1"), Err(DcdError::OnDisk(_))));
    assert!(matches!(run("-r oci:5000 a"), Err(DcdError::Unwritable(_))));
    assert!(matches!(run("-t '' -- oci:a:b:c"), Err(DcdError::Unwritable(_))));
}

#[test]
fn targets_are_merged_and_never_shared_by_two_images() {
    assert_eq!(lines("-t a '' latest a -- img"), ["img:a", "img"]);
    assert_eq!(lines("-t a -- img:1 docker.io/library/img:1"), ["img:a"]);
    assert!(matches!(run("-t a -- img:1 img:2"), Err(DcdError::Collision { .. })));
}

#[test]
fn a_prerelease_keeps_its_own_tags_only() {
    let dcd = run("-V 2.0.0-rc1 -S -L -t alpine '' 2.0-slim -- img").expect("a run");
    assert_eq!(
        dcd.lines().collect::<Vec<_>>(),
        ["img:2.0.0-rc1-alpine", "img:2.0.0-rc1", "img:2.0.0-rc1-slim"]
    );
    let withheld: Vec<_> = dcd.images[0].withheld.iter().map(Reference::to_string).collect();
    assert!(
        ["img:2.0", "img:2", "img:latest", "img:alpine"]
            .iter()
            .all(|tag| withheld.iter().any(|other| other == tag))
    );
    assert!(dcd.warnings[0].contains("img:latest"), "{:?}", dcd.warnings);
}

#[test]
fn every_target_knows_its_series() {
    let series = |args: &str| -> Vec<(String, Option<(String, plimsoll_registry::Breadth)>)> {
        let dcd = run(args).expect("a run");
        let targets = dcd.images.into_iter().flat_map(|image| image.targets);
        targets
            .map(|target| {
                let series = target.series.map(|s| (s.version.to_string(), s.breadth));
                (target.reference.to_string(), series)
            })
            .collect()
    };
    use plimsoll_registry::Breadth::{Exact, Latest, Major, Minor};
    let of =
        |tag: &str, version: &str, breadth| (tag.to_owned(), Some((version.to_owned(), breadth)));
    let free = |tag: &str| (tag.to_owned(), None);
    assert_eq!(
        series("-V v1.2.3 -S -L -t '' alpine -- a"),
        [
            of("a:v1.2.3", "v1.2.3", Exact),
            of("a:v1.2", "v1.2.3", Minor),
            of("a:v1", "v1.2.3", Major),
            of("a:latest", "v1.2.3", Latest),
            of("a:v1.2.3-alpine", "v1.2.3-alpine", Exact),
            of("a:v1.2-alpine", "v1.2.3-alpine", Minor),
            of("a:v1-alpine", "v1.2.3-alpine", Major),
            of("a:alpine", "v1.2.3-alpine", Latest),
        ]
    );
    assert_eq!(
        series("-V 8.7.1-jessie -S -L a"),
        [
            of("a:8.7.1-jessie", "8.7.1-jessie", Exact),
            free("a:8.7.1"),
            of("a:8.7", "8.7.1", Minor),
            of("a:8", "8.7.1", Major),
            of("a:latest", "8.7.1", Latest),
        ]
    );
    assert_eq!(series("-V 8.7.1-jessie -L a")[1], of("a:latest", "8.7.1", Latest));
    assert_eq!(series("-V 6c5c258 -L a"), [free("a:6c5c258"), free("a:latest")]);
    assert_eq!(series("a:1.2.3"), [free("a:1.2.3")]);
}

#[test]
fn a_series_is_led_by_its_highest_version() {
    let dcd = run("-V 1.2.4 -S -L img").expect("a run");
    let existing: Vec<VersionTag> =
        ["1.2.3", "1.3.0"].into_iter().map(|text| text.parse().expect("a version")).collect();
    let leaders: Vec<_> = dcd.images[0]
        .targets
        .iter()
        .map(|target| target.series.as_ref().expect("a series").leader(&existing))
        .collect();
    let newer = Leader::Others(vec![existing[1].clone()]);
    assert_eq!(leaders, [Leader::Incoming, Leader::Incoming, newer.clone(), newer]);
}

#[cfg(unix)]
#[test]
fn arguments_that_are_not_unicode_are_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let args = [OsStr::from_bytes(b"img:\xff")];
    assert!(matches!(Dcd::parse(&args), Err(DcdError::Usage(DcdUsage::NotUnicode(_)))));
}

/// Found by the property test below.
#[test]
fn a_suffix_that_makes_a_prerelease_moves_no_alias() {
    let args = ["a", "-V", "0.0.0", "-L", "--tag=0-a"];
    let Ok(DcdCommand::Run(dcd)) = Dcd::parse(&args) else { panic!("{args:?} is refused") };
    assert_eq!(dcd.lines().collect::<Vec<_>>(), ["a:0.0.0-0-a"]);
    assert_eq!(dcd.images[0].withheld.len(), 1);
}

/// Arguments of every kind, likely ones often.
fn argument() -> impl Strategy<Value = String> {
    prop_oneof![
        "-{1,2}(t|tag|V|version|L|S|P|Z|r|registry|v|[tVLSPZrv]{2,4}|tag-[vls]|ver)(=?[a-z0-9.:/-]{1,6})?",
        "(--|-S|-L|-V|-t|-r|-P|--dry-run|--executable)",
        "v?[0-9]{1,2}([.+_-][0-9a-z]{0,3}){0,4}",
        "([a-z.]{1,6}(:[0-9]{1,4})?/)?[a-z]{1,4}(:[a-z0-9.-]{0,6})?(@sha256:[0-9a-f]{0,2})?",
        "(oci|oci-archive)?:?[a-z:@/]{0,6}",
        ".{0,8}",
        Just(String::new()),
        Just("a-".repeat(60)),
    ]
}

/// A command line with everything in its place, which is seldom refused.
fn command_line() -> impl Strategy<Value = Vec<String>> {
    let version = "v?[0-9]{1,2}(\\.[0-9]{1,2}){0,3}([-.]?rc1|-alpine|-[a-f0-9]{7})?(\\+b(\\.1)?)?";
    let tag = "(|latest|[a-z]{1,3}|[0-9](\\.[0-9]){0,2}-[a-z])";
    let image = "((ghcr\\.io|reg:5000)/)?[a-z]{1,2}(/[a-z])?(:[0-9a-z]{1,3})?";
    let images = proptest::collection::vec(image, 1..3);
    let tags = proptest::collection::vec(tag, 0..3);
    let registry = proptest::option::of("(ghcr\\.io|\\[::1\\]:5000|acme|reg:5000/ns)");
    let flags = proptest::sample::subsequence(vec!["-L", "-S", "-SZ", "-SP2", "-v"], 0..5);
    (images, flags, version, tags, registry).prop_map(
        |(mut args, flags, version, tags, registry)| {
            if flags.iter().any(|flag| *flag != "-v") {
                args.extend(["-V".to_owned(), version]);
            }
            args.extend(flags.into_iter().map(str::to_owned));
            args.extend(registry.map(|registry| format!("--registry={registry}")));
            args.extend(tags.into_iter().map(|tag| format!("--tag={tag}")));
            args
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_arguments_are_refused_or_make_references(
        args in prop_oneof![proptest::collection::vec(argument(), 0..9), command_line()],
    ) {
        let Ok(DcdCommand::Run(dcd)) = Dcd::parse(&args) else { return Ok(()) };
        prop_assert!(!dcd.images.is_empty());
        let mut seen = std::collections::HashSet::new();
        for image in &dcd.images {
            prop_assert!(!image.targets.is_empty());
            for target in &image.targets {
                let line = target.reference.to_string();
                let reference: Reference = line.parse().expect("a printed reference parses");
                prop_assert_eq!(&reference, &target.reference);
                prop_assert!(seen.insert(identity(&reference)), "{} twice", line);
                let Some(Series { version, breadth }) = &target.series else { continue };
                let own = *breadth == plimsoll_registry::Breadth::Exact;
                prop_assert!(own || version.prerelease().is_none(), "{} is no alias", line);
            }
        }
        prop_assert_eq!(dcd.lines().count(), seen.len());
    }

    #[test]
    fn a_version_never_hangs(version in "[0-9a-zA-Z.+_-]{0,140}", semver: bool) {
        let mut args = vec!["-V".to_owned(), version, "img".to_owned()];
        if semver {
            args.push("-S".to_owned());
        }
        let _ = Dcd::parse(&args);
    }
}
