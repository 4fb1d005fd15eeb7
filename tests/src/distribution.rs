//! CNCF distribution in a container: the registry that everyone's behaves like, or should.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use plimsoll_harness::service::Distribution;
use plimsoll_harness::{
    Container, ContainerDefinition, ContainerFile, Define, Engine, ExecOutput, Live, LogSource,
    LogWait, Network, PortError, RequestError, StartError, WaitError,
};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::certificate::ServerCertificate;
use crate::image::{BuildError, REGISTRY};

/// The user that registries with authentication let in.
pub const USER: &str = "plimsoll";
/// The password of [`USER`].
pub const PASSWORD: &str = "plimsoll-test-password";

/// [`USER`] and [`PASSWORD`] with bcrypt, at a cost that tests can afford on every request.
const HTPASSWD: &str = "plimsoll:$2b$05$abcdefghijklmnopqrstuuMUcIwP3iWdi.lVKbNRoktjd6KRCoicy\n";
/// The same two for skopeo: `base64(user:password)`.
const SKOPEO_LOGIN: &str =
    r#"{"auths":{"127.0.0.1:5000":{"auth":"cGxpbXNvbGw6cGxpbXNvbGwtdGVzdC1wYXNzd29yZA=="}}}"#;

/// The registry as skopeo sees it, from inside its container.
const INSIDE: &str = "127.0.0.1:5000";

/// A registry to start.
#[derive(Clone, Debug)]
pub struct RegistryDefinition {
    auth: Auth,
    transport: Transport,
    container: ContainerDefinition,
    alias: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Auth {
    Anonymous,
    Htpasswd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Plain,
    Tls,
}

/// A registry that could not be started or looked at.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum RegistryError {
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Port(#[from] PortError),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Wait(#[from] WaitError),
    #[error("issue a certificate for the registry")]
    Certificate(#[from] rcgen::Error),
    #[error("write the certificate authority to a file")]
    CaFile(#[from] io::Error),
    #[error("run `{command}` in the registry's container: exit code {code}\n{stderr}")]
    Command { command: String, code: i64, stderr: String },
}

impl Default for RegistryDefinition {
    fn default() -> Self {
        Self {
            auth: Auth::Anonymous,
            transport: Transport::Plain,
            container: ContainerDefinition::new("registry", REGISTRY.reference()),
            alias: "registry".to_owned(),
        }
    }
}

impl RegistryDefinition {
    /// Lets in nobody but [`USER`].
    #[must_use]
    pub fn htpasswd(mut self) -> Self {
        self.auth = Auth::Htpasswd;
        self
    }

    /// Speaks TLS, with a certificate of a private authority for 127.0.0.1, localhost and its
    /// alias.
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.transport = Transport::Tls;
        self
    }

    /// Puts it on a network, where other containers find it as `alias`, port 5000.
    #[must_use]
    pub fn network(mut self, network: &Network, alias: &str) -> Self {
        self.container = self.container.network(network, [alias]);
        self.alias = alias.to_owned();
        self
    }

    /// Changes the container: more files, another name.
    #[must_use]
    pub fn with_container(
        mut self,
        change: impl FnOnce(ContainerDefinition) -> ContainerDefinition,
    ) -> Self {
        self.container = change(self.container);
        self
    }

    /// Starts it, building its image first if need be.
    ///
    /// # Errors
    ///
    /// There is no image, or it does not start.
    pub async fn start(&self, engine: &Engine) -> Result<RegistryContainer, RegistryError> {
        let mut service = Distribution::new(REGISTRY.ensure(engine).await?);
        let mut skopeo = ContainerDefinition::new("skopeo", "").file(
            "/etc/containers/policy.json",
            r#"{"default":[{"type":"insecureAcceptAnything"}]}"#,
            0o644,
        );
        if self.auth == Auth::Htpasswd {
            service = service.htpasswd(HTPASSWD);
            skopeo = skopeo.file("/root/.docker/config.json", SKOPEO_LOGIN, 0o600);
        }
        let mut ca_file = None;
        if self.transport == Transport::Tls {
            let server = ServerCertificate::issue(&["127.0.0.1", "localhost", &self.alias])?;
            let file = NamedTempFile::with_suffix(".pem")?;
            std::fs::write(file.path(), &server.ca)?;
            ca_file = Some(file);
            service = service.tls(server.certificate, server.key);
            let ca = format!("/etc/containers/certs.d/{INSIDE}/ca.crt");
            skopeo = skopeo.file(ca, server.ca, 0o644);
        } else {
            let insecure = format!("[[registry]]\nlocation = \"{INSIDE}\"\ninsecure = true\n");
            skopeo =
                skopeo.file("/etc/containers/registries.conf.d/plimsoll.conf", insecure, 0o644);
        }
        let container = self.around(service, skopeo.files).start().await?;
        let address = container.address().await?;
        let (auth, alias) = (self.auth, self.alias.clone());
        Ok(RegistryContainer { container, address, auth, alias, ca_file })
    }

    /// The service in the container that this definition describes, with these files as well.
    fn around(&self, service: Distribution, files: Vec<ContainerFile>) -> Distribution {
        let own = self.container.clone();
        service.with_container(move |service, _| {
            let mut container = own.clone();
            container.image = service.image;
            container.cmd = service.cmd;
            container.ready = service.ready;
            container.ports.extend(service.ports);
            container.mounts.extend(service.mounts);
            container.files.extend(service.files);
            container.files.extend(files.iter().cloned());
            Ok(container)
        })
    }
}

/// One request, as the registry logged it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The method.
    pub method: String,
    /// The path, with its query.
    pub path: String,
    /// The status it was answered with.
    pub status: u16,
}

/// A registry that answers.
#[derive(Debug)]
pub struct RegistryContainer {
    container: Live<Distribution>,
    address: SocketAddr,
    auth: Auth,
    alias: String,
    ca_file: Option<NamedTempFile>,
}

impl RegistryContainer {
    /// Where it can be reached from here.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The name other containers on its network find it by.
    #[must_use]
    pub fn alias(&self) -> &str {
        &self.alias
    }

    /// User and password, if it wants any.
    #[must_use]
    pub fn credentials(&self) -> Option<(&'static str, &'static str)> {
        (self.auth == Auth::Htpasswd).then_some((USER, PASSWORD))
    }

    /// The authority to trust, if it speaks TLS; the file lives as long as this value.
    #[must_use]
    pub fn ca_file(&self) -> Option<&Path> {
        self.ca_file.as_ref().map(NamedTempFile::path)
    }

    /// The container it runs in.
    #[must_use]
    pub fn container(&self) -> &Container {
        &self.container
    }

    /// The requests it has answered so far, in the order of their answers. Those of
    /// [`RegistryContainer::skopeo`] are among them.
    ///
    /// # Errors
    ///
    /// Its container is gone.
    pub async fn access_log(&self) -> Result<Vec<Access>, RegistryError> {
        // A line that goes through the same pipe as the log: what was logged before it is here
        // when it is.
        static BARRIERS: AtomicU32 = AtomicU32::new(0);
        let barrier = format!("plimsoll barrier {}", BARRIERS.fetch_add(1, Ordering::Relaxed));
        let mark = self.container.mark();
        self.run(&["sh", "-c", &format!("echo '{barrier}' >/proc/1/fd/1")]).await?;
        let wait = LogWait::stdout(format!("^{barrier}$"));
        self.container.wait_since(mark, wait).await?;
        let lines = self.container.logs().of(LogSource::Stdout);
        Ok(lines.iter().filter_map(|line| access(&line.text())).collect())
    }

    /// The digest skopeo computes for a tag.
    ///
    /// # Errors
    ///
    /// There is no such tag.
    pub async fn skopeo_inspect(
        &self,
        repository: &str,
        tag: &str,
    ) -> Result<String, RegistryError> {
        let image = format!("docker://{INSIDE}/{repository}:{tag}");
        let manifest = self.skopeo(&["inspect", "--raw", &image]).await?.stdout;
        Ok(Sha256::digest(manifest).iter().fold("sha256:".to_owned(), |mut digest, byte| {
            let _ = write!(digest, "{byte:02x}");
            digest
        }))
    }

    /// Runs skopeo inside the container, where the registry is `127.0.0.1:5000` and skopeo is
    /// logged in and trusts it.
    ///
    /// # Errors
    ///
    /// It exits with another code than 0.
    pub async fn skopeo(&self, arguments: &[&str]) -> Result<ExecOutput, RegistryError> {
        self.run(&[&["skopeo"], arguments].concat()).await
    }

    async fn run(&self, command: &[&str]) -> Result<ExecOutput, RegistryError> {
        let output = self.container.exec(command.iter().copied()).await?;
        if output.code == 0 {
            return Ok(output);
        }
        let stderr = output.stderr_text().into_owned();
        Err(RegistryError::Command { command: command.join(" "), code: output.code, stderr })
    }
}

/// `127.0.0.1 - - [date] "GET /v2/ HTTP/1.1" 200 2 "" "agent"`.
fn access(line: &str) -> Option<Access> {
    let mut quoted = line.split('"').skip(1);
    let mut request = quoted.next()?.split(' ');
    let (method, path) = (request.next()?.to_owned(), request.next()?.to_owned());
    request.next().filter(|version| version.starts_with("HTTP/"))?;
    let status = quoted.next()?.split_whitespace().next()?.parse().ok()?;
    Some(Access { method, path, status })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_log_lines_are_told_from_others() {
        let line = r#"172.17.0.1 - - [01/Jan/2026:00:00:00 +0000] "PUT /v2/a/manifests/1?x=y HTTP/1.1" 201 0 "" "curl""#;
        let expected =
            Access { method: "PUT".into(), path: "/v2/a/manifests/1?x=y".into(), status: 201 };
        assert_eq!(access(line), Some(expected));
        assert_eq!(
            access(r#"time="2026" level=info msg="listening on [::]:5000" go.version=1"#),
            None
        );
        assert_eq!(access("plimsoll barrier 3"), None);
    }
}
