//! CNCF Distribution, the registry.

use std::fmt::{self, Display};
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::url::Url;
use super::{BoxError, Changes, HIDDEN, dial, run, with_container};
use crate::container::Container;
use crate::definition::{ContainerDefinition, Mount};
use crate::handle::ContainerHandle;
use crate::image::ImageDefinition;
use crate::port::PortError;
use crate::stack::{Define, DefineError, Links, Live};
use crate::wait::Condition;

const PORT: u16 = 5000;

/// Where its images are, in memory. In official images there is a volume in this place.
const STORAGE: &str = "/var/lib/registry";

const CONFIG: &str = "/etc/plimsoll/registry.yml";
const HTPASSWD: &str = "/etc/plimsoll/htpasswd";
const CERTIFICATE: &str = "/etc/plimsoll/registry.crt";
const KEY: &str = "/etc/plimsoll/registry.key";

/// A registry for images, 2 or 3, which keeps them in memory. Tags and manifests can be deleted.
///
/// [`Live::clean`] removes all repositories. It needs `find` and `rm` in the image, which
/// official images have.
///
/// ```
/// use plimsoll_harness::service::Distribution;
///
/// let registry = Distribution::new("registry:2").htpasswd("user:$2y$05$...");
/// assert_eq!(registry.url_at("registry:5000"), "http://registry:5000/");
/// ```
#[derive(Clone)]
pub struct Distribution {
    /// What it is made of.
    pub image: ImageDefinition,
    /// Its certificate and key, in PEM, if it speaks TLS.
    pub tls: Option<Tls>,
    /// Who may use it, as lines of `user:hash` with bcrypt's hash; everyone, if nothing.
    pub htpasswd: Option<String>,
    /// What [`Distribution::with_container`] has added.
    pub changes: Changes,
}

/// A certificate and its key, in PEM.
#[derive(Clone)]
pub struct Tls {
    /// The certificate, and those between it and the authority that clients trust.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

with_container!(Distribution);

impl Distribution {
    /// A registry of this image, which speaks plain HTTP and lets everyone in.
    pub fn new(image: impl Into<ImageDefinition>) -> Self {
        Self { image: image.into(), tls: None, htpasswd: None, changes: Changes::default() }
    }

    /// Speaks TLS, with a certificate and its key in PEM.
    #[must_use]
    pub fn tls(mut self, certificate: impl Into<String>, key: impl Into<String>) -> Self {
        self.tls = Some(Tls { certificate: certificate.into(), key: key.into() });
        self
    }

    /// Lets in only those of these lines: `user:hash`, with bcrypt's hash of the password.
    #[must_use]
    pub fn htpasswd(mut self, lines: impl Into<String>) -> Self {
        self.htpasswd = Some(lines.into());
        self
    }

    /// Its URL for a client that finds it at `host`; port 5000 belongs there.
    pub fn url_at(&self, host: impl Display) -> String {
        Url::new(if self.tls.is_some() { "https" } else { "http" }).host(host).root()
    }

    fn config(&self) -> String {
        let mut config = format!(
            "version: 0.1\n\
             log: {{ level: info }}\n\
             storage: {{ filesystem: {{ rootdirectory: {STORAGE} }}, delete: {{ enabled: true }} }}\n"
        );
        if self.htpasswd.is_some() {
            config += &format!("auth: {{ htpasswd: {{ realm: registry, path: {HTPASSWD} }} }}\n");
        }
        let tls = match self.tls {
            Some(_) => format!(", tls: {{ certificate: {CERTIFICATE}, key: {KEY} }}"),
            None => String::new(),
        };
        config + &format!("http: {{ addr: \":{PORT}\"{tls} }}\n")
    }
}

impl Define for Distribution {
    fn define(&self, links: &Links<'_>) -> Result<ContainerDefinition, DefineError> {
        let mut definition = ContainerDefinition::new(links.name(), self.image.clone())
            .cmd([CONFIG])
            .file(CONFIG, self.config(), 0o644)
            .mount(Mount::tmpfs(STORAGE).option("mode=1777"))
            .publish(PORT)
            .ready(Condition::until("the registry answers", |handle| async move {
                answers(&handle).await
            }));
        // Its user is another in each image.
        if let Some(lines) = &self.htpasswd {
            definition = definition.file(HTPASSWD, lines.as_bytes(), 0o644);
        }
        if let Some(Tls { certificate, key }) = &self.tls {
            definition = definition.file(CERTIFICATE, certificate.as_bytes(), 0o644);
            definition = definition.file(KEY, key.as_bytes(), 0o644);
        }
        self.changes.apply(definition, links)
    }

    async fn clean(&self, container: &Container) -> Result<(), BoxError> {
        let all =
            ["find", STORAGE, "-mindepth", "1", "-maxdepth", "1", "-exec", "rm", "-rf", "{}", "+"];
        run(container, container.exec(all)).await?;
        Ok(())
    }
}

/// It listens before it has read its key. And tests count the requests in its log: this is none,
/// but an answer all the same, also from one that expects TLS.
async fn answers(handle: &ContainerHandle) -> Result<(), BoxError> {
    let mut stream = dial(handle, PORT).await?;
    stream.write_all(b"GET / nonsense\r\n\r\n").await?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await?;
    match &answer {
        b"HTTP/" => Ok(()),
        other => Err(format!("answered with {:?}", String::from_utf8_lossy(other)).into()),
    }
}

impl Live<Distribution> {
    /// Where it can be reached from this machine: the first part of a reference to an image.
    ///
    /// # Errors
    ///
    /// The container is gone.
    pub async fn address(&self) -> Result<SocketAddr, PortError> {
        self.mapped_port(PORT).await
    }

    /// Its URL for a client on this machine.
    ///
    /// # Errors
    ///
    /// The container is gone.
    pub async fn url(&self) -> Result<String, PortError> {
        Ok(self.definition().url_at(self.address().await?))
    }
}

impl fmt::Debug for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { image, tls, htpasswd, changes } = self;
        f.debug_struct("Distribution")
            .field("image", image)
            .field("tls", tls)
            .field("htpasswd", &htpasswd.as_ref().map(|_| HIDDEN))
            .field("changes", changes)
            .finish()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { certificate, key: _ } = self;
        f.debug_struct("Tls").field("certificate", certificate).field("key", &HIDDEN).finish()
    }
}
