//! `ocitag serve` through the program: in memory, over a directory, as a profile.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use plimsoll_registry::fake::{FakeOptions, FakeRegistry};

use crate::TestResult;
use crate::ocitag::{Ocitag, PROGRAM};

/// A server that is killed when a test ends early.
struct Server {
    child: Child,
    host: String,
}

impl Server {
    fn start(args: &[&str]) -> Result<Self, crate::Error> {
        let mut child = Command::new(PROGRAM)
            .arg("serve")
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut host = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut host)?;
        Ok(Self { child, host: host.trim_end().to_owned() })
    }

    /// Stops it as an orchestrator does; what it said on stderr.
    fn stop(mut self) -> Result<String, crate::Error> {
        let kill = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        assert!(kill.success());
        let mut said = String::new();
        self.child.stderr.take().expect("its errors").read_to_string(&mut said)?;
        assert!(self.child.wait()?.success(), "{said}");
        Ok(said)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An image of two platforms in a registry of its own.
fn source() -> (FakeRegistry, String) {
    let fake = FakeRegistry::start(FakeOptions::default());
    fake.seed_image("acme/cake", "1.2.3", &["linux/amd64", "linux/arm64"]);
    let image = format!("{}/acme/cake", fake.host());
    (fake, image)
}

fn fates(host: &str, name: &str) -> Vec<String> {
    let image = format!("{host}/{name}");
    let run = Ocitag::new().run(["--semver", "1.2.3", image.as_str()]);
    assert_eq!(run.code, 0, "{run:?}");
    run.fates()
}

const THERE: [&str; 4] =
    ["1.2.3 already there", "1.2 already there", "1 already there", "latest already there"];

#[test]
fn a_server_in_memory_is_pushed_to_and_ends_by_a_signal() -> TestResult {
    let server = Server::start(&[])?;
    assert!(server.host.starts_with("127.0.0.1:"), "{}", server.host);
    let (_fake, image) = source();
    let to = format!("{}/team/cake", server.host);
    Ocitag::new().run(["promote", "--semver", "1.2.3", &image, &to]).ok();
    assert_eq!(fates(&server.host, "team/cake"), THERE);
    let said = server.stop()?;
    assert!(said.contains("for tests and demonstrations"), "{said}");
    Ok(())
}

#[test]
fn what_is_pushed_to_a_directory_is_there_for_the_next_server_and_as_layouts() -> TestResult {
    let directory = tempfile::tempdir()?;
    let path = directory.path().to_str().expect("UTF-8");
    let (_fake, image) = source();
    let server = Server::start(&[path])?;
    for name in ["team/cake", "cake"] {
        let to = format!("{}/{name}", server.host);
        Ocitag::new().run(["promote", "--semver", "1.2.3", &image, &to]).ok();
    }
    let removed = format!("{}/cake:latest", server.host);
    Ocitag::new().run(["untag", &removed]).ok();
    server.stop()?;
    assert!(directory.path().join("team/cake/oci-layout").exists());
    let layout = format!("oci:{path}/team/cake");
    let run = Ocitag::new().run(["--semver", "1.2.3", &layout]);
    assert_eq!((run.code, run.fates()), (0, THERE.map(str::to_owned).to_vec()), "{run:?}");

    let server = Server::start(&[path])?;
    assert_eq!(fates(&server.host, "team/cake"), THERE);
    let created = fates(&server.host, "cake");
    assert_eq!(created[..3], THERE[..3]);
    assert_eq!(created[3], "latest created");
    // Blobs and children came back too: the image is whole.
    let copy = format!("oci:{path}-copy");
    let whole = format!("{}/team/cake:1.2.3", server.host);
    Ocitag::new().run(["promote", &whole, &copy]).ok();
    std::fs::remove_dir_all(Path::new(&format!("{path}-copy")))?;
    server.stop()?;
    Ok(())
}

#[test]
fn a_profile_wants_the_password_that_it_names() -> TestResult {
    let server = Server::start(&["--profile", "ecr"])?;
    let (_fake, image) = source();
    let to = format!("{}/team/cake", server.host);
    let refused = Ocitag::new().run(["untag", &format!("{to}:1.2.3")]);
    refused.fails(5, &["401"]);
    let login = ["login", "--username", "AWS", "--password-stdin", &server.host];
    let ocitag = Ocitag::new();
    let run = ocitag.run_with_stdin(login, "secret");
    assert_eq!(run.code, 0, "{run:?}");
    ocitag.run(["promote", "--semver", "1.2.3", &image, &to]).ok();
    let said = server.stop()?;
    assert!(said.contains("Amazon ECR") && said.contains("user AWS"), "{said}");
    Ok(())
}

#[test]
fn what_cannot_be_served_is_said() -> TestResult {
    let (fake, _) = source();
    let ocitag = Ocitag::new();
    ocitag.run(["serve", "--listen", &fake.host()]).fails(1, &["listen on", "--listen"]);
    ocitag.run(["serve", "/no/such/directory"]).fails(1, &["/no/such/directory"]);
    let unknown = ocitag.run(["serve", "--profile", "none"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("ghcr"), "{}", unknown.stderr);
    let help = ocitag.run(["serve", "--help"]).ok();
    for profile in ["ecr", "GitHub Container Registry", "distribution-2", "zot"] {
        assert!(help.contains(profile), "{help}");
    }
    let directory = tempfile::tempdir()?;
    std::fs::write(directory.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    ocitag
        .run(["serve".as_ref(), directory.path().as_os_str()])
        .fails(1, &["layout itself", "above it"]);
    Ok(())
}
