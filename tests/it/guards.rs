//! Options that keep aliases from images they should not take.

use plimsoll_registry::fake::{FakeOptions, FakeRegistry};

use crate::ocitag::Ocitag;

#[test]
fn edge_24_yanked_versions_and_edge_23_required_platforms_are_options() {
    let fake = FakeRegistry::start(FakeOptions::default());
    let image = format!("{}/acme/cake", fake.host());
    let good = fake.seed_image("acme/cake", "1.2.4", &["linux/amd64"]);
    let broken = fake.seed_image("acme/cake", "1.3.0", &["linux/amd64", "linux/arm64"]);
    for alias in ["1.3", "1", "latest"] {
        fake.tag("acme/cake", alias, &broken);
    }
    let ocitag = Ocitag::new();
    let lacking = ["--semver", "1.2.4", "--require-platforms", "linux/amd64,linux/arm64", &image];
    ocitag.run(lacking).fails(3, &["is not for linux/arm64", "--require-platforms"]);
    assert_eq!(fake.count(|request| request.method == "PUT"), 0);
    let kept = ocitag.run(["--semver", "1.2.4", "--yanked", "1.3.0", &image]).ok();
    assert!(kept.contains("which is yanked: --allow-downgrade moves it down to 1.2.4"), "{kept}");
    let down = ["--semver", "1.2.4", "--yanked", "1.3.0", "--allow-downgrade", &image];
    ocitag.run(down).ok();
    let tags = fake.tags("acme/cake");
    assert!(["1.2", "1", "latest"].iter().all(|alias| tags[*alias] == good), "{tags:?}");
    assert_eq!(ocitag.run(["--semver", "1.2.4", "--yanked", "1.2.4", &image]).code, 2);
    assert_eq!(ocitag.run(["--semver", "1.2.4", "--yanked", "junk", &image]).code, 2);
    assert_eq!(ocitag.run(["--semver", "1.2.4", "--allow-downgrade", &image]).code, 2);
}
