//! Logging in and out through the program, and what is left behind.

use std::path::{Path, PathBuf};
use std::thread;

use plimsoll_harness::require_docker;
use plimsoll_registry::fake::{Answer, FakeAuth, FakeOptions, FakeRegistry, Fault, FaultRule};
use plimsoll_tests::distribution::RegistryDefinition;

use crate::TestResult;
use crate::ocitag::{Ocitag, Run};

const PASSWORD: &str = "s3cret:w0rd";

fn registry(auth: FakeAuth) -> FakeRegistry {
    let fake = FakeRegistry::start(FakeOptions { auth, ..FakeOptions::default() });
    fake.seed_image("acme/cake", "1.2.3", &["linux/amd64"]);
    fake
}

/// One that wants the password itself, and one that wants tokens.
fn registries() -> [FakeRegistry; 2] {
    [FakeAuth::basic("ci", PASSWORD), FakeAuth::bearer("ci", PASSWORD)].map(registry)
}

fn login(ocitag: &Ocitag, fake: &FakeRegistry, password: &str, more: &[&str]) -> Run {
    let host = fake.host();
    let args = ["login", &host, "--username", "ci", "--password-stdin"];
    ocitag.run_with_stdin(args.iter().chain(more), password)
}

fn release(ocitag: &Ocitag, fake: &FakeRegistry) -> Run {
    ocitag.run(["--semver", "1.2.3", &format!("{}/acme/cake", fake.host())])
}

fn logout(ocitag: &Ocitag, fake: &FakeRegistry) -> Run {
    ocitag.run(["logout", &fake.host()])
}

fn config(ocitag: &Ocitag) -> PathBuf {
    ocitag.home().join(".docker/config.json")
}

/// Every file below `directory`.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = directory.read_dir().expect("a directory of the test");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Installs a credential helper that keeps one entry; the PATH that it is on.
fn helper(ocitag: &Ocitag) -> Result<String, std::io::Error> {
    let program = ocitag.home().join("docker-credential-box");
    let script = r#"
        case $1 in
        store) cat > "$HOME/box" ;;
        get) cat "$HOME/box" 2>/dev/null || { echo 'credentials not found'; exit 1; } ;;
        erase) rm "$HOME/box" 2>/dev/null || { echo 'credentials not found'; exit 1; } ;;
        *) echo 'unknown action'; exit 1 ;;
        esac"#;
    // Written by another process: a program that is open for writing cannot be run, and a
    // child of another test might have inherited it open.
    let status = std::process::Command::new("sh")
        .args(["-c", r#"printf '#!/bin/sh\n%s\n' "$2" > "$1" && chmod 755 "$1""#, "sh"])
        .args([program.as_os_str(), script.as_ref()])
        .status()?;
    assert!(status.success());
    std::fs::create_dir(ocitag.home().join(".docker"))?;
    std::fs::write(config(ocitag), r#"{"credsStore": "box", "psFormat": "x"}"#)?;
    Ok(format!("{}:/usr/bin:/bin", ocitag.home().display()))
}

#[test]
fn who_logged_in_may_tag_until_logging_out() {
    for fake in registries() {
        let (ocitag, host) = (Ocitag::new(), fake.host());
        release(&ocitag, &fake).fails(5, &["try: "]);
        let run = login(&ocitag, &fake, &format!("{PASSWORD}\n"), &[]);
        assert_eq!((run.code, run.stdout.as_str()), (0, &*format!("logged in to {host} as ci\n")));
        let [note] = run.stderr.lines().collect::<Vec<_>>()[..] else { panic!("{run:?}") };
        assert!(note.starts_with("note: the password is not encrypted in "), "{note}");
        assert!(note.contains("config.json") && note.contains("credsStore"), "{note}");
        assert!(release(&ocitag, &fake).ok().contains("latest"));

        assert_eq!(logout(&ocitag, &fake).ok(), format!("logged out of {host}\n"));
        release(&ocitag, &fake).fails(5, &["try: "]);
        assert_eq!(logout(&ocitag, &fake).ok(), format!("not logged in to {host}\n"));
    }
}

#[test]
fn a_wrong_password_is_denied_and_not_kept() {
    for fake in registries() {
        let ocitag = Ocitag::new();
        login(&ocitag, &fake, "wr0ng", &[]).fails(5, &["log in to", "401", "access token"]);
        assert_eq!(files(ocitag.home()), Vec::<PathBuf>::new());
        // Nor does it take the place of a right one.
        assert_eq!(login(&ocitag, &fake, PASSWORD, &[]).code, 0);
        let before = std::fs::read(config(&ocitag)).expect("the login");
        login(&ocitag, &fake, "wr0ng", &[]).fails(5, &[]);
        assert_eq!(std::fs::read(config(&ocitag)).expect("the login"), before);
    }
}

#[test]
fn a_helper_keeps_the_password_instead_of_the_file() -> TestResult {
    for fake in registries() {
        let ocitag = Ocitag::new();
        let path = helper(&ocitag)?;
        let ocitag = ocitag.env("PATH", &path);
        let run = login(&ocitag, &fake, PASSWORD, &["--output", "json"]);
        let told: serde_json::Value = serde_json::from_str(&run.ok())?;
        let kept = serde_json::json!({
            "kind": "helper",
            "path": config(&ocitag),
            "program": "docker-credential-box",
        });
        assert_eq!((&told["kept"], &told["verified"]), (&kept, &serde_json::json!(true)));
        let text = std::fs::read_to_string(config(&ocitag))?;
        let auths = format!(r#""auths": {{"{}":{{}}}}"#, fake.host());
        assert_eq!(text, format!(r#"{{"credsStore": "box", "psFormat": "x", {auths}}}"#));
        release(&ocitag, &fake).ok();
        assert!(logout(&ocitag, &fake).ok().contains("logged out"));
        assert!(!ocitag.home().join("box").exists());
        assert!(logout(&ocitag, &fake).ok().contains("not logged in"));
    }
    Ok(())
}

#[test]
fn logins_at_the_same_time_are_all_kept() {
    let fakes: Vec<FakeRegistry> = (0..6).flat_map(|_| registries()).collect();
    let ocitag = Ocitag::new();
    thread::scope(|scope| {
        for fake in &fakes {
            let ocitag = &ocitag;
            scope.spawn(move || assert_eq!(login(ocitag, fake, PASSWORD, &[]).code, 0));
        }
    });
    for fake in &fakes {
        release(&ocitag, fake).ok();
    }
}

/// Checks that a run prints none of the passwords of this file, nor what is sent of them.
#[track_caller]
fn tells_no_secret(run: &Run) {
    for secret in [PASSWORD, "wr0ng", "Y2k6czNjcmV0OncwcmQ", "Y2k6d3Iwbmc"] {
        assert!(!format!("{run:?}").contains(secret), "{run:?}");
    }
}

#[test]
fn the_password_is_nowhere_but_in_the_file() -> TestResult {
    use std::os::unix::fs::PermissionsExt as _;
    for fake in registries() {
        let ocitag = Ocitag::new();
        let run = login(&ocitag, &fake, PASSWORD, &["-vv"]);
        assert!(run.stderr.contains("stored credentials"), "{run:?}");
        tells_no_secret(&run);
        assert_eq!(files(ocitag.home()), [config(&ocitag)]);
        assert_eq!(config(&ocitag).metadata()?.permissions().mode() & 0o777, 0o600);
        let image = format!("{}/acme/cake", fake.host());
        tells_no_secret(&ocitag.run(["-vv", "--semver", "1.2.3", &image]));
        tells_no_secret(&ocitag.run(["logout", "-vv", &fake.host()]));

        let echo = Answer::new(401).body("text/plain", "wr0ng is wrong, Y2k6d3Iwbmc= too");
        let basic = echo.clone().header("WWW-Authenticate", "Basic realm=\"x\"");
        for rule in [
            FaultRule::on("GET", "/token", Fault::Answer(echo)),
            FaultRule::on("GET", "/v2/", Fault::Answer(basic)),
        ] {
            fake.clear_faults();
            fake.fail(rule.always());
            let run = login(&ocitag, &fake, "wr0ng", &["-vv"]);
            tells_no_secret(&run);
            assert_ne!(run.stderr, "");
        }
    }
    Ok(())
}

#[test]
fn a_broken_file_is_named_and_left_alone() -> TestResult {
    let [fake, _] = registries();
    let ocitag = Ocitag::new();
    std::fs::create_dir(ocitag.home().join(".docker"))?;
    let broken = format!(r#"{{"auths":{{"quay.io":"{PASSWORD}"}}"#);
    std::fs::write(config(&ocitag), &broken)?;
    for run in [login(&ocitag, &fake, PASSWORD, &[]), logout(&ocitag, &fake)] {
        run.fails(1, &["config.json", "line 1", "try: "]);
        assert!(!format!("{run:?}").contains(PASSWORD), "{run:?}");
        assert_eq!(std::fs::read_to_string(config(&ocitag))?, broken);
    }
    Ok(())
}

#[test]
fn a_named_file_is_made_and_used() -> TestResult {
    let [fake, _] = registries();
    let ocitag = Ocitag::new();
    let file = ocitag.home().join("ci/auth.json");
    let ocitag = ocitag.env("REGISTRY_AUTH_FILE", &file.display().to_string());
    assert_eq!(login(&ocitag, &fake, PASSWORD, &[]).code, 0);
    assert_eq!(files(ocitag.home()), [file]);
    release(&ocitag, &fake).ok();
    logout(&ocitag, &fake).ok();
    release(&ocitag, &fake).fails(5, &[]);
    Ok(())
}

#[test]
fn credentials_that_go_before_these_are_said() {
    let [fake, _] = registries();
    let content = format!(r#"{{"auths":{{"{}":{{"auth":"Y2k6b2xk"}}}}}}"#, fake.host());
    let ocitag = Ocitag::new().env("DOCKER_AUTH_CONFIG", &content);
    let place = "note: the variable DOCKER_AUTH_CONFIG";
    for run in [login(&ocitag, &fake, PASSWORD, &[]), logout(&ocitag, &fake)] {
        assert_eq!(run.code, 0, "{run:?}");
        assert!(run.stderr.lines().any(|line| line.starts_with(place)), "{run:?}");
    }
}

#[test]
fn an_open_registry_is_said_to_have_checked_nothing() {
    let fake = registry(FakeAuth::Anonymous);
    let run = login(&Ocitag::new(), &fake, PASSWORD, &["--output", "json"]);
    assert!(run.stdout.contains("\"verified\": false"), "{run:?}");
    assert!(run.stderr.contains("asked for no credentials"), "{run:?}");
    let run = login(&Ocitag::new(), &fake, PASSWORD, &["--quiet"]);
    assert_eq!(run.ok(), "");
}

#[test]
fn without_user_or_password_nothing_is_asked() {
    let [fake, _] = registries();
    let (ocitag, host) = (Ocitag::new(), fake.host());
    ocitag.run(["login", &host]).fails(2, &["--username", "OCITAG_USERNAME"]);
    ocitag.run(["login", &host, "--username", "ci"]).fails(2, &["password", "OCITAG_PASSWORD"]);
    ocitag.run(["login", &host, "--username", "a:b"]).fails(2, &["colon"]);
    for bad in ["https://ghcr.io", "ghcr.io/acme", "-"] {
        ocitag.run(["login", "--username", "ci", bad]).fails(2, &["HOST", bad]);
        ocitag.run(["logout", bad]).fails(2, &["HOST", bad]);
    }
    assert_eq!(fake.requests().len(), 0);
    let ocitag = ocitag.env("OCITAG_USERNAME", "ci").env("OCITAG_PASSWORD", PASSWORD);
    assert_eq!(ocitag.run(["login", &host]).code, 0);
}

#[test]
fn what_is_not_there_or_no_registry_is_its_own_failure() -> TestResult {
    let ocitag = Ocitag::new().env("OCITAG_USERNAME", "ci").env("OCITAG_PASSWORD", PASSWORD);
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let run = ocitag.run(["login", "--timeout", "1", &format!("127.0.0.1:{port}")]);
    run.fails(6, &[&format!("127.0.0.1:{port}")]);
    let [fake, _] = registries();
    fake.fail(FaultRule::on("GET", "/v2/", Fault::Answer(Answer::html(200))).always());
    ocitag.run(["login", &fake.host()]).fails(6, &["text/html"]);
    assert_eq!(files(ocitag.home()), Vec::<PathBuf>::new());
    Ok(())
}

#[tokio::test]
async fn distribution_knows_its_user_over_tls() -> TestResult {
    let definition = RegistryDefinition::default().htpasswd().tls();
    let registry = definition.start(&require_docker!()).await?;
    let (user, password) = registry.credentials().expect("it has a user");
    let ca_file = registry.ca_file().expect("its authority").display().to_string();
    let host = registry.address().to_string();
    let args = ["login", &host, "--username", user, "--password-stdin", "--ca-file", &ca_file];
    let ocitag = Ocitag::new();
    ocitag.run_with_stdin(args, "wr0ng").fails(5, &["401", "try: "]);
    assert_eq!(files(ocitag.home()), Vec::<PathBuf>::new());
    let run = ocitag.run_with_stdin(args, password);
    assert_eq!((run.code, run.stderr.lines().count()), (0, 1), "{run:?}");
    Ok(())
}
