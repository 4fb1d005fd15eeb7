//! nginx.

use std::collections::BTreeSet;
use std::fmt::Display;

use testcontainers::bollard::Docker;
use testcontainers::bollard::query_parameters::TopOptions;

use super::url::Url;
use super::{BoxError, Changes, ServiceError, run, with_container};
use crate::buffer::LogMark;
use crate::definition::{ContainerDefinition, ContainerFile};
use crate::exec::ExecOutput;
use crate::handle::ContainerHandle;
use crate::image::ImageDefinition;
use crate::port::PortError;
use crate::request::{RequestError, Step};
use crate::stack::{Define, DefineError, Links, Live};
use crate::wait::{Condition, Hopeless, HttpWait};

/// An nginx, ready when it answers, if only with 404 or 502.
///
/// Official images read `/etc/nginx/nginx.conf`, which includes `/etc/nginx/conf.d/*.conf`, of
/// which there is `default.conf`; and serve `/usr/share/nginx/html`. [`crate::service`] has one
/// in front of another node. It keeps nothing, so there is nothing to clean; a configuration
/// that a test has written stays.
///
/// ```
/// use plimsoll_harness::service::Nginx;
///
/// let web = Nginx::new("nginx:1.27").file("/usr/share/nginx/html/index.html", "hello");
/// assert_eq!(web.url_at("web"), "http://web/");
/// ```
#[derive(Clone, Debug)]
pub struct Nginx {
    /// What it is made of.
    pub image: ImageDefinition,
    /// The port that it listens at; 80 unless said otherwise.
    pub port: u16,
    /// Files that are there when it starts: configuration and what it serves.
    pub files: Vec<ContainerFile>,
    /// What [`Nginx::with_container`] has added.
    pub changes: Changes,
}

with_container!(Nginx);

impl Nginx {
    /// A server of this image.
    pub fn new(image: impl Into<ImageDefinition>) -> Self {
        let (files, changes) = (Vec::new(), Changes::default());
        Self { image: image.into(), port: 80, files, changes }
    }

    /// Puts a file into the container before it starts, for everyone to read.
    #[must_use]
    pub fn file(mut self, path: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        self.files.push(ContainerFile { path: path.into(), bytes: bytes.into(), mode: 0o644 });
        self
    }

    /// Its URL for a client that finds it at `host`; a port other than 80 belongs there.
    pub fn url_at(&self, host: impl Display) -> String {
        Url::new("http").host(host).root()
    }
}

impl Define for Nginx {
    fn define(&self, links: &Links<'_>) -> Result<ContainerDefinition, DefineError> {
        let mut definition = ContainerDefinition::new(links.name(), self.image.clone())
            .publish(self.port)
            .ready(HttpWait::get("/").port(self.port));
        definition.files.clone_from(&self.files);
        self.changes.apply(definition, links)
    }
}

impl Live<Nginx> {
    /// Its URL for a client on this machine.
    ///
    /// # Errors
    ///
    /// The container is gone.
    pub async fn url(&self) -> Result<String, PortError> {
        let definition = self.definition();
        Ok(definition.url_at(self.mapped_port(definition.port).await?))
    }

    /// Runs `nginx` with these arguments beside the server: `-T`, or `-s quit`.
    ///
    /// # Errors
    ///
    /// nginx refuses; the error shows what it said.
    pub async fn nginx<S: Into<String>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<ExecOutput, ServiceError> {
        let arguments = arguments.into_iter().map(Into::into);
        run(self, self.exec(std::iter::once("nginx".to_owned()).chain(arguments))).await
    }

    /// Has it read its configuration again. When this returns, the next connection is served by
    /// the new one.
    ///
    /// # Errors
    ///
    /// The configuration is wrong or cannot be put to use, and the old one goes on; the error
    /// shows what nginx said.
    pub async fn reload(&self) -> Result<(), ServiceError> {
        self.nginx(["-t"]).await?;
        let (old, mark) = (workers(self).await?, self.mark());
        self.kill("SIGHUP").await?;
        let taken_over = Condition::until("new workers serve, and no old ones", move |handle| {
            let old = old.clone();
            async move { taken_over(&handle, &old, mark).await }
        });
        self.wait(taken_over).await?;
        Ok(())
    }
}

/// There is no event: what nginx logs of a reload depends on its `error_log`.
async fn taken_over(
    handle: &ContainerHandle,
    old: &BTreeSet<String>,
    mark: LogMark,
) -> Result<(), BoxError> {
    let lines = handle.logs().after(mark).lines();
    if let Some(refused) = lines.iter().find(|line| line.text().contains("[emerg]")) {
        return Err(Hopeless(format!("nginx goes on as before: {}", refused.text())).into());
    }
    let now = workers(handle).await?;
    if now.is_empty() || !now.is_disjoint(old) {
        return Err(format!("workers {now:?}, and {old:?} before").into());
    }
    Ok(())
}

/// The workers that take connections, by their number on the engine's machine. One that shuts
/// down calls itself so before it closes its sockets, and takes no connection in between.
async fn workers(handle: &ContainerHandle) -> Result<BTreeSet<String>, RequestError> {
    let id = handle.id().to_owned();
    let options = TopOptions { ps_args: "-wwo pid,args".to_owned() };
    let listing = |docker: Docker| async move { docker.top_processes(&id, Some(options)).await };
    let rows = handle.request(Step::Processes, listing).await?.processes.unwrap_or_default();
    let worker = |row: Vec<String>| match <[String; 2]>::try_from(row) {
        Ok([pid, title]) if title.trim_end() == "nginx: worker process" => Some(pid),
        _ => None,
    };
    Ok(rows.into_iter().filter_map(worker).collect())
}
