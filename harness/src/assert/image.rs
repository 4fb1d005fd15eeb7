//! What an image says about itself: its configuration, its platform, its size and its layers.
//! No container is needed for it.

mod matcher;

use std::collections::BTreeMap;
use std::fmt;

use testcontainers::bollard::models::{HistoryResponseItem, ImageInspect};

pub use self::matcher::{MetadataMatcher, meta};
use super::engine::{ObserveError, refused};
use super::mismatch::Observed;
use super::secret::sounds_secret;
use super::size::Size;
use crate::engine::Engine;

/// What an image says about itself. What it does not say is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The image, as it was asked for.
    pub image: String,
    /// What is always run.
    pub entrypoint: Vec<String>,
    /// The arguments of the entrypoint, or what is run without one.
    pub cmd: Vec<String>,
    /// Who runs it; root if empty.
    pub user: String,
    /// Where it runs; `/` if empty.
    pub workdir: String,
    /// Environment variables.
    pub env: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Exposed ports, as `8000/tcp`.
    pub ports: Vec<String>,
    /// The paths that get a volume.
    pub volumes: Vec<String>,
    /// The command that checks the health, after `CMD` or `CMD-SHELL`; or `NONE`.
    pub healthcheck: Vec<String>,
    /// What `stop` sends; `SIGTERM` if empty.
    pub stop_signal: String,
    /// Operating system, architecture and its variant, as `linux/arm64/v8`.
    pub platform: String,
    /// Bytes of all layers together, unpacked.
    pub size: u64,
    /// The layers that add anything, the first one first.
    pub layers: Vec<Layer>,
}

/// A layer of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// What made it, in the words of its builder.
    pub created_by: String,
    /// Its bytes, unpacked.
    pub size: u64,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const WIDTH: usize = 60;
        let words = self.created_by.split_whitespace().collect::<Vec<_>>().join(" ");
        let cut: String = words.chars().take(WIDTH).collect();
        let more = if cut.len() < words.len() { "…" } else { "" };
        write!(f, "{} by `{cut}{more}`", Size(self.size))
    }
}

/// What the image says about itself, in two requests.
///
/// # Errors
///
/// The engine does not have it, or refuses.
pub async fn metadata(engine: &Engine, image: &str) -> Result<Metadata, ObserveError> {
    let name = image.to_owned();
    let asked = engine
        .call(|docker| async move {
            let inspected = docker.inspect_image(&name).await?;
            Ok((inspected, docker.image_history(&name).await?))
        })
        .await;
    let (inspected, history) =
        asked.map_err(|source| refused(&format!("image `{image}`"), source))?;
    Ok(Metadata::new(image, inspected, history))
}

impl Metadata {
    fn new(image: &str, inspected: ImageInspect, history: Vec<HistoryResponseItem>) -> Self {
        let config = inspected.config.unwrap_or_default();
        let pair = |entry: String| {
            let (name, value) = entry.split_once('=').unwrap_or((&entry, ""));
            (name.to_owned(), value.to_owned())
        };
        let parts = [inspected.os, inspected.architecture, inspected.variant];
        let parts: Vec<_> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
        let bytes = |size: i64| u64::try_from(size).unwrap_or_default();
        // The newest comes first, and what changes only the configuration has no bytes.
        let layers = history.into_iter().rev().filter(|item| item.size > 0);
        Self {
            image: image.to_owned(),
            entrypoint: config.entrypoint.unwrap_or_default(),
            cmd: config.cmd.unwrap_or_default(),
            user: config.user.unwrap_or_default(),
            workdir: config.working_dir.unwrap_or_default(),
            env: config.env.into_iter().flatten().map(pair).collect(),
            labels: config.labels.into_iter().flatten().collect(),
            ports: sorted(config.exposed_ports),
            volumes: sorted(config.volumes),
            healthcheck: config.healthcheck.and_then(|check| check.test).unwrap_or_default(),
            stop_signal: config.stop_signal.unwrap_or_default(),
            platform: parts.join("/"),
            size: bytes(inspected.size.unwrap_or_default()),
            layers: layers
                .map(|item| Layer { created_by: item.created_by, size: bytes(item.size) })
                .collect(),
        }
    }
}

fn sorted(names: Option<Vec<String>>) -> Vec<String> {
    let mut names = names.unwrap_or_default();
    names.sort();
    names
}

impl Observed for Metadata {
    fn subject(&self) -> String {
        format!("image `{}`", self.image)
    }
}

/// What it says, a line for each thing; without the values of variables that sound like secrets.
impl fmt::Display for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { image: _, env, labels, size, layers, .. } = self;
        let words = |words: &[String]| match words {
            [] => String::new(),
            words => format!("{words:?}"),
        };
        for (name, text) in [
            ("entrypoint", words(&self.entrypoint)),
            ("cmd", words(&self.cmd)),
            ("ports", words(&self.ports)),
            ("volumes", words(&self.volumes)),
            ("healthcheck", words(&self.healthcheck)),
            ("user", self.user.clone()),
            ("workdir", self.workdir.clone()),
            ("stop signal", self.stop_signal.clone()),
            ("platform", self.platform.clone()),
        ] {
            if !text.is_empty() {
                writeln!(f, "{name}: {text}")?;
            }
        }
        for (name, value) in env {
            let value = if sounds_secret(name) { "(not shown)" } else { value };
            writeln!(f, "env {name}={value}")?;
        }
        labels.iter().try_for_each(|(name, value)| writeln!(f, "label {name}={value}"))?;
        writeln!(f, "size: {}", Size(*size))?;
        layers.iter().try_for_each(|layer| writeln!(f, "layer: {layer}"))
    }
}

#[cfg(test)]
mod tests {
    use testcontainers::bollard::models::ImageConfig;

    use super::*;

    #[test]
    fn an_answer_of_the_engine_becomes_metadata() {
        let config = ImageConfig {
            env: Some(vec!["PATH=/bin".to_owned(), "URL=a=b".to_owned(), "ODD".to_owned()]),
            exposed_ports: Some(vec!["8000/tcp".to_owned(), "53/udp".to_owned()]),
            ..ImageConfig::default()
        };
        let inspected = ImageInspect {
            config: Some(config),
            os: Some("linux".to_owned()),
            architecture: Some("arm64".to_owned()),
            variant: Some("v8".to_owned()),
            size: Some(30),
            ..ImageInspect::default()
        };
        let item = |created_by: &str, size| HistoryResponseItem {
            created_by: created_by.to_owned(),
            size,
            ..HistoryResponseItem::default()
        };
        let history = vec![item("CMD", 0), item("RUN", 10), item("ADD", 20)];
        let found = Metadata::new("web:1", inspected, history);
        assert_eq!(found.env["URL"], "a=b");
        assert_eq!((found.env["ODD"].as_str(), found.user.as_str()), ("", ""));
        assert_eq!(found.ports, ["53/udp", "8000/tcp"]);
        assert_eq!((found.platform.as_str(), found.size), ("linux/arm64/v8", 30));
        insta::assert_snapshot!(found, @r#"
        ports: ["53/udp", "8000/tcp"]
        platform: linux/arm64/v8
        env ODD=
        env PATH=/bin
        env URL=a=b
        size: 30 bytes
        layer: 20 bytes by `ADD`
        layer: 10 bytes by `RUN`
        "#);
    }
}
