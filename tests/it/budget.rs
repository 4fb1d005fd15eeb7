//! Request budgets: what a release costs, counted on the fake registry. They only ever shrink.

use plimsoll_registry::fake::{FakeAuth, FakeOptions, FakeRegistry, RequestRecord};
use plimsoll_registry::{Tag, TagError};

use crate::TestResult;
use crate::ocitag::Ocitag;

const USER: &str = "ci";
const PASSWORD: &str = "s3cr3t:with-colon";

/// A registry with strict bearer tokens, which nobody has talked to yet.
fn cold() -> FakeRegistry {
    FakeRegistry::start(FakeOptions {
        auth: FakeAuth::bearer(USER, PASSWORD),
        ..FakeOptions::default()
    })
}

/// One run of ocitag against `acme/cake` of the registry; what it asked, in order.
fn requests(fake: &FakeRegistry, args: &[&str], image: &str) -> Vec<String> {
    fake.reset_counts();
    let image = format!("{}/acme/cake{image}", fake.host());
    let ocitag = Ocitag::new().env("OCITAG_USERNAME", USER).env("OCITAG_PASSWORD", PASSWORD);
    let args = args.iter().copied().chain([image.as_str()]);
    ocitag.run(args).ok();
    fake.requests().iter().map(line).collect()
}

fn line(request: &RequestRecord) -> String {
    let path = request.path.split('?').next().unwrap_or_default();
    let path = path.trim_start_matches("/v2/acme/cake/");
    let status = request.status.unwrap_or_default();
    format!("{} {path} {status}", request.method)
}

/// Sorts what is sent at once, so that a list of requests can be compared.
fn at_once(mut requests: Vec<String>, from: usize, to: usize) -> Vec<String> {
    requests[from..to].sort();
    requests
}

fn seed(fake: &FakeRegistry, tags: &[&str]) -> Result<(), TagError> {
    for tag in tags {
        let _: Tag = tag.parse()?;
        fake.seed_image("acme/cake", tag, &["linux/amd64", "linux/arm64"]);
    }
    Ok(())
}

/// Gives `aliases` the image of `version`.
fn alias(fake: &FakeRegistry, version: &str, aliases: &[&str]) {
    let digest = fake.tags("acme/cake")[version].clone();
    for alias in aliases {
        fake.tag("acme/cake", alias, &digest);
    }
}

#[test]
fn unguarded_and_cold_four_tags_take_seven_requests() -> TestResult {
    let fake = cold();
    seed(&fake, &["build-7"])?;
    let requests = requests(&fake, &["--semver", "1.2.3", "--no-guard", "--force"], ":build-7");
    assert_eq!(
        at_once(requests, 4, 6),
        [
            "GET manifests/build-7 401",
            "GET /token 200",
            "GET manifests/build-7 200",
            "PUT manifests/1.2.3 201",
            "PUT manifests/1 201",
            "PUT manifests/1.2 201",
            "PUT manifests/latest 201",
        ]
    );
    Ok(())
}

#[test]
fn unguarded_from_its_own_exact_tag_takes_six() -> TestResult {
    let fake = cold();
    seed(&fake, &["1.2.3"])?;
    let requests = requests(&fake, &["--semver", "1.2.3", "--no-guard"], "");
    assert_eq!(requests.len(), 6, "{requests:#?}");
    Ok(())
}

/// One HEAD, at the same time as the image is read, keeps exact tags immutable.
#[test]
fn unguarded_without_force_looks_at_the_exact_tag_too() -> TestResult {
    let fake = cold();
    seed(&fake, &["build-7"])?;
    let requests = requests(&fake, &["--semver", "1.2.3", "--no-guard"], ":build-7");
    assert_eq!(requests.len(), 8, "{requests:#?}");
    assert!(requests.contains(&"HEAD manifests/1.2.3 404".to_owned()), "{requests:#?}");
    Ok(())
}

/// 5 + k + PUTs, for k aliases that exist.
#[test]
fn a_guarded_release_that_moves_everything_takes_five_and_k_and_its_writes() -> TestResult {
    let fake = cold();
    seed(&fake, &["1.2.3", "build-7"])?;
    alias(&fake, "1.2.3", &["1.2", "1", "latest"]);
    let requests = requests(&fake, &["--semver", "1.2.4"], ":build-7");
    assert_eq!(requests.len(), 5 + 3 + 4, "{requests:#?}");
    let requests = at_once(at_once(requests, 3, 7), 8, 10);
    assert_eq!(
        requests,
        [
            "GET tags/list 401",
            "GET /token 200",
            "GET tags/list 200",
            "GET manifests/build-7 200",
            "HEAD manifests/1 200",
            "HEAD manifests/1.2 200",
            "HEAD manifests/latest 200",
            "PUT manifests/1.2.4 201",
            "PUT manifests/1 201",
            "PUT manifests/1.2 201",
            "PUT manifests/latest 201",
            "GET tags/list 200",
        ]
    );
    Ok(())
}

/// When every tag exists there may be nothing to do, so the image is looked at before it is read.
#[test]
fn a_release_whose_exact_tag_is_there_takes_one_more() -> TestResult {
    let fake = cold();
    seed(&fake, &["1.2.3", "1.2.4"])?;
    alias(&fake, "1.2.3", &["1.2", "1", "latest"]);
    let requests = requests(&fake, &["--semver", "1.2.4"], "");
    assert_eq!(requests.len(), 6 + 3 + 3, "{requests:#?}");
    Ok(())
}

#[test]
fn nothing_to_do_reads_no_manifest_and_writes_nothing() -> TestResult {
    let fake = cold();
    seed(&fake, &["1.2.3"])?;
    alias(&fake, "1.2.3", &["1.2", "1", "latest"]);
    let requests = requests(&fake, &["--semver", "1.2.3"], "");
    assert_eq!(
        at_once(requests, 3, 7),
        [
            "GET tags/list 401",
            "GET /token 200",
            "GET tags/list 200",
            "HEAD manifests/1 200",
            "HEAD manifests/1.2 200",
            "HEAD manifests/1.2.3 200",
            "HEAD manifests/latest 200",
        ]
    );
    Ok(())
}

#[test]
fn two_images_of_one_registry_share_its_challenge() -> TestResult {
    let fake = cold();
    for repository in ["acme/cake", "acme/tea"] {
        fake.seed_image(repository, "1.2.3", &["linux/amd64"]);
    }
    let tea = format!("{}/acme/tea", fake.host());
    let requests = requests(&fake, &["--semver", "1.2.3", &tea], "");
    let refused = requests.iter().filter(|line| line.ends_with("401")).count();
    let tokens = requests.iter().filter(|line| line.contains("/token")).count();
    assert_eq!((refused, tokens), (1, 2), "{requests:#?}");
    Ok(())
}
