//! `ocitag promote`: within one registry, between registries, from and to the disk.

use std::path::{Path, PathBuf};
use std::process::Command;

use plimsoll_harness::require_docker;
use plimsoll_registry::fake::{Answer, FakeAuth, FakeOptions, FakeRegistry, Fault, FaultRule};
use plimsoll_tests::distribution::RegistryDefinition;
use plimsoll_tests::image::SCRATCH;

use crate::ocitag::Ocitag;
use crate::{Error, TestResult};

const CAKE_1_2_4: &str = "sha256:ff5c06dc802c2f379a940dc7312b4310b06b1e285a1256f9b5d84aba16a594f2";
const CAKE_1_3_0: &str = "sha256:3d9b553ce04fb9ad16c6f51940528b7f9f3dbd5554f0788c42647b1b85259f57";

fn example() -> String {
    let layout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/cake-service/layout");
    format!("oci:{}", layout.display())
}

fn bearer() -> FakeRegistry {
    let auth = FakeAuth::bearer("ci", "secret");
    FakeRegistry::start(FakeOptions { auth, ..FakeOptions::default() })
}

fn ocitag() -> Ocitag {
    Ocitag::new().env("OCITAG_USERNAME", "ci").env("OCITAG_PASSWORD", "secret")
}

#[test]
fn from_a_layout_to_a_registry_every_byte_is_the_same() {
    let fake = FakeRegistry::start(FakeOptions::default());
    let to = format!("{}/acme/cake", fake.host());
    let run = Ocitag::new().run(["promote", &format!("{}:1.3.0", example()), &to]);
    let text = run.ok();
    assert!(text.contains("1.3.0") && text.contains("written"), "{text}");
    assert_eq!(fake.tags("acme/cake")["1.3.0"].as_str(), CAKE_1_3_0);
    fake.reset_counts();
    let again = Ocitag::new().run(["promote", &format!("{}:1.3.0", example()), &to]).ok();
    assert!(again.contains("copied 0 blobs"), "{again}");
    assert_eq!(fake.count(|r| r.method == "PUT" || r.method == "POST"), 0, "nothing is sent twice");
}

#[test]
fn within_one_registry_blobs_are_mounted_and_no_byte_travels() {
    let fake = bearer();
    let digest = fake.seed_image("acme/staging", "1.2.3", &["linux/amd64", "linux/arm64"]);
    let from = format!("{}/acme/staging:1.2.3", fake.host());
    let to = format!("{}/acme/prod", fake.host());
    let run = ocitag().run(["promote", &from, &to, "--no-referrers"]);
    assert!(run.ok().contains("copied 0 blobs"));
    assert_eq!(fake.tags("acme/prod")["1.2.3"], digest);
    let requests = fake.requests();
    let tokens = requests.iter().filter(|r| r.path.starts_with("/token")).count();
    let challenges = requests.iter().filter(|r| r.status == Some(401)).count();
    assert_eq!((tokens, challenges), (1, 1), "one token does for both: {requests:#?}");
    let blobs = requests.iter().filter(|r| r.path.contains("/blobs/"));
    for request in blobs {
        assert_eq!((request.method.as_str(), request.body_bytes), ("POST", 0), "{request:?}");
    }
    assert_eq!(fake.open_uploads(), 0);
}

#[test]
fn a_mount_that_is_declined_becomes_an_upload_and_none_stays_open() {
    let fake = FakeRegistry::start(FakeOptions::default());
    fake.configure(|options| options.mount_unsupported = true);
    let digest = fake.seed_image("acme/staging", "1.2.3", &["linux/amd64"]);
    let from = format!("{}/acme/staging:1.2.3", fake.host());
    let to = format!("{}/acme/prod", fake.host());
    Ocitag::new().run(["promote", &from, &to]).ok();
    assert_eq!(fake.tags("acme/prod")["1.2.3"], digest);
    assert_eq!(fake.open_uploads(), 0);
}

#[test]
fn a_promotion_with_a_version_is_a_release_at_every_destination() {
    let fake = bearer();
    fake.seed_image("acme/staging", "build-7", &["linux/amd64", "linux/arm64"]);
    let newer = fake.seed_image("acme/prod", "1.3.0", &["linux/s390x"]);
    fake.tag("acme/prod", "1", &newer);
    fake.tag("acme/prod", "latest", &newer);
    let from = format!("{}/acme/staging:build-7", fake.host());
    let [prod, demo] = ["prod", "demo"].map(|name| format!("{}/acme/{name}", fake.host()));
    let run = ocitag().run(["promote", "--semver", "1.2.4", &from, &prod, &demo]);
    let text = run.ok();
    assert!(text.contains("1.3.0 is newer than 1.2.4"), "{text}");
    let built = fake.tags("acme/staging")["build-7"].clone();
    let (prod, demo) = (fake.tags("acme/prod"), fake.tags("acme/demo"));
    for tag in ["1.2.4", "1.2"] {
        assert_eq!(prod[tag], built, "{tag}");
    }
    assert_eq!((&prod["1"], &prod["latest"]), (&newer, &newer));
    for tag in ["1.2.4", "1.2", "1", "latest"] {
        assert_eq!(demo[tag], built, "{tag}");
    }
}

#[test]
fn one_conflict_stops_every_destination_before_any_write() {
    let fake = FakeRegistry::start(FakeOptions::default());
    fake.seed_image("acme/staging", "1.2.3", &["linux/amd64"]);
    fake.seed_image("acme/prod", "1.2.3", &["linux/arm64"]);
    let from = format!("{}/acme/staging:1.2.3", fake.host());
    let [prod, demo] = ["prod", "demo"].map(|name| format!("{}/acme/{name}", fake.host()));
    for args in [&["--semver", "1.2.3"][..], &[]] {
        let run = Ocitag::new().run(["promote", &from, &demo, &prod].iter().chain(args));
        run.fails(3, &["1.2.3", "--force"]);
        assert!(fake.tags("acme/demo").is_empty());
        assert_eq!(fake.count(|r| !["GET", "HEAD"].contains(&r.method.as_str())), 0);
    }
}

#[test]
fn a_destination_that_fails_has_no_tag_and_the_others_have_all() {
    let fake = FakeRegistry::start(FakeOptions::default());
    let from = format!("{}:1.2.4", example());
    let [good, bad] = ["good", "bad"].map(|name| format!("{}/acme/{name}", fake.host()));
    let denied = Fault::Answer(Answer::error(403, "DENIED", "no"));
    fake.fail(FaultRule::on("POST", "/acme/bad/blobs/", denied).always());
    let run = Ocitag::new().run(["promote", "--semver", "1.2.4", &from, &good, &bad]);
    assert_eq!(run.code, 7, "{run:?}");
    assert!(fake.tags("acme/bad").is_empty());
    assert_eq!(fake.tags("acme/good")["latest"].as_str(), CAKE_1_2_4);
    fake.clear_faults();
    Ocitag::new().run(["promote", "--semver", "1.2.4", &from, &good, &bad]).ok();
    assert_eq!(fake.tags("acme/bad")["latest"].as_str(), CAKE_1_2_4);
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    let ocitag = Ocitag::new();
    let promote = |args: &[&str]| ocitag.run(["promote"].iter().chain(args));
    promote(&["localhost:1/a", "localhost:1/b"]).fails(2, &["names no image", "--semver"]);
    promote(&["localhost:1/a:1", "localhost:1/a"]).fails(2, &["is where the image is"]);
    promote(&["localhost:1/a:1", "localhost:1/b", "localhost:1/b"]).fails(2, &["twice"]);
    promote(&["localhost:1/a:1", "localhost:1/b:2", "--semver", "1.2.3"]).fails(2, &["--semver"]);
    promote(&["localhost:1/a:1", "localhost:1/b", "--platform", "?"]).fails(2, &["?"]);
    promote(&["oci:/nonexistent:1", "localhost:1/b"]).fails(4, &["/nonexistent"]);
}

fn docker(args: &[&str]) -> Result<String, Error> {
    let output = Command::new("docker").args(args).output()?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("docker {}: {stderr}", args.join(" ")).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// An image of the engine in a tar file, as `docker save` writes it.
fn saved(image: &str, directory: &Path) -> Result<PathBuf, Error> {
    let file = directory.join("image.tar");
    docker(&["save", "--output", &file.display().to_string(), image])?;
    Ok(file)
}

#[tokio::test]
async fn between_real_registries_and_the_engine_runs_the_result() -> TestResult {
    let engine = require_docker!();
    let built = SCRATCH.ensure(&engine).await?;
    let staging = RegistryDefinition::default().start(&engine).await?;
    let prod = RegistryDefinition::default().start(&engine).await?;
    let directory = tempfile::tempdir()?;
    let archive = format!("docker-archive:{}", saved(&built, directory.path())?.display());
    let from = format!("{}/acme/box", staging.address());
    let to = format!("{}/acme/box", prod.address());

    // docker save -> registry, with no engine in between; then registry to registry; then within.
    Ocitag::new().run(["promote", &archive, &format!("{from}:build-7")]).ok();
    Ocitag::new().run(["promote", "--semver", "1.2.3", &format!("{from}:build-7"), &to]).ok();
    let released = format!("{}/acme/released", prod.address());
    Ocitag::new().run(["promote", &format!("{to}:1.2.3"), &released]).ok();

    let digest = staging.skopeo_inspect("acme/box", "build-7").await?;
    for tag in ["1.2.3", "1.2", "1", "latest"] {
        assert_eq!(prod.skopeo_inspect("acme/box", tag).await?, digest, "{tag}");
    }
    assert_eq!(prod.skopeo_inspect("acme/released", "1.2.3").await?, digest);

    let pulled = format!("{released}:1.2.3");
    docker(&["pull", "--quiet", &pulled])?;
    let said = docker(&["run", "--rm", &pulled, "echo", "it runs"]);
    docker(&["rmi", &pulled])?;
    assert_eq!(said?, "it runs");
    Ok(())
}

#[test]
fn from_a_registry_to_the_disk_and_back() -> TestResult {
    let fake = FakeRegistry::start(FakeOptions::default());
    let directory = tempfile::tempdir()?;
    let first = format!("{}/acme/cake", fake.host());
    Ocitag::new().run(["promote", &format!("{}:1.3.0", example()), &first]).ok();
    let layout = format!("oci:{}", directory.path().join("layout").display());
    let archive = format!("oci-archive:{}", directory.path().join("cake.tar").display());
    Ocitag::new().run(["promote", &format!("{first}:1.3.0"), &layout, &archive]).ok();
    for (name, from) in [("second", &layout), ("third", &archive)] {
        let to = format!("{}/acme/{name}", fake.host());
        Ocitag::new().run(["promote", "--semver", "1.3.0", from, &to]).ok();
        let tags = fake.tags(&format!("acme/{name}"));
        assert_eq!(tags["latest"].as_str(), CAKE_1_3_0, "{name}");
    }
    Ok(())
}

/// Attaches a signature to the image at `tag`, as artifacts do; its digest.
fn sign(fake: &FakeRegistry, tag: &str) -> plimsoll_registry::Digest {
    let subject = fake.tags("acme/staging")[tag].clone();
    let manifest = fake.manifest("acme/staging", &subject).expect("the image");
    let config = fake.put_blob("acme/staging", "{}");
    let body = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": "application/vnd.example.signature",
        "config": {
            "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": config.to_string(),
            "size": 2,
        },
        "layers": [],
        "subject": {
            "mediaType": manifest.media_type,
            "digest": subject.to_string(),
            "size": manifest.bytes.len(),
        },
    });
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let digest = fake.put_manifest("acme/staging", "sig", media_type, body.to_string());
    fake.untag("acme/staging", "sig");
    digest
}

#[test]
fn edge_40_what_is_attached_travels_with_the_image_unless_it_is_left_behind() -> TestResult {
    use plimsoll_registry::{Access, Referrers as _, Registry, RegistryOptions};
    for unsupported in [false, true] {
        let fake = FakeRegistry::start(FakeOptions::default());
        let image = fake.seed_image("acme/staging", "1.2.3", &["linux/amd64"]);
        let signature = sign(&fake, "1.2.3");
        let to = FakeRegistry::start(FakeOptions::default());
        to.configure(|options| options.referrers_unsupported = unsupported);
        let from = format!("{}/acme/staging:1.2.3", fake.host());
        let registry = Registry::new(to.host().parse()?, &RegistryOptions::default())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        for (repository, args) in [("with", &[][..]), ("without", &["--no-referrers"])] {
            let destination = format!("{}/acme/{repository}", to.host());
            Ocitag::new().run(["promote", &from, &destination].iter().chain(args)).ok();
            let store = registry.repository(&format!("acme/{repository}"), Access::Pull);
            let found = runtime.block_on(store.referrers(&image))?;
            let found: Vec<_> = found.into_iter().map(|own| own.descriptor.digest).collect();
            let expected = if args.is_empty() { vec![signature.clone()] } else { Vec::new() };
            assert_eq!(found, expected, "{repository}, unsupported: {unsupported}");
        }
    }
    Ok(())
}

#[test]
fn what_is_attached_and_a_docker_archive_do_not_go_together_and_that_is_said() -> TestResult {
    let fake = FakeRegistry::start(FakeOptions::default());
    fake.seed_image("acme/staging", "1.2.3", &["linux/amd64"]);
    sign(&fake, "1.2.3");
    let from = format!("{}/acme/staging:1.2.3", fake.host());
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("image.tar");
    let to = format!("docker-archive:{}", file.display());
    let run = Ocitag::new().run(["promote", &from, &to]);
    run.fails(6, &["image.tar", "--no-referrers"]);
    assert!(!file.exists(), "nothing is left of it");
    Ocitag::new().run(["promote", "--no-referrers", &from, &to]).ok();
    assert!(file.exists());
    Ok(())
}

#[test]
fn a_dry_run_and_one_that_fails_leave_nothing_on_the_disk() -> TestResult {
    let fake = FakeRegistry::start(FakeOptions::default());
    fake.seed_image("acme/staging", "1.2.3", &["linux/amd64"]);
    let from = format!("{}/acme/staging:1.2.3", fake.host());
    let missing = format!("{}/acme/staging:9.9.9", fake.host());
    let directory = tempfile::tempdir()?;
    for kind in ["oci", "oci-archive", "docker-archive"] {
        let place = directory.path().join(kind);
        let to = format!("{kind}:{}", place.display());
        let dry = Ocitag::new().run(["promote", "--dry-run", &from, &to]);
        assert!(dry.ok().contains("would copy 3 blobs"), "{kind}");
        Ocitag::new().run(["promote", &missing, &to]).fails(4, &["9.9.9"]);
        assert!(!place.exists(), "{kind}");
        Ocitag::new().run(["promote", &from, &to]).ok();
        assert!(place.exists(), "{kind}");
    }
    Ok(())
}

#[test]
fn a_destination_that_cannot_be_looked_at_says_why_and_whose_fault_it_is() {
    let auth = FakeAuth::bearer("ci", "right");
    let fake = FakeRegistry::start(FakeOptions { auth, ..FakeOptions::default() });
    let to = format!("{}/acme/cake", fake.host());
    let run = Ocitag::new().run(["promote", &format!("{}:1.3.0", example()), &to]);
    run.fails(5, &["401", "no credentials were shown", "ocitag login"]);
}
