//! Images that are built from a Dockerfile.

use std::fmt::Write as _;
use std::path::PathBuf;

use futures_util::StreamExt;
use sha2::{Digest, Sha256};
use testcontainers::bollard::errors::Error;
use testcontainers::bollard::models::BuildInfo;
use testcontainers::bollard::query_parameters::BuildImageOptions;
use testcontainers::bollard::{Docker, body_full};

use crate::definition::ContainerFile;
use crate::image::context::Context;
use crate::image::{ImageError, Presence, Wanted, present};
use crate::lock::MachineLock;

/// How many lines of a build an error shows.
const OUTPUT_LINES: usize = 20;

/// An image that is built by the engine's own builder, which is there on every engine and needs
/// no network when the base image is on the engine.
///
/// Its tag is a hash of all that goes into it, so that what has not changed is not built again,
/// and it stays on the engine for the next run.
///
/// ```
/// use plimsoll_harness::{Build, ContainerDefinition};
///
/// let image = Build::from_dockerfile("greeter", "FROM alpine:3.20\nCOPY hello /hello\n")
///     .file("hello", "Hello!", 0o644);
/// let greeter = ContainerDefinition::new("greeter", image).cmd(["cat", "/hello"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Build {
    /// What it is called: `plimsoll-build/<name>:<hash>` on the engine.
    pub name: String,
    /// How it is built.
    pub dockerfile: Dockerfile,
    /// The directory that the Dockerfile can copy from, but for what its `.dockerignore` leaves
    /// out. Relative to the working directory, which for `cargo test` is that of the package.
    pub context: Option<PathBuf>,
    /// Files beside those of the directory, or instead of them.
    pub files: Vec<ContainerFile>,
    /// Values for the Dockerfile's `ARG`s.
    pub args: Vec<(String, String)>,
    /// The stage to build, if it is not the last.
    pub target: Option<String>,
}

/// How an image is built.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dockerfile {
    /// The text of a Dockerfile.
    Text(String),
    /// A Dockerfile of the context, by its path there.
    Path(String),
}

impl Build {
    /// Builds from the text of a Dockerfile.
    pub fn from_dockerfile(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(name.into(), Dockerfile::Text(text.into()), None)
    }

    /// Builds from a directory and the `Dockerfile` in it.
    pub fn from_context(name: impl Into<String>, context: impl Into<PathBuf>) -> Self {
        let dockerfile = Dockerfile::Path("Dockerfile".to_owned());
        Self::new(name.into(), dockerfile, Some(context.into()))
    }

    /// Takes another Dockerfile of the directory.
    #[must_use]
    pub fn dockerfile(mut self, path: impl Into<String>) -> Self {
        self.dockerfile = Dockerfile::Path(path.into());
        self
    }

    /// Adds a file that the Dockerfile can copy.
    #[must_use]
    pub fn file(mut self, path: impl Into<String>, bytes: impl Into<Vec<u8>>, mode: u32) -> Self {
        self.files.push(ContainerFile { path: path.into(), bytes: bytes.into(), mode });
        self
    }

    /// Gives an `ARG` of the Dockerfile a value.
    #[must_use]
    pub fn arg(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.args.push((name.into(), value.into()));
        self
    }

    /// Builds this stage instead of the last.
    #[must_use]
    pub fn target(mut self, stage: impl Into<String>) -> Self {
        self.target = Some(stage.into());
        self
    }

    fn new(name: String, dockerfile: Dockerfile, context: Option<PathBuf>) -> Self {
        Self { name, dockerfile, context, files: Vec::new(), args: Vec::new(), target: None }
    }
}

/// Makes sure the image is on the engine, and gives its reference.
pub(crate) async fn ensure(
    docker: &Docker,
    wanted: &Wanted,
    build: &Build,
) -> Result<String, ImageError> {
    let recipe = Recipe::read(wanted, build).await?;
    let image = recipe.reference();
    if present(docker, wanted, &image).await? == Presence::Here {
        return Ok(image);
    }
    let _lock = MachineLock::acquire(&image).await.map_err(ImageError::lock(wanted))?;
    if present(docker, wanted, &image).await? != Presence::Here {
        recipe.build(docker, wanted, &image).await?;
    }
    Ok(image)
}

/// A build with all that goes into it.
struct Recipe {
    build: Build,
    dockerfile: String,
    context: Context,
    platform: String,
}

impl Recipe {
    async fn read(wanted: &Wanted, build: &Build) -> Result<Self, ImageError> {
        let of_context = match &build.dockerfile {
            Dockerfile::Path(path) => Some(path.clone()),
            Dockerfile::Text(_) => None,
        };
        let mut context = match build.context.clone() {
            None => Context::default(),
            Some(root) => tokio::task::spawn_blocking(move || Context::read(&root, of_context))
                .await
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
                .map_err(|(path, error)| ImageError::context(wanted, path, error))?,
        };
        for file in &build.files {
            context.add(&file.path, file.mode, file.bytes.clone());
        }
        let dockerfile = match &build.dockerfile {
            Dockerfile::Path(path) => path.clone(),
            Dockerfile::Text(text) => {
                // A name that no Dockerfile of the context has.
                let name = ".plimsoll.Dockerfile".to_owned();
                context.add(&name, 0o644, text.clone().into_bytes());
                name
            }
        };
        let platform = wanted.platform.0.clone().unwrap_or_default();
        Ok(Self { build: build.clone(), dockerfile, context, platform })
    }

    fn reference(&self) -> String {
        let mut hash = Sha256::new();
        let Build { args, target, .. } = &self.build;
        hash.update(format!("{:?}\n", (args, target, &self.dockerfile, &self.platform)));
        self.context.hash(&mut hash);
        let tag = hash.finalize().iter().take(8).fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        format!("plimsoll-build/{}:{tag}", self.build.name)
    }

    async fn build(&self, docker: &Docker, wanted: &Wanted, image: &str) -> Result<(), ImageError> {
        let failed = |reason: String, lines: &[String]| {
            let last = lines[lines.len().saturating_sub(OUTPUT_LINES)..].to_vec();
            ImageError::build(wanted, reason, last)
        };
        let archive = self.context.archive().await;
        let archive = archive.map_err(|error| failed(error.to_string(), &[]))?;
        let options = BuildImageOptions {
            dockerfile: self.dockerfile.clone(),
            t: Some(image.to_owned()),
            rm: true,
            forcerm: true,
            buildargs: Some(self.build.args.iter().cloned().collect()),
            platform: self.platform.clone(),
            target: self.build.target.clone().unwrap_or_default(),
            ..BuildImageOptions::default()
        };
        let mut lines = Vec::new();
        let mut messages = docker.build_image(options, None, Some(body_full(archive.into())));
        while let Some(message) = messages.next().await {
            match message {
                Ok(BuildInfo { error_detail: Some(error), .. }) => {
                    return Err(failed(error.message.unwrap_or_default(), &lines));
                }
                Ok(message) => lines.extend(output(&message)),
                Err(Error::DockerStreamError { error }) => return Err(failed(error, &lines)),
                Err(error) => return Err(failed(error.to_string(), &lines)),
            }
        }
        Ok(())
    }
}

fn output(message: &BuildInfo) -> impl Iterator<Item = String> {
    let text = message.stream.as_deref().unwrap_or_default();
    let lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
    lines.map(str::to_owned).collect::<Vec<_>>().into_iter()
}
