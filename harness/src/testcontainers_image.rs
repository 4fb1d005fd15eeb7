//! Images of testcontainers as nodes of a stack; the only file that knows its image types.
//!
//! testcontainers starts them itself, because the conditions it waits for are private to it. Its
//! `start` creates and starts in one go, but between the two it asks the image for the files to
//! copy: an image of ours around the user's takes that moment to put the container on its
//! network and to listen to its output before there is any.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use testcontainers::core::{
    ContainerPort, ContainerState, CopyToContainer, ExecCommand, Mount, WaitFor,
};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerRequest, Image, ImageExt, TestcontainersError};
use tokio::sync::oneshot;

use crate::container::{self, Container};
use crate::create::target;
use crate::definition::NetworkAttachment;
use crate::image::{ImageDefinition, PullPolicy, ensure};
use crate::line::LogTail;
use crate::process::ProcessIdentity;
use crate::record::Moment;
use crate::scope::SharedNode;
use crate::stack::{DefineError, Links, Live, Node, PlannedKind, Read, World};
use crate::start::StartError;

mod birth;

use birth::{Birth, Parentage};

/// Longer than any container is waited for: testcontainers has a deadline of its own.
const NO_DEADLINE: Duration = Duration::from_secs(24 * 60 * 60);

/// What is said of a start that testcontainers would have gone on with.
const GIVEN_UP: &str = "given up";

/// The exit code of what is killed, by testcontainers for example.
const KILLED: i64 = 137;

type Request<I> = ContainerRequest<NodeImage<I>>;
type Make<I> = dyn Fn(&Links<'_>) -> Result<Request<I>, DefineError> + Send + Sync;

/// An image of testcontainers, those of testcontainers-modules included, as a node of a stack.
///
/// testcontainers starts it and decides when it is ready. All else is as for any other node: its
/// name on the network, its name on the engine, its logs, an end of the wait as soon as it exits,
/// and its removal, whatever happens. The image is pulled if it is not there, as testcontainers
/// does, but never for another platform than asked for.
///
/// ```
/// use plimsoll_harness::testcontainers::core::WaitFor;
/// use plimsoll_harness::testcontainers::{GenericImage, ImageExt};
/// use plimsoll_harness::{Stack, TestcontainersImage};
///
/// #[derive(Stack, Clone, Debug)]
/// struct App {
///     redis: TestcontainersImage<GenericImage>,
/// }
///
/// let ready = WaitFor::message_on_stdout("Ready to accept connections");
/// let redis = GenericImage::new("redis", "7.2").with_wait_for(ready);
/// let app = App {
///     redis: TestcontainersImage::new(redis).with(|request| request.with_tag("7.4")),
/// };
/// assert_eq!(app.plan()?.to_string(), "1. redis: redis:7.4\n");
/// # Ok::<(), plimsoll_harness::DefineError>(())
/// ```
pub struct TestcontainersImage<I: Image> {
    make: Arc<Make<I>>,
    pull: PullPolicy,
}

impl<I: Image + Clone + 'static> TestcontainersImage<I> {
    /// The image, as it is.
    pub fn new(image: I) -> Self {
        let make = move |_: &Links<'_>| Ok(NodeImage::of(image.clone()).into());
        Self { make: Arc::new(make), pull: PullPolicy::Missing }
    }
}

impl<I: Image + 'static> TestcontainersImage<I> {
    /// Changes the request, with all that testcontainers' `ImageExt` offers. A network given here
    /// is left alone; the container is then on no network of the stack.
    #[must_use]
    pub fn with(self, change: impl Fn(Request<I>) -> Request<I> + Send + Sync + 'static) -> Self {
        self.linked(move |request, _| Ok(change(request)))
    }

    /// Changes the request according to other nodes, which makes it depend on them.
    #[must_use]
    pub fn linked(
        self,
        change: impl Fn(Request<I>, &Links<'_>) -> Result<Request<I>, DefineError>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let Self { make, pull } = self;
        Self { make: Arc::new(move |links| change(make(links)?, links)), pull }
    }

    /// Says whether the image may be pulled.
    #[must_use]
    pub fn pull(mut self, policy: PullPolicy) -> Self {
        self.pull = policy;
        self
    }
}

impl<I: Image> Clone for TestcontainersImage<I> {
    fn clone(&self) -> Self {
        Self { make: self.make.clone(), pull: self.pull }
    }
}

impl<I: Image> fmt::Debug for TestcontainersImage<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestcontainersImage").field("pull", &self.pull).finish_non_exhaustive()
    }
}

/// A request, and the networks of the stack the container shall be on.
#[doc(hidden)]
pub struct Planned<I: Image> {
    request: Request<I>,
    networks: Vec<NetworkAttachment>,
}

impl<I: Image + 'static> Node for TestcontainersImage<I> {
    type Live = Live<Self>;
    type Spec = Planned<I>;

    fn spec(&self, links: &Links<'_>) -> Result<Planned<I>, DefineError> {
        Ok(Planned { request: (self.make)(links)?, networks: Vec::new() })
    }

    fn attach(spec: &mut Planned<I>, _: &str, read: &Read) {
        spec.networks = read.networks.iter().map(|name| NetworkAttachment::to_node(name)).collect();
    }

    fn outline(spec: &Planned<I>) -> PlannedKind {
        let networks = spec.networks.iter().map(|attachment| target(attachment).to_owned());
        PlannedKind::Testcontainers {
            image: spec.request.descriptor(),
            networks: networks.collect(),
        }
    }

    async fn start(
        self,
        name: String,
        spec: Planned<I>,
        world: World,
    ) -> Result<Live<Self>, StartError> {
        let Planned { request, networks } = spec;
        let mut image = ImageDefinition::from(request.descriptor()).pull(self.pull);
        image.platform.clone_from(request.platform());
        ensure(world.engine().docker(), &name, &image).await?;
        let networks = match request.network() {
            Some(_) => Vec::new(),
            None => world.attachments(&networks).await?,
        };
        world.engine().check_testcontainers().await?;
        let container = start(&name, request, networks, &world).await?;
        Ok(Live::new(name, self, container))
    }

    fn describe(live: &Live<Self>) -> SharedNode {
        live.share()
    }

    async fn adopt(self, shared: SharedNode) -> Result<Live<Self>, StartError> {
        Live::adopt(self, shared).await
    }
}

async fn start<I: Image + 'static>(
    node: &str,
    request: Request<I>,
    networks: Vec<NetworkAttachment>,
    world: &World,
) -> Result<Container, StartError> {
    let full_name = ProcessIdentity::current().name(node);
    // An exit is what it waits for, then.
    let one_shot = request.ready_conditions().iter().any(|wait| matches!(wait, WaitFor::Exit(_)));
    let parentage = Parentage {
        world: world.clone(),
        node: node.to_owned(),
        full_name: full_name.clone(),
        networks,
    };
    let (birth, mut born) = Birth::expected(parentage);
    let request = ours(request, node, full_name.clone(), birth);
    let (keep, mut given_up) = oneshot::channel::<()>();
    // On a thread and a runtime of its own: the moment between create and start is a call that
    // is not async, and the engine's thread has to work while that call waits for it.
    let mut starting = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            tokio::select! {
                started = request.start() => {
                    // Dropping it would remove the container, which is ours to remove.
                    std::mem::forget(started?);
                    Ok(())
                }
                _ = &mut given_up => Err(TestcontainersError::other(GIVEN_UP)),
            }
        })
    });
    let container = tokio::select! {
        container = &mut born => container.ok(),
        failed = &mut starting => {
            // It can have been born and have failed since.
            let container = born.try_recv().ok();
            return Err(failure(world, node, container, flatten(failed)).await);
        }
    };
    let container = match container {
        Some(Ok(container)) => {
            world.record().container(container.handle());
            world.record().note(node, Moment::Running);
            container
        }
        None => return Err(failure(world, node, None, flatten(starting.await)).await),
        Some(Err(error)) => {
            drop(keep);
            let _ = starting.await;
            // Known by nothing but its name.
            let _ = container::remove(world.engine().docker().clone(), full_name).await;
            return Err(error);
        }
    };
    let reason = tokio::select! {
        started = &mut starting => match flatten(started) {
            Ok(()) => return Ok(container),
            Err(reason) => Some(reason),
        },
        _ = container.wait_exit(NO_DEADLINE), if !one_shot => None,
        () = world.given_up() => {
            let _ = container.remove().await;
            drop(keep);
            let _ = starting.await;
            return Err(StartError::GivenUp { node: node.to_owned() });
        }
    };
    drop(keep);
    // testcontainers kills what it has given up, and only then says why.
    let reason = match reason {
        Some(reason) => reason,
        None => flatten(starting.await).err().unwrap_or_else(|| GIVEN_UP.to_owned()),
    };
    Err(failure(world, node, Some(Ok(container)), Err(reason)).await)
}

/// The request with what every container of ours has.
fn ours<I: Image>(request: Request<I>, node: &str, full_name: String, birth: Birth) -> Request<I> {
    use testcontainers::bollard::models::{RestartPolicy, RestartPolicyNameEnum};
    let hook = request.image().birth.clone();
    let network = birth.network();
    *hook.lock().unwrap_or_else(PoisonError::into_inner) = Some(birth);
    let modify = request.host_config_modifier().cloned();
    request
        .with_container_name(full_name)
        .with_labels(ProcessIdentity::current().labels(node))
        .with_host_config_modifier(move |host| {
            if let Some(modify) = &modify {
                modify(host);
            }
            if let Some(network) = &network {
                host.network_mode = Some(network.clone());
            }
            // A crash loop would look like a running container.
            host.restart_policy = Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::NO),
                maximum_retry_count: None,
            });
        })
}

fn flatten(
    joined: Result<Result<(), TestcontainersError>, tokio::task::JoinError>,
) -> Result<(), String> {
    match joined {
        Ok(started) => started.map_err(|error| in_full(&error)),
        Err(error) => Err(format!("it panicked: {error}")),
    }
}

/// testcontainers repeats causes in its messages; each is said once here.
fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// The error for a start that failed, once its container is gone.
async fn failure(
    world: &World,
    node: &str,
    container: Option<Result<Container, StartError>>,
    reason: Result<(), String>,
) -> StartError {
    let node = node.to_owned();
    let mut reason = reason.err().unwrap_or_else(|| "it was never created".to_owned());
    let mut tail = LogTail { stdout: Vec::new(), stderr: Vec::new(), terminal: false };
    match container {
        Some(Ok(container)) => {
            let exit = container.wait_exit(Duration::ZERO).await.ok();
            if let Some(code) = exit.filter(|code| *code != KILLED || reason.contains(GIVEN_UP)) {
                reason = format!("it exited with code {code} before it was ready");
            }
            tail = container.tail();
            // testcontainers may have removed it; then its logs are what is left of it.
            world.record().look(world.engine().docker()).await;
            let _ = container.remove().await;
        }
        Some(Err(error)) => return error,
        None => {}
    }
    StartError::Testcontainers { node, reason, tail }
}

/// The user's image, and the moments of its life that matter to us.
#[doc(hidden)]
pub struct NodeImage<I> {
    image: I,
    birth: Arc<Mutex<Option<Birth>>>,
}

impl<I> NodeImage<I> {
    fn of(image: I) -> Self {
        Self { image, birth: Arc::default() }
    }

    fn birth(&self, moment: impl FnOnce(&mut Birth)) {
        // None while it is being planned.
        if let Some(birth) = &mut *self.birth.lock().unwrap_or_else(PoisonError::into_inner) {
            moment(birth);
        }
    }
}

impl<I: Image> Image for NodeImage<I> {
    fn name(&self) -> &str {
        self.image.name()
    }

    fn tag(&self) -> &str {
        self.image.tag()
    }

    fn ready_conditions(&self) -> Vec<WaitFor> {
        self.image.ready_conditions()
    }

    fn env_vars(
        &self,
    ) -> impl IntoIterator<Item = (impl Into<Cow<'_, str>>, impl Into<Cow<'_, str>>)> {
        self.image.env_vars()
    }

    fn mounts(&self) -> impl IntoIterator<Item = &Mount> {
        self.image.mounts()
    }

    /// Asked for between create and start, and only then.
    fn copy_to_sources(&self) -> impl IntoIterator<Item = &CopyToContainer> {
        self.birth(Birth::created);
        self.image.copy_to_sources()
    }

    fn entrypoint(&self) -> Option<&str> {
        self.image.entrypoint()
    }

    fn cmd(&self) -> impl IntoIterator<Item = impl Into<Cow<'_, str>>> {
        self.image.cmd()
    }

    fn expose_ports(&self) -> &[ContainerPort] {
        self.image.expose_ports()
    }

    fn exec_after_start(
        &self,
        state: ContainerState,
    ) -> Result<Vec<ExecCommand>, TestcontainersError> {
        self.image.exec_after_start(state)
    }

    /// Asked for right after start.
    fn exec_before_ready(
        &self,
        state: ContainerState,
    ) -> Result<Vec<ExecCommand>, TestcontainersError> {
        self.birth(Birth::started);
        self.image.exec_before_ready(state)
    }
}
