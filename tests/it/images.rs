//! The images that tests run on.

use plimsoll_harness::{ContainerDefinition, require_docker};
use plimsoll_tests::image::{REGISTRY, SCRATCH};

use crate::TestResult;

#[tokio::test]
async fn the_scratch_image_holds_one_file_and_runs() -> TestResult {
    let engine = require_docker!();
    let image = SCRATCH.ensure(&engine).await?;
    let definition = ContainerDefinition::new("scratch", image).cmd(["sleep", "600"]);
    let container = definition.start().await?;
    let listing = container.exec(["/busybox", "ls", "/"]).await?.stdout;
    // The engine itself adds mount points; of files there is one.
    let engines = ["dev", "etc", "proc", "sys"];
    let listing = String::from_utf8(listing)?;
    let ours: Vec<_> = listing.lines().filter(|name| !engines.contains(name)).collect();
    assert_eq!(ours, ["busybox"]);
    Ok(())
}

#[tokio::test]
async fn the_registry_image_has_registry_and_skopeo() -> TestResult {
    let engine = require_docker!();
    let image = REGISTRY.ensure(&engine).await?;
    let script = "docker-registry --version && skopeo --version";
    let container = ContainerDefinition::new("versions", image).cmd(["sh", "-c", script]);
    let container = container.start().await?;
    assert_eq!(container.wait_exit(std::time::Duration::from_secs(60)).await?, 0);
    let output = container.logs().stdout();
    assert!(output.contains("docker/distribution 2."), "{output}");
    assert!(output.contains("skopeo version"), "{output}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn everyone_who_asks_at_once_gets_the_same_image() -> TestResult {
    let engine = require_docker!();
    let asking: Vec<_> = (0..4)
        .map(|_| {
            let engine = engine.clone();
            tokio::spawn(async move { SCRATCH.ensure(&engine).await })
        })
        .collect();
    for asked in asking {
        assert_eq!(asked.await??, SCRATCH.reference());
    }
    Ok(())
}
