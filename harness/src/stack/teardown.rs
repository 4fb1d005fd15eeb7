//! Removing a stack.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error;
use testcontainers::bollard::query_parameters::StopContainerOptions;

use crate::artefacts;
use crate::container;
use crate::engine::Engine;
use crate::network;
use crate::process::ProcessIdentity;
use crate::record::Record;
use crate::request::{RequestError, Step};
use crate::stack::StackPlan;
use crate::volume;

/// What a stack, or a container by itself, has on the engine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Teardown {
    /// Node and id.
    containers: Vec<(String, String)>,
    networks: Vec<String>,
    volumes: Vec<String>,
}

impl Teardown {
    pub(crate) fn of_container(node: &str, id: &str) -> Self {
        let mut teardown = Self::default();
        teardown.container(node, id);
        teardown
    }

    pub(crate) fn container(&mut self, node: &str, id: &str) {
        self.containers.push((node.to_owned(), id.to_owned()));
    }

    pub(crate) fn network(&mut self, id: &str) {
        self.networks.push(id.to_owned());
    }

    pub(crate) fn volume(&mut self, name: &str) {
        self.volumes.push(name.to_owned());
    }

    /// Kills and removes it all: containers at once, and then what they were using.
    pub(crate) async fn run(self, docker: Docker) {
        let containers = self.containers.into_iter();
        join_all(containers.map(|(_, id)| container::remove(docker.clone(), id))).await;
        // Whoever owns what could not be removed tries again, and can say what was wrong.
        tokio::join!(
            join_all(self.networks.iter().map(|id| network::remove(&docker, id))),
            join_all(self.volumes.iter().map(|name| volume::remove(&docker, name))),
        );
    }
}

/// Removes a stack when it is dropped: all containers at once, without a grace period, and then
/// networks and volumes. One that is shared ([`crate::scope`]) stays.
#[derive(Debug)]
pub struct StackGuard {
    engine: Engine,
    teardown: Teardown,
    plan: StackPlan,
    record: Arc<Record>,
    /// Processes that share it may need it longer than this one.
    shared: bool,
}

impl StackGuard {
    pub(crate) fn new(
        engine: Engine,
        teardown: Teardown,
        plan: StackPlan,
        record: Arc<Record>,
    ) -> Self {
        let shared = ProcessIdentity::current().is_shared();
        Self { engine, teardown, plan, record, shared }
    }

    /// What is known of it, for a test that fails.
    pub(crate) fn record(&self) -> &Arc<Record> {
        &self.record
    }

    /// What was started.
    #[must_use]
    pub fn plan(&self) -> &StackPlan {
        &self.plan
    }

    /// Stops the containers, in reverse: those first that nothing depends on. Each gets its stop
    /// signal, and is killed if it still runs after the grace period. They remain, to be looked
    /// at, until the stack is dropped.
    ///
    /// # Errors
    ///
    /// The engine refuses.
    pub async fn stop(&self, grace: Duration) -> Result<(), RequestError> {
        let last = self.plan.nodes.iter().map(|node| node.wave).max().unwrap_or_default();
        for wave in (0..=last).rev() {
            let nodes = self.plan.nodes.iter().filter(|node| node.wave == wave);
            let ids = nodes.filter_map(|node| {
                self.teardown.containers.iter().find(|(name, _)| *name == node.name)
            });
            try_join_all(ids.map(|(node, id)| self.stop_one(node, id, grace))).await?;
        }
        Ok(())
    }

    pub(crate) async fn remove(mut self) {
        let teardown = std::mem::take(&mut self.teardown);
        self.engine.call(|docker| teardown.run(docker)).await;
    }

    async fn stop_one(&self, node: &str, id: &str, grace: Duration) -> Result<(), RequestError> {
        let seconds = i32::try_from(grace.as_secs()).unwrap_or(i32::MAX);
        let options = StopContainerOptions { t: Some(seconds), ..StopContainerOptions::default() };
        let id = id.to_owned();
        let stopping =
            |docker: Docker| async move { docker.stop_container(&id, Some(options)).await };
        match self.engine.call(stopping).await {
            // It had been removed before.
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
            stopped => stopped.map_err(RequestError::during(Step::Stop, node)),
        }
    }
}

impl Drop for StackGuard {
    fn drop(&mut self) {
        if self.shared {
            return;
        }
        let teardown = std::mem::take(&mut self.teardown);
        artefacts::of_drop(&self.engine, &self.record, teardown);
    }
}
