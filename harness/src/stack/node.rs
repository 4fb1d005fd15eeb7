//! What can be a field of a stack.

use std::any::Any;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use crate::definition::ContainerDefinition;
use crate::network::{self, Network, NetworkDefinition};
use crate::request::{RequestError, Step};

use crate::scope::SharedNode;
use crate::stack::world::World;
use crate::stack::{Define, DefineError, Links, Live, PlannedKind, Read};
use crate::start::StartError;
use crate::volume::{self, Volume, VolumeDefinition};

/// What can be a field of a stack: a container's definition, be it one's own ([`Define`]) or an
/// image of testcontainers; a volume's; a network's.
pub trait Node: Clone + Debug + Send + Sync + 'static {
    /// It, running.
    type Live: Send + 'static;

    /// What planning makes of it.
    #[doc(hidden)]
    type Spec: Send + 'static;

    #[doc(hidden)]
    fn spec(&self, links: &Links<'_>) -> Result<Self::Spec, DefineError>;

    #[doc(hidden)]
    fn attach(spec: &mut Self::Spec, name: &str, read: &Read);

    #[doc(hidden)]
    fn outline(spec: &Self::Spec) -> PlannedKind;

    #[doc(hidden)]
    fn start(
        self,
        name: String,
        spec: Self::Spec,
        world: World,
    ) -> impl Future<Output = Result<Self::Live, StartError>> + Send;

    /// What another process needs to know to use it.
    #[doc(hidden)]
    fn describe(live: &Self::Live) -> SharedNode;

    /// Uses what another process has started.
    #[doc(hidden)]
    fn adopt(
        self,
        shared: SharedNode,
    ) -> impl Future<Output = Result<Self::Live, StartError>> + Send;
}

impl<D: Define> Node for D {
    type Live = Live<D>;
    type Spec = ContainerDefinition;

    fn spec(&self, links: &Links<'_>) -> Result<ContainerDefinition, DefineError> {
        self.define(links)
    }

    fn attach(spec: &mut ContainerDefinition, name: &str, read: &Read) {
        spec.name = name.to_owned();
        spec.attach_to_nodes(&read.networks);
    }

    fn outline(spec: &ContainerDefinition) -> PlannedKind {
        PlannedKind::Container(Box::new(spec.clone()))
    }

    async fn start(
        self,
        name: String,
        spec: ContainerDefinition,
        world: World,
    ) -> Result<Live<D>, StartError> {
        let container = world.start(spec).await?;
        Ok(Live::new(name, self, container))
    }

    fn describe(live: &Live<D>) -> SharedNode {
        live.share()
    }

    async fn adopt(self, shared: SharedNode) -> Result<Live<D>, StartError> {
        Live::adopt(self, shared).await
    }
}

impl Node for VolumeDefinition {
    type Live = Volume;
    type Spec = Self;

    fn spec(&self, _: &Links<'_>) -> Result<Self, DefineError> {
        Ok(self.clone())
    }

    fn attach(_: &mut Self, _: &str, _: &Read) {}

    fn outline(spec: &Self) -> PlannedKind {
        PlannedKind::Volume(spec.clone())
    }

    async fn start(self, name: String, spec: Self, world: World) -> Result<Volume, StartError> {
        let created = volume::create(world.engine().clone(), name.clone(), spec).await;
        let volume = created.map_err(RequestError::during(Step::CreateVolume, &name))?;
        world.created_volume(name, volume.name());
        Ok(volume)
    }

    fn describe(live: &Volume) -> SharedNode {
        live.share()
    }

    async fn adopt(self, shared: SharedNode) -> Result<Volume, StartError> {
        Volume::adopt(shared).await
    }
}

impl Node for NetworkDefinition {
    type Live = Network;
    type Spec = Self;

    fn spec(&self, _: &Links<'_>) -> Result<Self, DefineError> {
        Ok(self.clone())
    }

    fn attach(_: &mut Self, _: &str, _: &Read) {}

    fn outline(spec: &Self) -> PlannedKind {
        PlannedKind::Network(spec.clone())
    }

    async fn start(self, name: String, spec: Self, world: World) -> Result<Network, StartError> {
        let network = network::create(world.engine().clone(), name.clone(), spec).await?;
        world.created_network(name, &network);
        Ok(network)
    }

    fn describe(live: &Network) -> SharedNode {
        live.share()
    }

    async fn adopt(self, shared: SharedNode) -> Result<Network, StartError> {
        Network::adopt(shared).await
    }
}

/// What starting a node of any type gives.
pub(crate) type Starting =
    Pin<Box<dyn Future<Output = Result<Box<dyn Any + Send>, StartError>> + Send>>;

/// A node whose type has been forgotten.
pub(crate) trait AnyNode: Debug + Send + Sync {
    fn definition(&self) -> &(dyn Any + Send + Sync);
    fn type_name(&self) -> &'static str;
    fn plan(&self, links: Links<'_>) -> Result<Planned, DefineError>;
    fn adopt(&self, shared: SharedNode) -> Starting;
}

/// A node that has been planned.
pub(crate) struct Planned {
    pub(crate) read: Read,
    pub(crate) outline: PlannedKind,
    pub(crate) start: Box<dyn FnOnce(World) -> Starting + Send>,
}

impl<N: Node> AnyNode for N {
    fn definition(&self) -> &(dyn Any + Send + Sync) {
        self
    }

    fn type_name(&self) -> &'static str {
        std::any::type_name::<N>()
    }

    fn plan(&self, links: Links<'_>) -> Result<Planned, DefineError> {
        let (node, name) = (self.clone(), links.name().to_owned());
        let mut spec = self.spec(&links).map_err(|error| error.of(&name))?;
        let read = links.read();
        N::attach(&mut spec, &name, &read);
        let outline = N::outline(&spec);
        let start = Box::new(move |world| -> Starting {
            Box::pin(async move {
                let live = node.start(name, spec, world).await?;
                Ok(Box::new(live) as Box<dyn Any + Send>)
            })
        });
        Ok(Planned { read, outline, start })
    }

    fn adopt(&self, shared: SharedNode) -> Starting {
        let node = self.clone();
        Box::pin(async move {
            let live = node.adopt(shared).await?;
            Ok(Box::new(live) as Box<dyn Any + Send>)
        })
    }
}
