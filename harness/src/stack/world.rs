//! What the nodes of a starting stack have in common.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OnceCell, watch};

use crate::container::Container;
use crate::definition::{ContainerDefinition, MountSource, NetworkAttachment, NetworkTarget};
use crate::engine::Engine;
use crate::network::{self, Network, NetworkDefinition};
use crate::record::{Moment, PlaceKind, Record};
use crate::stack::teardown::Teardown;
use crate::start::{StartError, run};

/// What the nodes of a starting stack have in common.
#[derive(Clone, Debug)]
#[doc(hidden)]
pub struct World(Arc<State>);

#[derive(Debug)]
struct State {
    engine: Engine,
    /// What the volumes and networks among the nodes are called on the engine.
    places: Mutex<HashMap<String, String>>,
    /// The network of those that name none, once the first of them is there.
    network: Option<OnceCell<Network>>,
    given_up: watch::Receiver<bool>,
    teardown: Mutex<Teardown>,
    record: Arc<Record>,
}

impl World {
    pub(crate) fn new(
        engine: Engine,
        own_network: bool,
        given_up: watch::Receiver<bool>,
        record: Arc<Record>,
    ) -> Self {
        Self(Arc::new(State {
            engine,
            places: Mutex::default(),
            network: own_network.then(OnceCell::new),
            given_up,
            teardown: Mutex::default(),
            record,
        }))
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// What will be known of the stack if it fails.
    pub(crate) fn record(&self) -> &Arc<Record> {
        &self.0.record
    }

    /// Starts a container and waits until it is ready, or until the stack is given up.
    pub(crate) async fn start(
        &self,
        mut definition: ContainerDefinition,
    ) -> Result<Container, StartError> {
        definition.check_readiness()?;
        self.place(&mut definition).await?;
        let container = run(self.engine().clone(), definition.clone()).await?;
        self.teardown(|teardown| teardown.container(&definition.name, container.id()));
        self.record().container(container.handle());
        self.record().note(&definition.name, Moment::Running);
        let ready = tokio::select! {
            ready = definition.wait_ready(&container) => ready.map_err(StartError::from),
            () = self.given_up() => Err(StartError::GivenUp { node: definition.name }),
        };
        match ready {
            Ok(()) => Ok(container),
            Err(error) => {
                // It goes with the stack, once that has been looked at.
                container.leave();
                Err(error)
            }
        }
    }

    /// The attachments of a container that reads these networks; the stack's own, if none.
    pub(crate) async fn attachments(
        &self,
        networks: &[NetworkAttachment],
    ) -> Result<Vec<NetworkAttachment>, StartError> {
        if let ([], Some(network)) = (networks, &self.0.network) {
            let create = || async {
                let definition = NetworkDefinition::default();
                let network =
                    network::create(self.engine().clone(), "stack".to_owned(), definition).await?;
                self.teardown(|teardown| teardown.network(network.id()));
                self.record().place(PlaceKind::Network, network.id(), network.name());
                // It is needed for longer than this, which ends with the start.
                Ok::<_, StartError>(network.kept())
            };
            return Ok(vec![NetworkAttachment::to(network.get_or_try_init(create).await?)]);
        }
        let placed = networks.iter().cloned().map(|mut attachment| {
            if let NetworkTarget::Node(name) = &attachment.network
                && let Some(id) = self.named(name)
            {
                attachment.network = NetworkTarget::Id(id);
            }
            attachment
        });
        Ok(placed.collect())
    }

    /// Returns when the stack is given up.
    pub(crate) async fn given_up(&self) {
        // An error means that nobody is left who could want it.
        let _ = self.0.given_up.clone().wait_for(|given_up| *given_up).await;
    }

    pub(crate) fn created_volume(&self, node: String, name: &str) {
        self.teardown(|teardown| teardown.volume(name));
        self.record().place(PlaceKind::Volume, name, name);
        self.places().insert(node, name.to_owned());
    }

    pub(crate) fn created_network(&self, node: String, network: &Network) {
        self.teardown(|teardown| teardown.network(network.id()));
        self.record().place(PlaceKind::Network, network.id(), network.name());
        self.places().insert(node, network.id().to_owned());
    }

    pub(crate) fn teardown<T>(&self, change: impl FnOnce(&mut Teardown) -> T) -> T {
        change(&mut self.0.teardown.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn place(&self, definition: &mut ContainerDefinition) -> Result<(), StartError> {
        if definition.network_mode.is_none() {
            definition.networks = self.attachments(&definition.networks).await?;
        }
        for mount in &mut definition.mounts {
            if let MountSource::VolumeNode(node) = &mount.source
                && let Some(name) = self.named(node)
            {
                mount.source = MountSource::Volume(name);
            }
        }
        Ok(())
    }

    fn named(&self, node: &str) -> Option<String> {
        self.places().get(node).cloned()
    }

    fn places(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.0.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
