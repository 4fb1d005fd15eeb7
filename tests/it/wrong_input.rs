//! Wrong and hostile input: one clear line, the documented exit code, and no write.

use plimsoll_registry::Tag;
use plimsoll_registry::fake::{Answer, FakeAuth, FakeOptions, FakeRegistry, Fault, FaultRule};

use crate::TestResult;
use crate::ocitag::{Ocitag, Run};

/// Runs a release of 1.2.3 in `acme/cake` of the registry, and checks that nothing was written.
#[track_caller]
fn release(fake: &FakeRegistry, ocitag: &Ocitag, args: &[&str], suffix: &str) -> Run {
    let before = fake.tags("acme/cake");
    let image = format!("{}/acme/cake{suffix}", fake.host());
    let run = ocitag.run(["--semver", "1.2.3"].iter().chain(args).copied().chain([&*image]));
    let wrote = |method: &str| matches!(method, "PUT" | "POST" | "PATCH" | "DELETE");
    // The token endpoint may be asked by POST; everything else that is no GET or HEAD writes.
    let writes = fake.count(|r| wrote(&r.method) && r.path.starts_with("/v2/"));
    assert_eq!(writes, 0, "{run:?}");
    assert_eq!(fake.tags("acme/cake"), before);
    run
}

fn anonymous() -> FakeRegistry {
    let fake = FakeRegistry::start(FakeOptions::default());
    fake.seed_image("acme/cake", "1.2.3", &["linux/amd64"]);
    fake
}

#[test]
fn a_bad_version_is_a_usage_error() {
    let ocitag = Ocitag::new();
    for (version, word) in [
        ("1.2", "MAJOR.MINOR.PATCH"),
        ("1.02.3", "leading zero"),
        ("latest", "MAJOR.MINOR.PATCH"),
        ("1.2.3-", "empty part"),
        ("1..2", "MAJOR.MINOR.PATCH"),
        ("1.2.3+a-b", "build metadata"),
        ("1.2.3 ", "' '"),
        ("", "empty"),
    ] {
        ocitag.run(["--semver", version, "acme/cake"]).fails(2, &["--semver", word]);
    }
    ocitag.run(["--semver", "1.2.3", "-t", "rc1", "acme/cake"]).fails(2, &["--tag", "prerelease"]);
}

#[test]
fn a_bad_reference_is_a_usage_error() {
    let ocitag = Ocitag::new();
    let long_tag = format!("img:{}", "a".repeat(129));
    for (image, word) in [
        ("Foo", "lower-case"),
        ("foo/Bar", "foo/bar"),
        ("img:", "empty"),
        ("img:a b", "' '"),
        ("img:-dash", "'-'"),
        (&long_tag, "128"),
        ("a___b", "a___b"),
        ("a..b", "a..b"),
        ("img/", "empty part"),
        ("/img", "empty part"),
        ("a//b", "empty part"),
        ("https://reg.example.com/foo", "scheme"),
        ("reg:port/foo", "port"),
        ("reg:0/foo", "65535"),
        ("this:is:invalid/user:test/name:tag/", "this:is:invalid"),
        ("img@sha256:abc", "sha256"),
        ("oci:", "path"),
        ("\u{1b}[31m", "parse reference"),
    ] {
        let run = ocitag.run(["--semver", "1.2.3", image]);
        run.fails(2, &["failed to parse reference", word]);
        assert!(!run.stderr.contains('\u{1b}'), "{image:?}");
    }
    // One bad image stops the run before any request.
    let fake = anonymous();
    let good = format!("{}/acme/cake", fake.host());
    ocitag.run(["--semver", "1.2.3", &good, "Bad"]).fails(2, &["\"Bad\""]);
    assert_eq!(fake.requests().len(), 0);
}

#[test]
fn a_missing_source_names_the_nearest_tags() {
    let fake = anonymous();
    let run = release(&fake, &Ocitag::new(), &[], ":1.2.4");
    run.fails(4, &["1.2.4", "there is no such image", "nearest tags are 1.2.3", "try: "]);
    let empty = FakeRegistry::start(FakeOptions::default());
    release(&empty, &Ocitag::new(), &[], "").fails(4, &["1.2.3", "there is no such image"]);
}

#[test]
fn a_wrong_password_is_denied_and_never_shown() {
    for auth in [FakeAuth::basic("ci", "right"), FakeAuth::bearer("ci", "right")] {
        let fake = FakeRegistry::start(FakeOptions { auth, ..FakeOptions::default() });
        let ocitag =
            Ocitag::new().env("OCITAG_USERNAME", "ci").env("OCITAG_PASSWORD", "wr0ng-s3cret");
        let run = release(&fake, &ocitag, &["-vv"], "");
        assert_eq!(run.code, 5, "{run:?}");
        let said = ["401", "user ci was refused", "ocitag login", "--password-stdin"];
        for words in said {
            assert!(run.stderr.contains(words), "{words}: {run:?}");
        }
        assert!(!format!("{run:?}").contains("wr0ng-s3cret"), "{run:?}");
    }
}

#[test]
fn credentials_that_are_missing_are_denied_with_a_remedy() {
    let auth = FakeAuth::bearer("ci", "right");
    let fake = FakeRegistry::start(FakeOptions { auth, ..FakeOptions::default() });
    release(&fake, &Ocitag::new(), &[], "").fails(
        5,
        &["401", "try: no credentials were shown", "ocitag login 127.0.0.1", "docker login"],
    );
}

#[test]
fn an_unknown_host_is_named() {
    let run = Ocitag::new().run(["--semver", "1.2.3", "registry.invalid/acme/cake"]);
    run.fails(6, &["registry.invalid", "try: "]);
}

#[test]
fn a_port_where_nobody_listens_is_named() -> TestResult {
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let run =
        Ocitag::new().run(["--timeout", "1", "--semver", "1.2.3", &format!("127.0.0.1:{port}/a")]);
    let words = [&*format!("127.0.0.1:{port} refuses connections"), "try: ", "its port"];
    run.fails(6, &words);
    Ok(())
}

#[test]
fn an_exact_tag_with_another_image_is_a_conflict() {
    let fake = anonymous();
    fake.seed_image("acme/cake", "build-7", &["linux/arm64"]);
    let ocitag = Ocitag::new();
    for guard in [&[][..], &["--no-guard"]] {
        let run = release(&fake, &ocitag, guard, ":build-7");
        run.fails(3, &["tag 1.2.3 exists", "--force"]);
    }
    let image = format!("{}/acme/cake:build-7", fake.host());
    ocitag.run(["--semver", "1.2.3", "--force", &image]).ok();
    let tags = fake.tags("acme/cake");
    assert_eq!(tags["1.2.3"], tags["build-7"]);
}

#[test]
fn one_conflict_stops_every_image() {
    let fake = anonymous();
    fake.seed_image("acme/cake", "build-7", &["linux/arm64"]);
    fake.seed_image("acme/tea", "1.2.3", &["linux/amd64"]);
    let tea = format!("{}/acme/tea", fake.host());
    release(&fake, &Ocitag::new(), &[&tea], ":build-7").fails(3, &["tag 1.2.3 exists"]);
    assert_eq!(fake.tags("acme/tea").len(), 1);
}

#[test]
fn a_tag_list_that_ends_early_is_never_taken_for_all_of_it() {
    for fault in [
        Fault::Truncate,
        Fault::Answer(
            Answer::new(200).body("application/json", r#"{"name":"acme/cake","tags":["1."#),
        ),
        Fault::Answer(Answer::new(200).body("application/json", r#"["1.2.3"]"#)),
        Fault::Answer(Answer::new(200).body("application/json", "")),
    ] {
        let fake = anonymous();
        fake.fail(FaultRule::on("GET", "/tags/list", fault).always());
        release(&fake, &Ocitag::new(), &["--timeout", "2"], "").fails(6, &["tags"]);
    }
}

#[test]
fn a_denied_tag_list_is_no_empty_one() {
    let fake = anonymous();
    fake.configure(|options| options.deny_tag_list = true);
    release(&fake, &Ocitag::new(), &[], "").fails(5, &["tags/list", "403"]);
    let image = format!("{}/acme/cake", fake.host());
    let run = Ocitag::new().run(["--no-guard", "--semver", "1.2.3", &image]);
    assert!(run.ok().contains("guard off"));
}

#[test]
fn a_web_server_is_no_registry() {
    for status in [200, 404] {
        let fake = anonymous();
        fake.fail(FaultRule::on("GET", "/", Fault::Answer(Answer::html(status))).always());
        release(&fake, &Ocitag::new(), &[], "").fails(6, &["text/html"]);
    }
}

#[test]
fn an_error_that_stays_ends_the_run_when_the_retries_do() {
    let fake = anonymous();
    fake.fail(FaultRule::on("GET", "/", Fault::Answer(Answer::new(500))).always());
    release(&fake, &Ocitag::new(), &["--timeout", "2"], "").fails(6, &["500"]);
    assert!(fake.requests().len() > 1, "it was tried again");
}

#[test]
fn writes_that_fail_are_put_back_and_said() {
    let fake = anonymous();
    fake.seed_image("acme/cake", "1.2.2", &["linux/arm64"]);
    let old = fake.tags("acme/cake")["1.2.2"].clone();
    fake.tag("acme/cake", "1", &old);
    fake.tag("acme/cake", "latest", &old);
    let before = fake.tags("acme/cake");
    fake.fail(FaultRule::on("PUT", "/manifests/latest", Fault::Answer(Answer::new(403))).always());
    let image = format!("{}/acme/cake", fake.host());
    let run = Ocitag::new().run(["--semver", "1.2.3", &image]);
    assert_eq!(run.code, 5, "{run:?}");
    assert_eq!(fake.tags("acme/cake"), before);
    assert!(run.stdout.contains("put back"), "{}", run.stdout);
    assert!(run.stdout.contains("removed again"), "{}", run.stdout);
    assert!(run.stdout.contains("FAILED"), "{}", run.stdout);
}

#[test]
fn writes_that_cannot_be_put_back_are_a_partial_failure() {
    let fake = anonymous();
    fake.configure(|options| options.untag_unsupported = true);
    fake.fail(FaultRule::on("PUT", "/manifests/latest", Fault::Answer(Answer::new(403))).always());
    let image = format!("{}/acme/cake", fake.host());
    let run = Ocitag::new().run(["--semver", "1.2.3", &image]);
    assert_eq!(run.code, 7, "{run:?}");
    assert!(run.stdout.contains("STAYS"), "{}", run.stdout);
    let tags = fake.tags("acme/cake");
    assert_eq!(tags.keys().map(Tag::as_str).collect::<Vec<_>>(), ["1", "1.2", "1.2.3"]);
}

#[test]
fn options_that_do_not_go_together_are_usage_errors() {
    let ocitag = Ocitag::new();
    let image = "localhost:1/acme/cake";
    let usage = |args: &[&str]| ocitag.run(["--semver", "1.2.3"].iter().chain(args).copied());
    usage(&["--password-stdin", image]).fails(2, &["--username"]);
    usage(&["--username", "ci", image]).fails(2, &["password", "OCITAG_PASSWORD"]);
    usage(&["--username", "ci", image, "localhost:2/acme/cake"]).fails(2, &["localhost:2"]);
    usage(&["acme/cake:1", "acme/cake:2"]).fails(2, &["acme/cake:1", "acme/cake:2"]);
    usage(&["docker-archive:/nonexistent.tar"]).fails(4, &["/nonexistent.tar"]);
    usage(&["oci-archive:/nonexistent.tar"]).fails(4, &["/nonexistent.tar"]);
    usage(&["--ca-file", "/nonexistent.pem", image]).fails(1, &["/nonexistent.pem"]);
    usage(&["oci:/nonexistent"]).fails(4, &["/nonexistent"]);
}

/// Every command with an image that is not there, or is none: what it says has to lead on.
#[test]
fn every_command_says_what_is_wrong_with_a_place_and_what_to_try() -> TestResult {
    let directory = tempfile::tempdir()?;
    let path = |name: &str| directory.path().join(name).display().to_string();
    std::fs::write(path("junk.tar"), "this is no tar file\n".repeat(100))?;
    std::fs::write(path("empty.tar"), "")?;
    std::fs::write(path("file"), "x")?;
    std::fs::create_dir(path("dir"))?;
    let places = [
        (format!("oci:{}", path("none")), 4, "there is no such directory"),
        (format!("oci:{}", path("dir")), 1, "no oci-layout file"),
        (format!("oci:{}", path("file")), 1, "oci-archive:FILE"),
        (format!("oci-archive:{}", path("none.tar")), 4, "there is no such file"),
        (format!("oci-archive:{}", path("junk.tar")), 1, "no tar file"),
        (format!("docker-archive:{}", path("empty.tar")), 1, "cut off"),
        (format!("docker-archive:{}", path("dir")), 1, "oci:DIR"),
        ("registry.invalid/acme/cake".to_owned(), 6, "there is no host registry.invalid"),
    ];
    let ocitag = Ocitag::new();
    for (place, code, word) in &places {
        let image = format!("{place}:1.2.3");
        let to = format!("oci:{}", path("to"));
        let commands = [
            vec!["--semver", "1.2.3", place],
            vec!["plan", "--semver", "1.2.3", place],
            vec!["promote", &image, &to],
            vec!["untag", &image],
            vec!["dcd", "--version", "1.2.3", &image],
        ];
        for command in commands {
            ocitag.run(&command).fails(*code, &[word, "try: "]);
        }
    }
    Ok(())
}

#[test]
fn every_command_says_which_user_was_refused() {
    let auth = FakeAuth::bearer("ci", "right");
    let fake = FakeRegistry::start(FakeOptions { auth, ..FakeOptions::default() });
    // What expired between login and release, where docker login put it.
    let ocitag = Ocitag::new();
    let docker = ocitag.home().join(".docker");
    std::fs::create_dir(&docker).expect("made");
    let host = fake.host();
    let config = format!(r#"{{"auths":{{"{host}":{{"auth":"Y2k6d3Jvbmc="}}}}}}"#);
    std::fs::write(docker.join("config.json"), config).expect("written");
    let image = format!("{host}/acme/cake:1.2.3");
    let layout = format!("{}/examples/cake-service/layout:1.2.4", root());
    for command in [
        vec!["--semver", "1.2.3", &image],
        vec!["promote", &image, "oci:/nonexistent"],
        vec!["promote", &format!("oci:{layout}"), &image],
        vec!["untag", &image],
        vec!["dcd", "--version", "1.2.3", &image],
    ] {
        let run = ocitag.run(&command);
        run.fails(5, &["401", "user ci was refused", &format!("ocitag login {host}")]);
    }
}

fn root() -> String {
    format!("{}/..", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_file_that_cannot_be_read_or_written_is_named_with_a_remedy() -> TestResult {
    let fake = anonymous();
    let image = format!("{}/acme/cake", fake.host());
    let directory = tempfile::tempdir()?;
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (none, below) = (path("none"), path("none/below"));
    let ocitag = Ocitag::new();
    let said = |args: &[&str], words: &[&str]| ocitag.run(args).fails(1, words);
    said(&["apply", &none], &["read plan", &none, "check the path"]);
    said(&["apply", &path("")], &["read plan", "name a file in it"]);
    let plan = ["plan", "--plan-out", &below, "--semver", "1.2.3", &image];
    said(&plan, &["write plan", &below, "check the path"]);
    let existing = ["aliases", "--existing", &none, "--semver", "1.2.3", "a"];
    said(&existing, &["read tags from", &none, "check the path"]);
    let archive = format!("oci-archive:{below}");
    said(&["promote", &format!("{image}:1.2.3"), &archive], &[&below, "make its directory first"]);
    Ok(())
}

#[test]
fn a_port_that_speaks_something_else_is_said_whatever_the_method() -> TestResult {
    let fake = anonymous();
    let image = format!("{}/acme/cake:1.2.3", fake.host());
    let layout = format!("oci:{}/examples/cake-service/layout:1.2.4", root());
    let ocitag = Ocitag::new();
    for command in [vec!["--semver", "1.2.3"], vec!["untag"], vec!["promote", &layout]] {
        let run = ocitag.run(command.iter().chain(&["--insecure-skip-tls-verify", &*image]));
        run.fails(6, &["does not speak https", "--plain-http"]);
    }
    // What Go's TLS servers say to http: with words to a GET, and without to a HEAD.
    let words =
        Answer::new(400).body("text/plain", "Client sent an HTTP request to an HTTPS server.");
    fake.fail(FaultRule::on("GET", "/", Fault::Answer(words)).always());
    fake.fail(FaultRule::on("HEAD", "/", Fault::Answer(Answer::new(400))).always());
    for command in [vec!["--semver", "1.2.3"], vec!["untag"], vec!["promote", &layout]] {
        ocitag.run(command.iter().chain(&[&*image])).fails(6, &["400", "--ca-file"]);
    }
    Ok(())
}

#[test]
fn destinations_that_are_one_are_refused() {
    let ocitag = Ocitag::new();
    for [one, two] in [["oci:a", "oci:./a"], ["localhost:1/a", "localhost:1/a:x"]] {
        let run = ocitag.run(["promote", "localhost:1/b:1", one, two]);
        run.fails(2, &["given twice", "try: "]);
    }
    for (port, word) in [("70000", "65535"), ("0", "65535"), ("-1", "port")] {
        let image = format!("localhost:{port}/a:1");
        for command in [vec!["promote", &image, "b"], vec!["untag", &image]] {
            ocitag.run(&command).fails(2, &[port, word]);
        }
    }
}
