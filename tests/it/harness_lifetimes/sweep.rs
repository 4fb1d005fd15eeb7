//! What crashed runs have left is removed by the next one, and nothing else is.

use std::collections::HashMap;

use plimsoll_harness::testcontainers::bollard::models::{
    ContainerCreateBody, NetworkCreateRequest, VolumeCreateRequest,
};
use plimsoll_harness::testcontainers::bollard::query_parameters::CreateContainerOptions;
use plimsoll_harness::{ContainerDefinition, Engine, require_docker};
use plimsoll_reaper::{Identity, Leftovers};
use plimsoll_tests::image::SCRATCH;

use super::{NEVER, Process, find, gone};
use crate::{Error, TestResult};

/// A container that was never started, a network and a volume, with these labels.
struct Planted(Engine, String);

impl Planted {
    async fn new(engine: &Engine, name: &str, owner: Option<&Identity>) -> Result<Self, Error> {
        let labels = owner.into_iter().flat_map(Identity::labels);
        Self::labelled(engine, name, labels).await
    }

    async fn labelled(
        engine: &Engine,
        name: &str,
        owner: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Result<Self, Error> {
        let image = Some(SCRATCH.ensure(engine).await?);
        let mark = format!("plimsoll-test-{name}-{}", std::process::id());
        let mut labels = HashMap::from([(mark.clone(), "planted".to_owned())]);
        labels.extend(owner.into_iter().map(|(key, value)| (key.to_owned(), value)));
        let name = mark.clone();
        engine
            .call(|docker| async move {
                let labels = Some(labels);
                let options =
                    CreateContainerOptions { name: Some(name.clone()), ..Default::default() };
                let body =
                    ContainerCreateBody { image, labels: labels.clone(), ..Default::default() };
                docker.create_container(Some(options), body).await?;
                let network = NetworkCreateRequest {
                    name: name.clone(),
                    labels: labels.clone(),
                    ..Default::default()
                };
                docker.create_network(network).await?;
                let volume = VolumeCreateRequest { name: Some(name), labels, ..Default::default() };
                docker.create_volume(volume).await
            })
            .await?;
        Ok(Self(engine.clone(), mark))
    }

    async fn is_there(&self) -> Result<bool, Error> {
        Ok(!find(&self.0, self.1.clone()).await?.is_empty())
    }

    async fn remove(self) -> TestResult {
        let Self(engine, label) = self;
        let removing = |docker| async move {
            Leftovers::find(&docker, &[label]).await?.remove(&docker).await;
            Ok(())
        };
        engine.call(removing).await
    }
}

#[tokio::test]
async fn edge_crashed_runs_are_swept_and_nothing_else() -> TestResult {
    let engine = require_docker!();
    let here = Identity::current();
    // Beyond the greatest process number there is.
    let dead = Identity { pid: 1 << 30, ..here.clone() };
    let reused = Identity { pid: std::process::id(), start_time: 1, ..here.clone() };
    let before_the_crash = Identity { boot_id: "another".to_owned(), ..here.clone() };
    let elsewhere = Identity { host: "another".to_owned(), ..dead.clone() };
    let swept = [
        Planted::new(&engine, "dead", Some(&dead)).await?,
        Planted::new(&engine, "reused", Some(&reused)).await?,
        Planted::new(&engine, "crash", Some(&before_the_crash)).await?,
    ];
    let kept = [
        Planted::new(&engine, "alive", Some(&here)).await?,
        Planted::new(&engine, "elsewhere", Some(&elsewhere)).await?,
        Planted::new(&engine, "stranger", None).await?,
    ];
    // Any process that creates something sweeps.
    let mut process = Process::start(&engine, &["hold", "1"]).await?;
    assert_eq!(process.line().await?, "ready");
    for planted in swept {
        gone(&engine, &planted.1).await?;
    }
    process.child.kill().await?;
    gone(&engine, &process.label()).await?;
    for planted in kept {
        assert!(planted.is_there().await?, "{}", planted.1);
        planted.remove().await?;
    }
    Ok(())
}

/// As jobs of CI that are given the engine's socket.
#[tokio::test]
async fn edge_crashed_runs_in_a_container_are_swept_once_it_has_ended() -> TestResult {
    let engine = require_docker!();
    let job = |name: &str, script: &str| {
        let (name, script) = (name.to_owned(), script.to_owned());
        let engine = engine.clone();
        async move {
            let image = SCRATCH.ensure(&engine).await?;
            let job = ContainerDefinition::new(name, image).cmd(["sh", "-c", &script]);
            Ok::<_, Error>(job.start().await?)
        }
    };
    let (running, ended) = (job("running", "sleep 600").await?, job("ended", "true").await?);
    ended.wait_exit(NEVER).await?;
    let plant = |name: &'static str, job: String| {
        // Its processes, in a namespace of their own, say nothing to anyone.
        let owner = Identity { host: "another".to_owned(), ..Identity::current() };
        let labels = owner.labels().into_iter().chain([("dev.plimsoll.inside", job)]);
        let labels: Vec<_> = labels.collect();
        let engine = engine.clone();
        async move { Planted::labelled(&engine, name, labels).await }
    };
    let swept = [
        plant("in-ended", ended.id().to_owned()).await?,
        plant("in-gone", "0123456789abcdef".repeat(4)).await?,
    ];
    let kept = plant("in-running", running.id().to_owned()).await?;
    let mut process = Process::start(&engine, &["hold", "1"]).await?;
    assert_eq!(process.line().await?, "ready");
    for planted in swept {
        gone(&engine, &planted.1).await?;
    }
    process.child.kill().await?;
    gone(&engine, &process.label()).await?;
    assert!(kept.is_there().await?);
    kept.remove().await
}
