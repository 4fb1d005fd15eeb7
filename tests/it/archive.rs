//! Archives through the program, with the Docker Engine at both ends.

use std::process::Command;

use plimsoll_harness::require_docker;
use plimsoll_tests::image::SCRATCH;

use crate::ocitag::Ocitag;
use crate::{Error, TestResult};

/// Runs `docker` with these arguments; what it printed.
fn docker(args: &[&str]) -> Result<String, Error> {
    let output = Command::new("docker").args(args).output()?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("docker {}: {stderr}", args.join(" ")).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Local images of this test, removed whatever becomes of it.
struct Images(String);

impl Drop for Images {
    fn drop(&mut self) {
        for tag in ["1.2.3", "1.2", "1", "latest"] {
            // What was never made cannot be removed.
            let _ = docker(&["rmi", &format!("{}:{tag}", self.0)]);
        }
    }
}

#[tokio::test]
async fn what_docker_saved_is_released_and_loaded_again() -> TestResult {
    let built = SCRATCH.ensure(&require_docker!()).await?;
    let images = Images(format!("plimsoll-test/archive-{}", std::process::id()));
    let name = images.0.as_str();
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("cake.tar").display().to_string();
    docker(&["tag", &built, &format!("{name}:1.2.3")])?;
    let id = docker(&["inspect", "--format", "{{.Id}}", &format!("{name}:1.2.3")])?;
    docker(&["save", "--output", &file, &format!("{name}:1.2.3")])?;
    docker(&["rmi", &format!("{name}:1.2.3")])?;

    let image = format!("docker-archive:{file}");
    let run = Ocitag::new().run(["--semver", "1.2.3", &image]);
    assert_eq!(
        run.fates(),
        ["1.2.3 already there", "1.2 created", "1 created", "latest created"],
        "{run:?}"
    );
    let again = Ocitag::new().run(["--semver", "1.2.3", &image]);
    assert!(!again.ok().contains("created"));

    docker(&["load", "--input", &file])?;
    for tag in ["1.2.3", "1.2", "1", "latest"] {
        let loaded = docker(&["inspect", "--format", "{{.Id}}", &format!("{name}:{tag}")])?;
        assert_eq!(loaded, id, "{tag}");
    }
    Ok(())
}

#[test]
fn an_archive_of_a_layout_is_released_like_the_layout() -> TestResult {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("cake.tar").display().to_string();
    let layout =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/cake-service/layout");
    let packed = Command::new("tar").args(["-cf", &file, "-C"]).arg(layout).arg(".").status()?;
    assert!(packed.success());
    let image = format!("oci-archive:{file}");
    Ocitag::new().run(["--semver", "1.3.0", &image]).ok();
    let run = Ocitag::new().run(["--semver", "1.2.4", &image]);
    assert_eq!(
        run.fates(),
        [
            "1.2.4 already there",
            "1.2 created",
            "1 kept at 1.3.0: 1.3.0 is newer than 1.2.4",
            "latest kept at 1.3.0: 1.3.0 is newer than 1.2.4",
        ]
    );
    Ok(())
}
