//! The engine's API, used as directly as possible: the floor.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use plimsoll_harness::Engine;
use plimsoll_harness::testcontainers::bollard::Docker;
use plimsoll_harness::testcontainers::bollard::models::{
    ContainerCreateBody, HostConfig, NetworkCreateRequest,
};
use plimsoll_harness::testcontainers::bollard::query_parameters::{
    AttachContainerOptions, CreateContainerOptions, RemoveContainerOptions,
};
use tokio::sync::watch;

use crate::{CRITICAL_PATH, Error, NODES, script};

/// Creates, attaches, starts and waits for the first byte: what any harness has to do.
async fn start(
    docker: &Docker,
    image: &str,
    script: &str,
    network: Option<&str>,
) -> Result<String, Error> {
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        cmd: Some(vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()]),
        host_config: Some(HostConfig {
            network_mode: network.map(str::to_owned),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let id = docker.create_container(None::<CreateContainerOptions>, body).await?.id;
    let options = AttachContainerOptions { stream: true, stdout: true, ..Default::default() };
    let mut attached = docker.attach_container(&id, Some(options)).await?;
    docker.start_container(&id, None).await?;
    attached.output.next().await.ok_or("it wrote nothing")??;
    Ok(id)
}

async fn remove(docker: &Docker, id: &str) -> Result<(), Error> {
    let options = RemoveContainerOptions { force: true, v: true, link: false };
    Ok(docker.remove_container(id, Some(options)).await?)
}

pub(crate) async fn single(engine: &Engine, image: &str, script: &str) -> Result<Duration, Error> {
    let (image, script) = (image.to_owned(), script.to_owned());
    let work = |docker: Docker| async move {
        let begun = Instant::now();
        let id = start(&docker, &image, &script, None).await?;
        let took = begun.elapsed();
        remove(&docker, &id).await?;
        Ok(took)
    };
    engine.call(work).await
}

/// The graph of the benchmark, with a network for all.
pub(crate) async fn stack(engine: &Engine, image: &str) -> Result<Duration, Error> {
    let image = image.to_owned();
    engine.call(|docker| async move { graph(&docker, &image).await }).await
}

async fn graph(docker: &Docker, image: &str) -> Result<Duration, Error> {
    let name = format!("plimsoll-bench-{}", std::process::id());
    let begun = Instant::now();
    let request = NetworkCreateRequest { name, ..NetworkCreateRequest::default() };
    let network = docker.create_network(request).await?.id;
    let ready: BTreeMap<&str, watch::Sender<bool>> =
        NODES.iter().map(|(name, ..)| (*name, watch::channel(false).0)).collect();
    let node = |(name, tenths, needs): (&'static str, u32, &'static [&'static str])| {
        let (ready, network) = (&ready, &network);
        async move {
            for needed in needs {
                ready[needed].subscribe().wait_for(|ready| *ready).await?;
            }
            let id = start(docker, image, &script(tenths), Some(network)).await?;
            ready[name].send_replace(true);
            Ok::<_, Error>(id)
        }
    };
    let started = futures_util::future::try_join_all(NODES.map(node)).await?;
    let took = begun.elapsed();
    for id in started {
        remove(docker, &id).await?;
    }
    docker.remove_network(&network).await?;
    if took < CRITICAL_PATH { Err("faster than its critical path".into()) } else { Ok(took) }
}
