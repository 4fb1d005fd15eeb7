//! Request budgets of `ocitag promote` within one registry, counted on the fake. They only ever
//! shrink.

use plimsoll_registry::fake::{FakeAuth, FakeOptions, FakeRegistry, RequestRecord, TagsBesideTag};

use crate::ocitag::Ocitag;
use crate::seed;

const FROM: &str = "acme/staging";
const TO: &str = "acme/prod";

/// A registry with strict bearer tokens, which nobody has talked to yet.
fn cold() -> FakeRegistry {
    FakeRegistry::start(FakeOptions {
        auth: FakeAuth::bearer("ci", "secret"),
        ..FakeOptions::default()
    })
}

/// What one cold promotion of `build-7` asked, in order, as `METHOD what status`.
fn requests(fake: &FakeRegistry, args: &[&str]) -> Vec<String> {
    fake.reset_counts();
    let ocitag = Ocitag::new().env("OCITAG_USERNAME", "ci").env("OCITAG_PASSWORD", "secret");
    let (from, to) = (format!("{}/{FROM}:build-7", fake.host()), format!("{}/{TO}", fake.host()));
    ocitag.run(["promote", &from, &to].iter().chain(args)).ok();
    let blob_bytes = |request: &RequestRecord| {
        let is_blob = request.path.contains("/blobs/");
        if is_blob { request.body_bytes + request.response_bytes } else { 0 }
    };
    let requests = fake.requests();
    assert_eq!(requests.iter().map(blob_bytes).sum::<u64>(), 0, "{requests:#?}");
    requests.iter().map(line).collect()
}

/// `STAGING` and `PROD` for the repositories, and digests without their hexadecimal digits.
fn line(request: &RequestRecord) -> String {
    let path = request.path.split('?').next().unwrap_or_default();
    let path = path.replace("/v2/acme/", "");
    let mounted = request.path.contains("mount=");
    let path = path.split("sha256:").next().unwrap_or_default();
    let what = if mounted { "mount" } else { path };
    format!("{} {what} {}", request.method, request.status.unwrap_or_default())
}

fn seeded() -> FakeRegistry {
    let fake = cold();
    seed::image(&fake, (FROM, "build-7"), "linux/amd64", &seed::small_layers("cake"));
    fake
}

const MOUNT: &str = "POST mount 201";

/// What is least: a challenge, a token, the manifest, a mount for each blob, and the tag. The
/// tag is not looked at since it may be replaced whatever it points at, and signatures stay
/// behind.
#[test]
fn an_image_of_4_blobs_takes_8_requests_where_nothing_is_looked_for() {
    let requests = requests(&seeded(), &["--no-guard", "--no-referrers"]);
    assert_eq!(
        requests,
        [
            "GET staging/manifests/build-7 401",
            "GET /token 200",
            "GET staging/manifests/build-7 200",
            MOUNT,
            MOUNT,
            MOUNT,
            MOUNT,
            "PUT prod/manifests/build-7 201",
        ]
    );
}

/// Three more than the least, each for something that no other answer says:
///
/// - what is attached, by the referrers API (1 for each manifest);
/// - what is attached by tags named after the digest, as older signers do: the list of tags is
///   one request, looking for each of those tags would be three;
/// - whether the tag is right already, so that a promotion that is repeated writes nothing, and
///   whether it is an exact version that must not move.
#[test]
fn an_image_of_4_blobs_takes_11_requests_with_what_is_attached_and_the_tag_looked_at() {
    let mut requests = requests(&seeded(), &[]);
    requests[3..5].sort();
    assert_eq!(
        requests,
        [
            "GET staging/manifests/build-7 401",
            "GET /token 200",
            "GET staging/manifests/build-7 200",
            "GET staging/referrers/ 200",
            "GET staging/tags/list 200",
            "HEAD prod/manifests/build-7 404",
            MOUNT,
            MOUNT,
            MOUNT,
            MOUNT,
            "PUT prod/manifests/build-7 201",
        ]
    );
}

/// An exact version never moves by accident: `--no-guard` alone still looks at it.
#[test]
fn an_exact_tag_is_looked_at_unless_it_is_forced() {
    for (args, looks) in [(&["--no-guard"][..], 1), (&["--no-guard", "--force"], 0)] {
        let fake = seeded();
        let to = format!("{}/{TO}:1.2.3", fake.host());
        let from = format!("{}/{FROM}:build-7", fake.host());
        let ocitag = Ocitag::new().env("OCITAG_USERNAME", "ci").env("OCITAG_PASSWORD", "secret");
        ocitag.run(["promote", &from, &to, "--no-referrers"].iter().chain(args)).ok();
        assert_eq!(fake.requests().len(), 8 + looks, "{args:?}: {:#?}", fake.requests());
        assert_eq!(fake.count(|request| request.method == "HEAD"), looks, "{args:?}");
    }
}

#[test]
fn an_index_of_2_images_of_4_blobs_takes_16_requests_where_nothing_is_looked_for() {
    let fake = cold();
    let digest = seed::index(&fake, (FROM, "build-7"));
    let mut requests = requests(&fake, &["--no-guard", "--no-referrers"]);
    assert_eq!(fake.tags(TO)["build-7"], digest);
    assert_eq!(requests.len(), 16, "{requests:#?}");
    let writes = requests.split_off(5);
    assert_eq!(
        requests,
        [
            "GET staging/manifests/build-7 401",
            "GET /token 200",
            "GET staging/manifests/build-7 200",
            "GET staging/manifests/ 200",
            "GET staging/manifests/ 200",
        ]
    );
    assert_eq!(writes[..8], [MOUNT; 8]);
    assert_eq!(
        writes[8..],
        ["PUT prod/manifests/ 201", "PUT prod/manifests/ 201", "PUT prod/manifests/build-7 201"]
    );
}

/// Five more: the tag, the list of tags, and what is attached to the index and to its images.
#[test]
fn an_index_of_2_images_of_4_blobs_takes_21_requests_with_what_is_attached() {
    let fake = cold();
    seed::index(&fake, (FROM, "build-7"));
    let requests = requests(&fake, &[]);
    assert_eq!(requests.len(), 16 + 5, "{requests:#?}");
    let count = |line: &str| requests.iter().filter(|own| own.starts_with(line)).count();
    assert_eq!(count("GET staging/referrers/ "), 3);
    assert_eq!(count("GET staging/tags/list "), 1);
    assert_eq!(count("HEAD prod/manifests/build-7 "), 1);
}

#[test]
fn the_same_promotion_again_writes_and_mounts_nothing() {
    for seed in [false, true] {
        let fake = cold();
        match seed {
            false => drop(seed::image(&fake, (FROM, "build-7"), "linux/amd64", &[])),
            true => drop(seed::index(&fake, (FROM, "build-7"))),
        }
        requests(&fake, &["--no-referrers"]);
        let again = requests(&fake, &["--no-referrers"]);
        let children = if seed { 2 } else { 0 };
        let mut expected = vec![
            "GET staging/manifests/build-7 401",
            "GET /token 200",
            "GET staging/manifests/build-7 200",
        ];
        expected.extend(vec!["GET staging/manifests/ 200"; children]);
        expected.push("HEAD prod/manifests/build-7 200");
        assert_eq!(again, expected);
        let mut again = requests(&fake, &[]);
        again[3 + children..5 + 2 * children].sort();
        expected.pop();
        expected.extend(vec!["GET staging/referrers/ 200"; 1 + children]);
        expected.extend(["GET staging/tags/list 200", "HEAD prod/manifests/build-7 200"]);
        assert_eq!(again, expected);
    }
}

/// A release at the destination says what its tags point at: nothing is looked at twice, and
/// what was just written is not read to be tagged.
#[test]
fn a_release_of_4_tags_at_the_destination_takes_14_requests_and_8_again() {
    let fake = seeded();
    let release = ["--semver", "1.2.3", "--no-referrers"];
    let mut first = requests(&fake, &release);
    first[10..12].sort();
    assert_eq!(
        first,
        [
            "GET staging/manifests/build-7 401",
            "GET /token 200",
            "GET staging/manifests/build-7 200",
            "GET prod/tags/list 404",
            MOUNT,
            MOUNT,
            MOUNT,
            MOUNT,
            "PUT prod/manifests/ 201",
            "PUT prod/manifests/1.2.3 201",
            "PUT prod/manifests/1 201",
            "PUT prod/manifests/1.2 201",
            "PUT prod/manifests/latest 201",
            "GET prod/tags/list 200",
        ]
    );
    let mut again = requests(&fake, &release);
    again[4..8].sort();
    assert_eq!(
        again,
        [
            "GET staging/manifests/build-7 401",
            "GET /token 200",
            "GET staging/manifests/build-7 200",
            "GET prod/tags/list 200",
            "HEAD prod/manifests/1 200",
            "HEAD prod/manifests/1.2 200",
            "HEAD prod/manifests/1.2.3 200",
            "HEAD prod/manifests/latest 200",
        ]
    );
}

/// Where one request writes many tags: a challenge, a token, the manifest, the tags.
#[test]
fn a_release_of_4_tags_takes_4_requests_where_one_writes_them_all() {
    let fake = cold();
    fake.configure(|options| {
        options.tags_per_put = 10;
        options.tags_beside_tag = TagsBesideTag::Taken;
    });
    let digest = fake.seed_image(TO, "build-7", &["linux/amd64"]);
    let image = format!("{}/{TO}:build-7", fake.host());
    let ocitag = Ocitag::new().env("OCITAG_USERNAME", "ci").env("OCITAG_PASSWORD", "secret");
    ocitag.run(["--semver", "1.2.3", "--no-guard", "--force", &image]).ok();
    let requests: Vec<_> = fake.requests().iter().map(line).collect();
    assert_eq!(
        requests,
        [
            "GET prod/manifests/build-7 401",
            "GET /token 200",
            "GET prod/manifests/build-7 200",
            "PUT prod/manifests/1.2.3 201",
        ]
    );
    for tag in ["1.2.3", "1.2", "1", "latest"] {
        assert_eq!(fake.tags(TO)[tag], digest, "{tag}");
    }
}
