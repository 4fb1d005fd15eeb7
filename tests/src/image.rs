//! Images for tests: built once per engine, whoever asks first, and found by everyone after.
//!
//! A recipe's tag is a hash of the recipe, so a changed recipe is another image. Builds need
//! neither a Dockerfile builder nor buildx: a container of the base runs a script and is
//! committed, or gives a directory to an image that has nothing else.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt};
use plimsoll_harness::testcontainers::bollard::errors::Error as ApiError;
use plimsoll_harness::testcontainers::bollard::models::{ContainerConfig, CreateImageInfo};
use plimsoll_harness::testcontainers::bollard::query_parameters::{
    CommitContainerOptions, CreateImageOptions, DownloadFromContainerOptions,
};
use plimsoll_harness::testcontainers::bollard::{Docker, body_full};
use plimsoll_harness::{
    Container, ContainerDefinition, Engine, LogTail, MachineLock, RequestError, StartError,
    WaitError,
};
use sha2::{Digest, Sha256};

use crate::base::base;

mod django;
mod service;

pub use django::DJANGO;
pub use service::{NGINX, POSTGRESQL, RABBITMQ, REDIS};

/// How long the packages of one image may take to come.
const BUILD_DEADLINE: Duration = Duration::from_secs(600);

/// CNCF distribution, started as the official image is, and skopeo to look at it with an
/// independent eye.
pub const REGISTRY: Recipe = Recipe {
    name: "registry",
    packages: &["docker-registry", "skopeo", "ca-certificates"],
    script: concat!(
        "cat >/usr/local/bin/entrypoint <<'END'\n",
        include_str!("image/registry.sh"),
        "END\n\
         chmod 755 /usr/local/bin/entrypoint\n",
    ),
    result: Output::Container,
    instructions: &[
        "EXPOSE 5000",
        "ENTRYPOINT [\"entrypoint\"]",
        "CMD [\"/etc/docker/registry/config.yml\"]",
    ],
};

/// One static binary and nothing else: no shell on the path, no libc, no users.
pub const SCRATCH: Recipe = Recipe {
    name: "scratch",
    packages: &[],
    script: "cd /tmp && apt-get download busybox-static && dpkg-deb -x busybox-static_*.deb x \
             && mkdir /result && cp x/bin/busybox /result/busybox",
    result: Output::Directory("/result"),
    instructions: &["ENTRYPOINT [\"/busybox\"]"],
};

/// How an image comes about.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// The last part of the image's name.
    pub name: &'static str,
    /// Debian packages to install.
    pub packages: &'static [&'static str],
    /// What to run after that, in `sh -eu`.
    pub script: &'static str,
    /// What becomes the image.
    pub result: Output,
    /// Instructions of a Dockerfile that change the image's configuration.
    pub instructions: &'static [&'static str],
}

/// What becomes the image once the script has run.
#[derive(Clone, Copy, Debug)]
pub enum Output {
    /// All of the container.
    Container,
    /// This directory, as the root of an image without a base.
    Directory(&'static str),
}

/// An image that could not be provided.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// There is nothing to build on.
    #[error(
        "find a base image: `{image}` is not on the engine; a pull failed ({pulling}); \
         bootstrapping it with mmdebstrap failed ({bootstrapping}). Where nothing can be pulled, \
         `apt-get install mmdebstrap` (outside Debian with debian-archive-keyring) makes it work"
    )]
    NoBase {
        /// The image that would do.
        image: &'static str,
        /// Why it could not be pulled.
        pulling: String,
        /// Why it could not be bootstrapped.
        bootstrapping: String,
    },
    /// The lock that keeps builders apart.
    #[error("wait for other builders of images")]
    Lock(#[source] io::Error),
    /// The engine refused.
    #[error("{action} image `{image}`")]
    Api {
        /// What was asked for.
        action: &'static str,
        /// The image.
        image: String,
        /// What the engine said.
        source: ApiError,
    },
    /// The container it is built in did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The container it is built in did not end.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// The container it is built in could not be removed.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The script failed.
    #[error("build image `{image}`: its script exited with code {code}{tail}")]
    Script {
        /// The image.
        image: String,
        /// The exit code.
        code: i64,
        /// The last lines the script wrote.
        tail: LogTail,
    },
}

impl Recipe {
    /// The image's name and tag.
    #[must_use]
    pub fn reference(&self) -> String {
        let hash = Sha256::digest(format!("{self:?}{}", self.full_script()));
        let tag = hash.iter().take(6).fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        format!("plimsoll-test/{}:{tag}", self.name)
    }

    /// Makes sure the image is on the engine, and gives its reference.
    ///
    /// # Errors
    ///
    /// It is not there and cannot be built.
    pub async fn ensure(&self, engine: &Engine) -> Result<String, BuildError> {
        let image = self.reference();
        if exists(engine, &image).await? {
            return Ok(image);
        }
        let _lock = MachineLock::acquire(&image).await.map_err(BuildError::Lock)?;
        if exists(engine, &image).await? {
            return Ok(image);
        }
        self.build(engine, &image).await?;
        Ok(image)
    }

    async fn build(&self, engine: &Engine, image: &str) -> Result<(), BuildError> {
        let container =
            ContainerDefinition::new(format!("build-{}", self.name), base(engine).await?)
                .cmd(["sh", "-euc", &self.full_script()])
                .start()
                .await?;
        let code = container.wait_exit(BUILD_DEADLINE).await?;
        if code != 0 {
            return Err(BuildError::Script {
                image: image.to_owned(),
                code,
                tail: container.tail(),
            });
        }
        match self.result {
            Output::Container => commit(engine, &container, image, self.instructions).await?,
            Output::Directory(path) => {
                let root = download(engine, &container, image, path).await?;
                import(engine, image, root, self.instructions).await?;
            }
        }
        container.remove().await?;
        Ok(())
    }

    fn full_script(&self) -> String {
        let install = match self.packages {
            [] => String::new(),
            names => format!("apt-get install -y --no-install-recommends {}\n", names.join(" ")),
        };
        // Packages must not start services while they are installed; nobody reads their manuals.
        format!(
            "export DEBIAN_FRONTEND=noninteractive\n\
             printf 'path-exclude /usr/share/%s/*\\n' doc man locale info lintian \
             >/etc/dpkg/dpkg.cfg.d/no-manuals\n\
             printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d\n\
             chmod +x /usr/sbin/policy-rc.d\n\
             apt-get update\n\
             {install}{}\n\
             rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb \
             /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/log/apt /var/log/*.log\n",
            self.script
        )
    }
}

/// Whether the engine has the image.
pub(crate) async fn exists(engine: &Engine, image: &str) -> Result<bool, BuildError> {
    let name = image.to_owned();
    match engine.call(|docker| async move { docker.inspect_image(&name).await }).await {
        Ok(_) => Ok(true),
        Err(ApiError::DockerResponseServerError { status_code: 404, .. }) => Ok(false),
        Err(source) => Err(api("inspect", image, source)),
    }
}

/// Pulls the image without credentials.
pub(crate) async fn pull(engine: &Engine, image: &str) -> Result<(), BuildError> {
    let options =
        CreateImageOptions { from_image: Some(image.to_owned()), ..CreateImageOptions::default() };
    engine
        .call(|docker| async move { drain(docker.create_image(Some(options), None, None)).await })
        .await
        .map_err(|source| api("pull", image, source))
}

/// Makes an image of a root file system, given as a tar archive.
pub(crate) async fn import(
    engine: &Engine,
    image: &str,
    root: Vec<u8>,
    instructions: &[&str],
) -> Result<(), BuildError> {
    let (repo, tag) = repository_and_tag(image);
    let options = CreateImageOptions {
        from_src: Some("-".to_owned()),
        repo: Some(repo),
        tag: Some(tag),
        changes: instructions.iter().map(|&line| line.to_owned()).collect(),
        ..CreateImageOptions::default()
    };
    let body = body_full(root.into());
    let importing = |docker: Docker| async move {
        drain(docker.create_image(Some(options), Some(body), None)).await
    };
    engine.call(importing).await.map_err(|source| api("import", image, source))
}

async fn commit(
    engine: &Engine,
    container: &Container,
    image: &str,
    instructions: &[&str],
) -> Result<(), BuildError> {
    let labels = container.inspect().await?.config.and_then(|config| config.labels);
    // The labels say which process the container belongs to; the image belongs to none.
    let forget = labels.into_iter().flatten().map(|(label, _)| format!("LABEL {label}=\"\""));
    // The one instruction that a commit takes as a value only.
    let stop_signal = instructions.iter().find_map(|line| line.strip_prefix("STOPSIGNAL "));
    let config =
        ContainerConfig { stop_signal: stop_signal.map(str::to_owned), ..Default::default() };
    let instructions = instructions.iter().filter(|line| !line.starts_with("STOPSIGNAL "));
    let changes: Vec<_> =
        forget.chain(instructions.map(|&instruction| instruction.to_owned())).collect();
    let (repo, tag) = repository_and_tag(image);
    let options = CommitContainerOptions {
        container: Some(container.id().to_owned()),
        repo: Some(repo),
        tag: Some(tag),
        changes: Some(changes.join("\n")),
        ..CommitContainerOptions::default()
    };
    let committing = |docker: Docker| async move { docker.commit_container(options, config).await };
    engine.call(committing).await.map_err(|source| api("commit", image, source))?;
    Ok(())
}

/// The contents of a directory of the container, as a tar archive.
async fn download(
    engine: &Engine,
    container: &Container,
    image: &str,
    path: &str,
) -> Result<Vec<u8>, BuildError> {
    let options = DownloadFromContainerOptions { path: format!("{path}/.") };
    let id = container.id().to_owned();
    let downloading = |docker: Docker| async move {
        let chunks = docker.download_from_container(&id, Some(options));
        let collect = |mut all: Vec<u8>, chunk: Bytes| async move {
            all.extend_from_slice(&chunk);
            Ok(all)
        };
        chunks.try_fold(Vec::new(), collect).await
    };
    engine.call(downloading).await.map_err(|source| api("download the root of", image, source))
}

async fn drain(
    messages: impl Stream<Item = Result<CreateImageInfo, ApiError>>,
) -> Result<(), ApiError> {
    let mut messages = std::pin::pin!(messages);
    while let Some(message) = messages.next().await {
        message?;
    }
    Ok(())
}

fn repository_and_tag(image: &str) -> (String, String) {
    let (repository, tag) = image.rsplit_once(':').unwrap_or((image, "latest"));
    (repository.to_owned(), tag.to_owned())
}

fn api(action: &'static str, image: &str, source: ApiError) -> BuildError {
    BuildError::Api { action, image: image.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_recipe_is_another_image() {
        let changed = Recipe { packages: &["docker-registry"], ..REGISTRY };
        assert_ne!(REGISTRY.reference(), changed.reference());
        assert_eq!(REGISTRY.reference(), REGISTRY.reference());
        assert!(REGISTRY.reference().starts_with("plimsoll-test/registry:"));
    }
}
