//! What a container shall be, before there is one.

use crate::network::Network;
use crate::wait::LogWait;

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
/// let other = web.clone().env("TZ", "UTC");
/// assert_eq!(other.image, "nginx:1.27");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ContainerDefinition {
    /// What errors and labels call it, and its alias on its network.
    pub name: String,
    /// The image, as `name:tag` or `name@digest`.
    pub image: String,
    /// Whether the image may be pulled.
    pub pull: PullPolicy,
    /// Replaces the image's entrypoint, unless empty.
    pub entrypoint: Vec<String>,
    /// Replaces the image's command, unless empty.
    pub cmd: Vec<String>,
    /// Environment variables, over those of the image.
    pub env: Vec<(String, String)>,
    /// TCP ports of the container, each published on a free port of 127.0.0.1.
    pub ports: Vec<u16>,
    /// Files that are there when the container starts.
    pub files: Vec<ContainerFile>,
    /// The network it is on; the engine's default bridge, where no name resolves, if none.
    pub network: Option<NetworkAttachment>,
    /// What to wait for before it counts as started.
    pub ready: Option<LogWait>,
}

/// A file to put into a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerFile {
    /// Where, absolute. Missing directories are created.
    pub path: String,
    /// What is in it.
    pub bytes: Vec<u8>,
    /// Its permission bits, such as `0o644`. It belongs to root.
    pub mode: u32,
}

/// A place on a user-defined network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkAttachment {
    /// The network's id.
    pub network_id: String,
    /// The names the other containers of that network find this one by, its own name aside.
    pub aliases: Vec<String>,
}

/// Whether an image may be pulled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PullPolicy {
    /// It must be on the engine already.
    #[default]
    Never,
    /// It is pulled if it is not on the engine.
    Missing,
}

impl ContainerDefinition {
    /// A container of `image` that nothing else is said about.
    pub fn new(name: impl Into<String>, image: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            image: image.into(),
            pull: PullPolicy::default(),
            entrypoint: Vec::new(),
            cmd: Vec::new(),
            env: Vec::new(),
            ports: Vec::new(),
            files: Vec::new(),
            network: None,
            ready: None,
        }
    }

    /// Says whether the image may be pulled.
    #[must_use]
    pub fn pull(mut self, policy: PullPolicy) -> Self {
        self.pull = policy;
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

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Publishes a TCP port on a free port of 127.0.0.1.
    #[must_use]
    pub fn publish(mut self, port: u16) -> Self {
        self.ports.push(port);
        self
    }

    /// Puts a file into the container before it starts.
    #[must_use]
    pub fn file(mut self, path: impl Into<String>, bytes: impl Into<Vec<u8>>, mode: u32) -> Self {
        self.files.push(ContainerFile { path: path.into(), bytes: bytes.into(), mode });
        self
    }

    /// Attaches the container to a network, where its name and these aliases lead to it.
    #[must_use]
    pub fn network<S: Into<String>>(
        mut self,
        network: &Network,
        aliases: impl IntoIterator<Item = S>,
    ) -> Self {
        self.network = Some(NetworkAttachment {
            network_id: network.id().to_owned(),
            aliases: aliases.into_iter().map(Into::into).collect(),
        });
        self
    }

    /// Says what to wait for before the container counts as started.
    #[must_use]
    pub fn ready(mut self, wait: LogWait) -> Self {
        self.ready = Some(wait);
        self
    }
}
