//! The ways to a registry: through proxies, and past it to a mirror.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use plimsoll_registry::fake::{Answer, FakeOptions, FakeRegistry, Fault, FaultRule};

use crate::TestResult;
use crate::ocitag::Ocitag;

const DRY_RUN: [&str; 5] =
    ["--semver", "1.2.3", "registry.invalid/acme/web", "--dry-run", "--timeout=2"];

#[test]
fn http_goes_through_the_proxy_that_the_environment_names_unless_it_excepts_the_host() {
    let fake = FakeRegistry::start(FakeOptions::default());
    fake.seed_image("acme/web", "1.2.3", &["linux/amd64"]);
    let proxy = format!("http://{}", fake.host());
    let args = DRY_RUN.iter().chain(&["--plain-http"]);
    for (name, exception) in [("HTTP_PROXY", "NO_PROXY"), ("http_proxy", "no_proxy")] {
        fake.reset_counts();
        Ocitag::new().env(name, &proxy).run(args.clone()).ok();
        let count = fake.count(|_| true);
        assert!(count > 0, "{name}");
        let excepted = Ocitag::new().env(name, &proxy).env(exception, "registry.invalid");
        excepted.run(args.clone()).fails(6, &["registry.invalid"]);
        assert_eq!(fake.count(|_| true), count, "{exception}");
    }
}

#[test]
fn https_goes_through_the_proxy_as_a_tunnel() -> TestResult {
    for name in ["HTTPS_PROXY", "https_proxy"] {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let proxy = format!("http://{}", listener.local_addr()?);
        // It takes one request, and is gone.
        let asked = std::thread::spawn(move || -> std::io::Result<String> {
            let (mut stream, _) = listener.accept()?;
            drop(listener);
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line)?;
            stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")?;
            Ok(line)
        });
        let run = Ocitag::new().env(name, &proxy).run(DRY_RUN);
        run.fails(6, &["registry.invalid"]);
        let line = asked.join().expect("the proxy does not panic")?;
        assert_eq!(line.trim_end(), "CONNECT registry.invalid:443 HTTP/1.1", "{name}");
    }
    Ok(())
}

#[test]
fn a_copy_reads_from_the_mirror_and_from_the_registry_when_that_fails() {
    let start = || FakeRegistry::start(FakeOptions::default());
    let (origin, mirror, to) = (start(), start(), start());
    let digest = origin.seed_image("acme/web", "1.2.3", &["linux/amd64", "linux/arm64"]);
    assert_eq!(mirror.seed_image("hub/acme/web", "1.2.3", &["linux/amd64", "linux/arm64"]), digest);
    let from = format!("{}/acme/web:1.2.3", origin.host());
    let mirrors = format!("{}={}/hub", origin.host(), mirror.host());
    let run = |to: &str, ocitag: &Ocitag| ocitag.run(["promote", &from, to, "--no-referrers"]);

    let ocitag = Ocitag::new().env("OCITAG_MIRRORS", &mirrors);
    run(&format!("{}/a/web", to.host()), &ocitag).ok();
    assert_eq!(to.tags("a/web")["1.2.3"], digest);
    assert_eq!(origin.count(|request| request.method == "GET"), 0, "{:#?}", origin.requests());
    assert!(mirror.count(|request| request.path.contains("/blobs/")) > 0);
    assert_eq!(mirror.count(|request| request.method != "GET"), 0);

    mirror.fail(FaultRule::on("GET", "", Fault::Answer(Answer::new(503))).always());
    let broken = run(&format!("{}/b/web", to.host()), &ocitag);
    assert_eq!(broken.code, 0, "{broken:?}");
    assert_eq!(to.tags("b/web")["1.2.3"], digest);
}

#[test]
fn a_mirror_that_is_none_is_refused() {
    let web = ["--semver", "1.2.3", "reg.example/acme/web", "--dry-run"];
    for (mirror, word) in
        [("mirror.example", "has no '='"), ("reg.example=reg.example", "its own mirror")]
    {
        let run = Ocitag::new().run(web.iter().chain(&["--mirror", mirror]));
        assert_eq!(run.code, 2, "{run:?}");
        assert!(run.stderr.contains(word), "{run:?}");
    }
    let two = ["--mirror", "reg.example=a.example", "--mirror", "reg.example=b.example"];
    Ocitag::new().run(web.iter().chain(&two)).fails(2, &["two mirrors", "name one"]);
}
