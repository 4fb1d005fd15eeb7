//! Rule 7 on a real registry: any number of runs at once, and every alias ends on its maximum.

use std::thread;

use bytes::Bytes;
use plimsoll_harness::require_docker;
use plimsoll_registry::{
    Access, Host, Manifest, MediaType, Registry, RegistryOptions, Selector, Store, Tag,
};
use plimsoll_tests::distribution::RegistryDefinition;

use crate::ocitag::Ocitag;
use crate::{Error, TestResult};

const ROUNDS: u64 = 50;

const VERSIONS: [&str; 8] =
    ["1.2.3", "1.2.4", "1.2.10", "1.3.0", "1.10.0", "2.0.0", "2.0.1", "2.1.0-rc.1"];

/// Each alias, and the version it has to end on.
const SETTLED: [(&str, &str); 8] = [
    ("1.2", "1.2.10"),
    ("1.3", "1.3.0"),
    ("1.10", "1.10.0"),
    ("1", "1.10.0"),
    ("2.0", "2.0.1"),
    ("2", "2.0.1"),
    ("latest", "2.0.1"),
    ("2.1.0-rc.1", "2.1.0-rc.1"),
];

/// A manifest of its own for every version.
fn manifest(version: &str) -> Result<Manifest, Error> {
    let body = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[],"annotations":{{"v":"{version}"}}}}"#,
        MediaType::OCI_INDEX
    );
    Ok(Manifest::received(Bytes::from(body), "", None)?)
}

/// The versions in an order that only the round decides.
fn shuffled(round: u64) -> Vec<&'static str> {
    let mut random = fastrand::Rng::with_seed(round);
    let mut versions = VERSIONS.to_vec();
    random.shuffle(&mut versions);
    versions
}

#[tokio::test]
async fn eight_processes_at_once_fifty_times() -> TestResult {
    let container = RegistryDefinition::default().start(&require_docker!()).await?;
    let host: Host = container.address().to_string().parse()?;
    let registry = Registry::new(host, &RegistryOptions::default())?;
    for round in 0..ROUNDS {
        let repository = format!("acme/cake-{round}");
        let store = registry.repository(&repository, Access::PullPush);
        for version in VERSIONS {
            let built: Tag = format!("build-{version}").parse()?;
            store.put(&built, &manifest(version)?).await?;
        }
        let image = format!("{}/{repository}", container.address());
        let releases = shuffled(round).into_iter().map(|version| {
            let image = format!("{image}:build-{version}");
            thread::spawn(move || Ocitag::new().run(["--semver", version, &image]))
        });
        let releases: Vec<_> = releases.collect();
        for release in releases {
            let run = release.join().expect("no panic");
            assert_eq!(run.code, 0, "round {round}: {run:?}");
        }
        for (alias, version) in SETTLED {
            let found = store.head(&Selector::Tag(alias.parse()?)).await?;
            let expected = manifest(version)?.digest().clone();
            let found = found.map(|found| found.digest);
            assert_eq!(found, Some(expected), "round {round}: {alias}");
        }
        assert_eq!(store.head(&Selector::Tag("2.1".parse()?)).await?, None, "round {round}");
    }
    Ok(())
}
