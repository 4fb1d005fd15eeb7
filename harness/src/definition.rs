//! What a container shall be, before there is one.

mod attachment;
mod debug;
mod healthcheck;
mod limits;
mod mount;
mod patch;
mod published_port;

pub use attachment::{NetworkAttachment, NetworkTarget};
pub use healthcheck::Healthcheck;
pub use limits::{Limits, Ulimit};
pub use mount::{Mount, MountSource};
pub use patch::Patch;
pub use published_port::{Protocol, PublishedPort};

use std::collections::BTreeSet;
use std::fmt;

use testcontainers::bollard::models::ContainerCreateBody;

use crate::hash::sha256;
use crate::image::{ImageDefinition, PullPolicy};
use crate::network::Network;
use crate::wait::Wait;

/// A container to start: plain data that can be cloned, changed and started any number of times.
///
/// ```
/// use plimsoll_harness::{ContainerDefinition, LogWait};
///
/// let web = ContainerDefinition::new("web", "nginx:1.27")
///     .env("NGINX_ENTRYPOINT_QUIET_LOGS", "1")
///     .file("/usr/share/nginx/html/index.html", "hello", 0o644)
///     .publish(80)
///     .ready(LogWait::stderr("start worker process"));
/// let mut other = web.clone().env("TZ", "UTC");
/// other.user = Some("nginx".to_owned());
/// assert_eq!(web.user, None);
/// ```
///
/// Whatever the image or the engine's configuration say, it is never restarted: a crash loop
/// would look like a running container.
#[derive(Clone)]
#[non_exhaustive]
pub struct ContainerDefinition {
    /// What errors and labels call it, and its alias on its networks.
    pub name: String,
    /// What it is made of.
    pub image: ImageDefinition,
    /// Replaces the image's entrypoint, unless empty.
    pub entrypoint: Vec<String>,
    /// Replaces the image's command, unless empty.
    pub cmd: Vec<String>,
    /// Environment variables, over those of the image. Of two with one name the last counts.
    pub env: Vec<(String, String)>,
    /// Ports of the container that are published on 127.0.0.1.
    pub ports: Vec<PublishedPort>,
    /// Files that are there when the container starts.
    pub files: Vec<ContainerFile>,
    /// What is mounted into it.
    pub mounts: Vec<Mount>,
    /// The networks it is on. Without any it is on its stack's own network; outside a stack on
    /// the engine's default bridge, where no name resolves.
    pub networks: Vec<NetworkAttachment>,
    /// A network mode in the engine's words, such as `none` or `host`, instead of networks.
    pub network_mode: Option<String>,
    /// Lines for its `/etc/hosts`: a name, and an address or `host-gateway`.
    pub hosts: Vec<(String, String)>,
    /// What it calls itself.
    pub hostname: Option<String>,
    /// Who its main process runs as: `user`, `uid`, `user:group` or `uid:gid`.
    pub user: Option<String>,
    /// Where its main process starts.
    pub working_dir: Option<String>,
    /// Labels beside those that say whose it is.
    pub labels: Vec<(String, String)>,
    /// The signal that asks it to stop, instead of the image's.
    pub stop_signal: Option<String>,
    /// Whether it has a terminal; its output is then one stream.
    pub tty: bool,
    /// Whether its standard input stays open.
    pub open_stdin: bool,
    /// Whether process 1 is a small init that reaps and forwards signals.
    pub init: bool,
    /// Whether it may do whatever the engine may.
    pub privileged: bool,
    /// Capabilities it has beyond the usual ones.
    pub cap_add: Vec<String>,
    /// Usual capabilities it does without.
    pub cap_drop: Vec<String>,
    /// Whether its root file system, mounts aside, can only be read.
    pub read_only_root: bool,
    /// What it may use up.
    pub limits: Limits,
    /// A health check instead of the image's.
    pub healthcheck: Option<Healthcheck>,
    /// Last changes to the request that creates it, in order.
    pub patches: Vec<Patch>,
    /// The engine's log driver for it; the engine's default if none. It makes no difference to
    /// waits and logs here, which do not go through it.
    pub log_driver: Option<String>,
    /// What to wait for before it counts as started.
    pub ready: Option<Wait>,
}

/// A file to put into a container.
#[derive(Clone, PartialEq, Eq)]
pub struct ContainerFile {
    /// Where, absolute. Missing directories are created.
    pub path: String,
    /// What is in it.
    pub bytes: Vec<u8>,
    /// Its permission bits, such as `0o644`. It belongs to root.
    pub mode: u32,
}

/// Without what is in it, which may be long or secret; but two that differ look different.
impl fmt::Debug for ContainerFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, bytes, mode } = self;
        write!(f, "{path} ({} bytes #{}, mode {mode:o})", bytes.len(), &sha256(bytes)[..8])
    }
}

impl ContainerDefinition {
    /// A container of `image` that nothing else is said about.
    pub fn new(name: impl Into<String>, image: impl Into<ImageDefinition>) -> Self {
        Self {
            name: name.into(),
            image: image.into(),
            entrypoint: Vec::new(),
            cmd: Vec::new(),
            env: Vec::new(),
            ports: Vec::new(),
            files: Vec::new(),
            mounts: Vec::new(),
            networks: Vec::new(),
            network_mode: None,
            hosts: Vec::new(),
            hostname: None,
            user: None,
            working_dir: None,
            labels: Vec::new(),
            stop_signal: None,
            tty: false,
            open_stdin: false,
            init: false,
            privileged: false,
            cap_add: Vec::new(),
            cap_drop: Vec::new(),
            read_only_root: false,
            limits: Limits::default(),
            healthcheck: None,
            patches: Vec::new(),
            log_driver: None,
            ready: None,
        }
    }

    /// Says whether the image may be pulled. One that is built is not pulled.
    #[must_use]
    pub fn pull(mut self, policy: PullPolicy) -> Self {
        self.image = self.image.pull(policy);
        self
    }

    /// Replaces the image's entrypoint.
    #[must_use]
    pub fn entrypoint<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.entrypoint = words.into_iter().map(Into::into).collect();
        self
    }

    /// Replaces the image's command.
    #[must_use]
    pub fn cmd<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.cmd = words.into_iter().map(Into::into).collect();
        self
    }

    /// Sets an environment variable, also if it was set before.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into();
        self.env.retain(|(other, _)| *other != name);
        self.env.push((name, value.into()));
        self
    }

    /// Publishes a port on 127.0.0.1: a TCP port on a free one, unless told otherwise. What was
    /// published before stays so.
    #[must_use]
    pub fn publish(mut self, port: impl Into<PublishedPort>) -> Self {
        self.ports.push(port.into());
        self
    }

    /// Puts a file into the container before it starts.
    #[must_use]
    pub fn file(mut self, path: impl Into<String>, bytes: impl Into<Vec<u8>>, mode: u32) -> Self {
        self.files.push(ContainerFile { path: path.into(), bytes: bytes.into(), mode });
        self
    }

    /// Mounts something; instead of what was to be mounted in the same place.
    #[must_use]
    pub fn mount(mut self, mount: Mount) -> Self {
        self.mounts.retain(|other| other.target != mount.target);
        self.mounts.push(mount);
        self
    }

    /// Attaches the container to a network, where its name and these aliases lead to it.
    #[must_use]
    pub fn network<S: Into<String>>(
        self,
        network: &Network,
        aliases: impl IntoIterator<Item = S>,
    ) -> Self {
        self.attach(
            aliases.into_iter().fold(NetworkAttachment::to(network), NetworkAttachment::alias),
        )
    }

    /// Attaches the container to one more network.
    #[must_use]
    pub fn attach(mut self, attachment: NetworkAttachment) -> Self {
        self.networks.push(attachment);
        self
    }

    /// Attaches it to these networks of its stack, unless it says more about them itself.
    pub(crate) fn attach_to_nodes(&mut self, names: &BTreeSet<String>) {
        for name in names {
            let attachment = NetworkAttachment::to_node(name);
            if !self.networks.iter().any(|own| own.network == attachment.network) {
                self.networks.push(attachment);
            }
        }
    }

    /// Runs its main process as another user.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Adds a label.
    #[must_use]
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((name.into(), value.into()));
        self
    }

    /// Sets what it may use up.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Replaces the image's health check.
    #[must_use]
    pub fn healthcheck(mut self, check: Healthcheck) -> Self {
        self.healthcheck = Some(check);
        self
    }

    /// Changes the request that creates the container, after all else has been written into it:
    /// for what has no words here, such as devices, sysctls or a log driver.
    ///
    /// ```
    /// use plimsoll_harness::ContainerDefinition;
    ///
    /// let definition = ContainerDefinition::new("web", "web:1").patch(|request| {
    ///     let host = request.host_config.get_or_insert_default();
    ///     host.sysctls = Some([("net.core.somaxconn".into(), "1024".into())].into());
    /// });
    /// assert_eq!(definition.patches.len(), 1);
    /// ```
    #[must_use]
    pub fn patch(
        mut self,
        change: impl Fn(&mut ContainerCreateBody) + Send + Sync + 'static,
    ) -> Self {
        self.patches.push(Patch::new(change));
        self
    }

    /// Says which log driver the engine uses for it, such as `none`.
    #[must_use]
    pub fn log_driver(mut self, driver: impl Into<String>) -> Self {
        self.log_driver = Some(driver.into());
        self
    }

    /// Gives it a terminal.
    #[must_use]
    pub fn tty(mut self) -> Self {
        self.tty = true;
        self
    }

    /// Says what to wait for before the container counts as started.
    #[must_use]
    pub fn ready(mut self, wait: impl Into<Wait>) -> Self {
        self.ready = Some(wait.into());
        self
    }
}
