//! Secrets: they are in the requests to the registry they are for, and nowhere else.

use plimsoll_registry::fake::{
    Answer, AuthorizationKind, FakeAuth, FakeOptions, FakeRegistry, Fault, FaultRule,
};

use crate::TestResult;
use crate::ocitag::Ocitag;

const PASSWORD: &str = "hunter2-s3cr3t+/=";
/// `base64("ci:hunter2-s3cr3t+/=")`, as it stands in a header and in Docker's configuration.
const BASIC: &str = "Y2k6aHVudGVyMi1zM2NyM3QrLz0=";

/// Whether a text has the password in any form it travels in.
fn leaks(text: &str) -> bool {
    let encoded = ["hunter2-s3cr3t%2B%2F%3D", "hunter2-s3cr3t"];
    text.contains(PASSWORD)
        || text.contains(BASIC)
        || encoded.iter().any(|form| text.contains(form))
}

fn registry(auth: FakeAuth) -> FakeRegistry {
    let fake = FakeRegistry::start(FakeOptions { auth, ..FakeOptions::default() });
    fake.seed_image("acme/cake", "1.2.3", &["linux/amd64"]);
    fake
}

fn auths() -> [FakeAuth; 2] {
    [FakeAuth::basic("ci", PASSWORD), FakeAuth::bearer("ci", PASSWORD)]
}

#[test]
fn no_output_of_any_kind_has_the_password() -> TestResult {
    for auth in auths() {
        for fault in [None, Some(Answer::new(500)), Some(Answer::new(401)), Some(Answer::html(200))]
        {
            let fake = registry(auth.clone());
            let image = format!("{}/acme/cake", fake.host());
            let directory = tempfile::tempdir()?;
            let file = directory.path().join("plan.json");
            let plan = file.display().to_string();
            if let Some(answer) = fault {
                fake.fail(FaultRule::on("GET", "/", Fault::Answer(answer)).skip(2).always());
            }
            let given = Ocitag::new().env("OCITAG_USERNAME", "ci").env("OCITAG_PASSWORD", PASSWORD);
            let found = Ocitag::new();
            let docker = found.home().join(".docker");
            std::fs::create_dir(&docker)?;
            let config = format!(r#"{{"auths":{{"{}":{{"auth":"{BASIC}"}}}}}}"#, fake.host());
            std::fs::write(docker.join("config.json"), config)?;
            for ocitag in [&given, &found] {
                for args in [
                    &["--semver", "1.2.3", "-vv", "--timeout", "1", &image][..],
                    &[
                        "plan",
                        "--plan-out",
                        &plan,
                        "--semver",
                        "1.2.3",
                        "-vv",
                        "--timeout",
                        "1",
                        &image,
                    ],
                    &[
                        "untag",
                        "-vv",
                        "--timeout",
                        "1",
                        &format!("{image}:1.2"),
                        "--output",
                        "json",
                    ],
                ] {
                    let run = ocitag.run(args);
                    assert!(!leaks(&format!("{run:?}")), "{run:?}");
                    assert!(!run.stderr.contains("Bearer ey"), "{run:?}");
                }
            }
            if file.exists() {
                assert!(!leaks(&std::fs::read_to_string(&file)?));
            }
            assert!(fake.count(|r| r.authorization != AuthorizationKind::None) > 0, "it logged in");
        }
    }
    Ok(())
}

#[test]
fn a_password_on_standard_input_works_and_is_not_shown() {
    let fake = registry(FakeAuth::basic("ci", PASSWORD));
    let image = format!("{}/acme/cake", fake.host());
    let args = ["--semver", "1.2.3", "-vv", "--username", "ci", "--password-stdin", &image];
    let run = Ocitag::new().run_with_stdin(args, &format!("{PASSWORD}\n"));
    assert_eq!(run.code, 0, "{run:?}");
    assert!(!leaks(&format!("{run:?}")), "{run:?}");
}

/// Edge 30: storage that manifests are redirected to is none of the credentials' business.
#[test]
fn no_credential_follows_a_redirect_to_another_host() -> TestResult {
    for auth in auths() {
        let fake = registry(auth);
        let elsewhere = FakeRegistry::start(FakeOptions::default());
        let digest = fake.tags("acme/cake")["1.2.3"].clone();
        let manifest = fake.manifest("acme/cake", &digest).ok_or("seeded")?;
        elsewhere.put_manifest("acme/cake", "1.2.3", &manifest.media_type, manifest.bytes);
        // 127.0.0.1 and localhost are one machine and two hosts.
        let port = elsewhere.address().port();
        let location = format!("http://localhost:{port}/v2/acme/cake/manifests/1.2.3");
        let redirect = Fault::Answer(Answer::new(307).header("Location", location));
        let reads = FaultRule::on("GET", "/manifests/1.2.3", redirect).skip(1).always();
        fake.fail(reads);
        let image = format!("{}/acme/cake", fake.host());
        let ocitag = Ocitag::new().env("OCITAG_USERNAME", "ci").env("OCITAG_PASSWORD", PASSWORD);
        ocitag.run(["--semver", "1.2.3", "--no-guard", &image]).ok();
        let followed = elsewhere.requests();
        assert!(!followed.is_empty(), "it was followed");
        for request in followed {
            assert_eq!(request.authorization, AuthorizationKind::None, "{request:?}");
            assert!(!leaks(&request.path), "{request:?}");
        }
    }
    Ok(())
}
