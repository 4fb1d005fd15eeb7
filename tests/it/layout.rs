//! OCI layouts through the program: what a registry's server does, a lock has to do here.

use std::path::Path;

use bytes::Bytes;
use plimsoll_registry::{Layout, Manifest, MediaType, Selector, Store, Tag};

use crate::TestResult;
use crate::ocitag::Ocitag;

/// A layout at `path` with one small image for each of `versions`.
fn layout(path: &Path, versions: &[&str]) -> TestResult {
    std::fs::create_dir_all(path)?;
    std::fs::write(path.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    std::fs::write(path.join("index.json"), r#"{"schemaVersion":2,"manifests":[]}"#)?;
    let layout = Layout::open(path)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    for version in versions {
        let body = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[],"annotations":{{"v":"{version}"}}}}"#,
            MediaType::OCI_INDEX
        );
        let manifest = Manifest::received(Bytes::from(body), "", None)?;
        runtime.block_on(layout.put(&version.parse()?, &manifest))?;
    }
    Ok(())
}

fn digest(path: &Path, tag: &str) -> Result<String, crate::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let tag: Tag = tag.parse()?;
    let found = runtime.block_on(Layout::open(path)?.head(&Selector::Tag(tag)))?;
    Ok(found.map(|found| found.digest.to_string()).unwrap_or_default())
}

#[test]
fn eight_processes_at_once_leave_every_alias_on_its_maximum() -> TestResult {
    let versions = ["1.2.3", "1.2.10", "1.3.0", "1.9.1", "1.10.0", "2.0.0", "2.0.1", "2.1.0-rc.1"];
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("cake");
    layout(&path, &versions)?;
    let image = format!("oci:{}", path.display());
    std::thread::scope(|scope| {
        for version in versions {
            let image = &image;
            scope.spawn(move || Ocitag::new().run(["--semver", version, image]).ok());
        }
    });
    for (alias, version) in [
        ("1.2", "1.2.10"),
        ("1.3", "1.3.0"),
        ("1.9", "1.9.1"),
        ("1.10", "1.10.0"),
        ("1", "1.10.0"),
        ("2.0", "2.0.1"),
        ("2", "2.0.1"),
        ("latest", "2.0.1"),
    ] {
        assert_eq!(digest(&path, alias)?, digest(&path, version)?, "{alias}");
    }
    assert_eq!(digest(&path, "2.1")?, "");
    Ok(())
}

#[test]
fn a_second_run_does_not_touch_the_layout() -> TestResult {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("cake");
    layout(&path, &["1.2.3"])?;
    let image = format!("oci:{}", path.display());
    Ocitag::new().run(["--semver", "1.2.3", &image]).ok();
    let before = std::fs::metadata(path.join("index.json"))?;
    let run = Ocitag::new().run(["--semver", "1.2.3", "--output", "json", &image]);
    assert!(run.ok().contains("alreadyThere"));
    let after = std::fs::metadata(path.join("index.json"))?;
    assert_eq!((before.modified()?, before.len()), (after.modified()?, after.len()));
    Ok(())
}

#[test]
fn several_variants_are_one_image() -> TestResult {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("cake");
    layout(&path, &["1.2.3"])?;
    let image = format!("oci:{}", path.display());
    let run = Ocitag::new().run(["--semver", "1.2.3", "-t", "", "-t", "slim", &image]);
    assert_eq!(
        run.fates(),
        [
            "1.2.3 already there",
            "1.2.3-slim created",
            "1.2 created",
            "1.2-slim created",
            "1 created",
            "1-slim created",
            "latest created",
            "slim created",
        ]
    );
    assert_eq!(digest(&path, "slim")?, digest(&path, "1.2.3")?);
    Ok(())
}

#[test]
fn what_is_no_layout_is_said() -> TestResult {
    let directory = tempfile::tempdir()?;
    let image = format!("oci:{}", directory.path().display());
    Ocitag::new().run(["--semver", "1.2.3", &image]).fails(1, &[&image[4..], "oci-layout"]);
    Ok(())
}
