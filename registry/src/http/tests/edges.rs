//! The numbered edges of docs/edges.md, over the whole client and the fake registry.

mod answers;
mod contents;
mod digests;
mod heads;
mod limits;
mod order;
mod uploads;

use crate::alias::AliasPolicy;
use crate::apply::Applied;
use crate::copy::{Copier, CopyOptions, CopySource, Destination, Goal, plan_copy};
use crate::fake::{FakeOptions, FakeRegistry};
use crate::http::RepositoryStore;
use crate::observation::Release;
use crate::observe::{ObserveError, Target};
use crate::planner::plan;

use super::budgets::{bearer, registry};
use super::by_tag;

fn store(fake: &FakeRegistry) -> RepositoryStore {
    registry(fake).repository("acme/web", crate::http::Access::PullPush)
}

/// A repository with 1.2.2 and its aliases, and a new image at `build-7`.
fn built(options: FakeOptions) -> FakeRegistry {
    let fake = FakeRegistry::start(options);
    let old = fake.seed_image("acme/web", "1.2.2", &["linux/amd64"]);
    for alias in ["1.2", "1", "latest"] {
        fake.tag("acme/web", alias, &old);
    }
    fake.seed_image("acme/web", "build-7", &["linux/amd64", "linux/arm64"]);
    fake.reset_counts();
    fake
}

/// Releases the image at the tag `source` as `version`.
pub(super) async fn release(
    web: &RepositoryStore,
    version: &str,
    source: &str,
) -> Result<Applied, ObserveError> {
    let versions = vec![version.parse().expect("a version")];
    let release = Release::new(versions, AliasPolicy::default());
    let target = Target { store: web, repository: "acme/web", concurrency: 8 };
    let observation = target.observe(&release, &by_tag(source)).await?;
    let plan = plan(&release, &observation);
    Ok(target.apply(&release, observation, &plan).await)
}

/// Copies the image at the tag `version`, and releases it as that.
pub(super) async fn promote(
    from: &dyn CopySource,
    to: &dyn Destination,
    mount_from: Option<&str>,
    version: &str,
) -> Applied {
    let copier = Copier::new(from, "from", CopyOptions::default());
    let mount_from = mount_from.map(str::to_owned);
    let (name, seen) = ("to".to_owned(), std::collections::BTreeMap::new());
    let goals = [Goal { store: to, name, mount_from, tags: Vec::new(), seen }];
    let tree = copier.read_tree(&by_tag(version)).await.expect("read");
    let versions = vec![version.parse().expect("a version")];
    let release = Release::new(versions, AliasPolicy::default());
    let target = Target { store: to, repository: "to", concurrency: 8 };
    let observation = target.observe_for(&release, tree.root.clone()).await.expect("observed");
    let plan = plan(&release, &observation);
    let sights = copier.look(&tree, &goals).await;
    let states: Vec<_> = sights.into_iter().map(|sight| sight.state).collect();
    let copied = copier.apply(&plan_copy(&tree, copier.options(), &states), &goals).await;
    assert!(copied.failures.is_empty(), "{:?}", copied.failures);
    target.apply(&release, observation, &plan).await
}

fn methods(fake: &FakeRegistry) -> String {
    let requests = fake.requests();
    let lines: Vec<_> = requests.iter().map(|request| request.method.as_str()).collect();
    lines.join(" ")
}
