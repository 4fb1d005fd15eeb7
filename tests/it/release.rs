//! The main job against CNCF distribution in a container, with skopeo as the second opinion.

use std::collections::BTreeMap;
use std::path::Path;

use plimsoll_harness::{ContainerDefinition, Engine, require_docker};
use plimsoll_tests::distribution::{RegistryContainer, RegistryDefinition};

use crate::ocitag::{Ocitag, Run};
use crate::{Error, TestResult};

/// A registry with nothing in it, and an `ocitag` that may write to it.
struct World {
    registry: RegistryContainer,
    ocitag: Ocitag,
    args: Vec<String>,
}

/// The example image, where the registry's container can push it from.
fn with_example(mut container: ContainerDefinition) -> ContainerDefinition {
    let layout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/cake-service/layout");
    let mut directories = vec![layout.clone()];
    while let Some(directory) = directories.pop() {
        for entry in directory.read_dir().expect("the example layout") {
            let path = entry.expect("the example layout").path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let inside = path.strip_prefix(&layout).expect("a path in it");
            let bytes = std::fs::read(&path).expect("a file of the example layout");
            container = container.file(format!("/cake/{}", inside.display()), bytes, 0o644);
        }
    }
    container
}

impl World {
    async fn start(engine: &Engine, definition: RegistryDefinition) -> Result<Self, Error> {
        let registry = definition.with_container(with_example).start(engine).await?;
        let mut ocitag = Ocitag::new();
        if let Some((user, password)) = registry.credentials() {
            ocitag = ocitag.env("OCITAG_USERNAME", user).env("OCITAG_PASSWORD", password);
        }
        let mut args = Vec::new();
        if let Some(file) = registry.ca_file() {
            args = vec!["--ca-file".to_owned(), file.display().to_string()];
        }
        Ok(Self { registry, ocitag, args })
    }

    /// Pushes a version of the example as `tag`; the digest it has there.
    async fn push(&self, version: &str, tag: &str) -> Result<String, Error> {
        let to = format!("docker://127.0.0.1:5000/acme/cake:{tag}");
        let from = format!("oci:/cake:{version}");
        let copy = ["copy", "--all", "--preserve-digests", &from, &to];
        let output = self.registry.skopeo(&copy).await?;
        assert_eq!(output.code, 0, "{output:?}");
        self.digest(tag).await
    }

    async fn digest(&self, tag: &str) -> Result<String, Error> {
        Ok(self.registry.skopeo_inspect("acme/cake", tag).await?)
    }

    fn release(&self, args: &[&str]) -> Run {
        let image = format!("{}/acme/cake", self.registry.address());
        let own = self.args.iter().map(String::as_str);
        let run = self.ocitag.run(own.chain(args.iter().copied()).chain([&*image]));
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
        run
    }

    /// How many writes the registry has logged by now.
    async fn writes(&self) -> Result<usize, Error> {
        let log = self.registry.access_log().await?;
        Ok(log.iter().filter(|access| access.method == "PUT").count())
    }

    /// Whether each tag has the digest that skopeo sees for the version beside it.
    async fn expect(&self, tags: &[(&str, &str)], digests: &BTreeMap<&str, String>) -> TestResult {
        for (tag, version) in tags {
            assert_eq!(self.digest(tag).await?, digests[version], "{tag}");
        }
        Ok(())
    }
}

/// Releases of the example in the order that goes wrong with tools that only look at themselves.
async fn story(world: &World) -> TestResult {
    let mut digests = BTreeMap::new();

    digests.insert("1.2.3", world.push("1.2.3", "1.2.3").await?);
    let run = world.release(&["--semver", "1.2.3"]);
    assert_eq!(run.fates(), ["1.2.3 already there", "1.2 created", "1 created", "latest created"]);
    world.expect(&[("1.2", "1.2.3"), ("1", "1.2.3"), ("latest", "1.2.3")], &digests).await?;

    digests.insert("1.3.0", world.push("1.3.0", "1.3.0").await?);
    world.release(&["--semver", "1.3.0"]);
    let after = [("1.2", "1.2.3"), ("1.3", "1.3.0"), ("1", "1.3.0"), ("latest", "1.3.0")];
    world.expect(&after, &digests).await?;

    digests.insert("1.2.4", world.push("1.2.4", "1.2.4").await?);
    let run = world.release(&["--semver", "1.2.4"]);
    assert_eq!(
        run.fates(),
        [
            "1.2.4 already there",
            "1.2 moved",
            "1 kept at 1.3.0: 1.3.0 is newer than 1.2.4",
            "latest kept at 1.3.0: 1.3.0 is newer than 1.2.4",
        ]
    );
    let settled = [("1.2", "1.2.4"), ("1.3", "1.3.0"), ("1", "1.3.0"), ("latest", "1.3.0")];
    world.expect(&settled, &digests).await?;

    let before = world.writes().await?;
    world.release(&["--semver", "1.2.4"]);
    assert_eq!(world.writes().await?, before, "a second run writes nothing");

    digests.insert("1.3.0-rc.1", world.push("1.2.3", "1.3.0-rc.1").await?);
    let before = world.writes().await?;
    let run = world.release(&["--semver", "1.3.0-rc.1"]);
    assert!(run.stdout.contains("1.3.0-rc.1 is a prerelease"), "{}", run.stdout);
    assert_eq!(world.writes().await?, before, "a prerelease moves no alias");

    digests.insert("1.2.3-alpine", world.push("1.3.0", "1.2.3-alpine").await?);
    world.release(&["--semver", "1.2.3", "-t", "alpine"]);
    let alpine = "1.2.3-alpine";
    world
        .expect(&[("1.2-alpine", alpine), ("1-alpine", alpine), ("alpine", alpine)], &digests)
        .await?;
    world.expect(&settled, &digests).await?;

    // The digests are those of the layout: an index of two platforms, byte for byte.
    for (version, digest) in [("1.2.3", CAKE_1_2_3), ("1.2.4", CAKE_1_2_4), ("1.3.0", CAKE_1_3_0)] {
        assert_eq!(digests[version], digest);
    }
    Ok(())
}

const CAKE_1_2_3: &str = "sha256:169f1116fbb06fb7f8cb1120c5bdaf844a3f5801326e94ccd5a1788388dd60b5";
const CAKE_1_2_4: &str = "sha256:ff5c06dc802c2f379a940dc7312b4310b06b1e285a1256f9b5d84aba16a594f2";
const CAKE_1_3_0: &str = "sha256:3d9b553ce04fb9ad16c6f51940528b7f9f3dbd5554f0788c42647b1b85259f57";

#[tokio::test]
async fn anonymous() -> TestResult {
    let world = World::start(&require_docker!(), RegistryDefinition::default()).await?;
    story(&world).await
}

#[tokio::test]
async fn htpasswd() -> TestResult {
    let definition = RegistryDefinition::default().htpasswd();
    let world = World::start(&require_docker!(), definition).await?;
    story(&world).await?;
    let image = format!("{}/acme/cake", world.registry.address());
    let ocitag = Ocitag::new().env("OCITAG_USERNAME", "plimsoll").env("OCITAG_PASSWORD", "wrong");
    ocitag.run(["--semver", "1.2.3", &image]).fails(5, &["401", "try: "]);
    Ocitag::new().run(["--semver", "1.2.3", &image]).fails(5, &["docker login"]);
    // Docker's own configuration is enough.
    let ocitag = Ocitag::new();
    let docker = ocitag.home().join(".docker");
    std::fs::create_dir(&docker)?;
    let auth = "cGxpbXNvbGw6cGxpbXNvbGwtdGVzdC1wYXNzd29yZA==";
    let config = format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, world.registry.address());
    std::fs::write(docker.join("config.json"), config)?;
    ocitag.run(["--semver", "1.2.4", &image]).ok();
    Ok(())
}

#[tokio::test]
async fn tls_with_a_private_authority() -> TestResult {
    let definition = RegistryDefinition::default().tls();
    let world = World::start(&require_docker!(), definition).await?;
    story(&world).await?;
    let image = format!("{}/acme/cake", world.registry.address());
    let ocitag = Ocitag::new();
    // Another authority than the one that signed it.
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let file = ocitag.home().join("other.pem");
    std::fs::write(&file, other.cert.pem())?;
    let run = ocitag.run(["--ca-file", &file.display().to_string(), "--semver", "1.2.3", &image]);
    run.fails(6, &["certificate", "--ca-file"]);
    // Loopback is spoken to in http, which this registry does not speak.
    let run = ocitag.run(["--semver", "1.2.3", &image]);
    run.fails(6, &["try: "]);
    ocitag.run(["--insecure-skip-tls-verify", "--semver", "1.2.4", &image]).ok();
    // Docker's certs.d.
    let certs = ocitag.home().join(".docker/certs.d").join(world.registry.address().to_string());
    std::fs::create_dir_all(&certs)?;
    std::fs::copy(world.registry.ca_file().expect("its authority"), certs.join("ca.crt"))?;
    ocitag.run(["--semver", "1.2.4", &image]).ok();
    Ok(())
}

#[tokio::test]
async fn htpasswd_over_tls() -> TestResult {
    let definition = RegistryDefinition::default().htpasswd().tls();
    let world = World::start(&require_docker!(), definition).await?;
    world.push("1.2.3", "1.2.3").await?;
    world.release(&["--semver", "1.2.3"]);
    assert_eq!(world.digest("latest").await?, CAKE_1_2_3);
    Ok(())
}
