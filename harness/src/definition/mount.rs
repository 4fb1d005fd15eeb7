//! What is mounted into a container.

use std::path::PathBuf;

use testcontainers::bollard::models::{Mount as ApiMount, MountTypeEnum};

use crate::volume::Volume;

/// One mount of a container.
///
/// ```
/// use plimsoll_harness::Mount;
///
/// // What Docker calls `--tmpfs /data:uid=70,size=64m`.
/// let data = Mount::tmpfs("/data").option("uid=70").option("size=64m");
/// let source = Mount::bind("/home/me/app/templates", "/srv/templates").read_only();
/// assert!(source.read_only && !data.read_only);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mount {
    /// What is mounted.
    pub source: MountSource,
    /// Where, absolute, inside the container.
    pub target: String,
    /// Whether the container may only read it.
    pub read_only: bool,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MountSource {
    /// A volume, by its name on the engine.
    Volume(String),
    /// A volume of the same stack, by the name of its node.
    VolumeNode(String),
    /// A file or directory of the machine the engine runs on, which is not always this one.
    Bind(PathBuf),
    /// Memory, with the options of `mount -t tmpfs`. The engine adds `noexec`, `nosuid` and
    /// `nodev` unless told otherwise.
    Tmpfs(Vec<String>),
}

impl Mount {
    /// Mounts a volume.
    pub fn volume(volume: &Volume, target: impl Into<String>) -> Self {
        Self::new(MountSource::Volume(volume.name().to_owned()), target)
    }

    /// Mounts a file or directory of the engine's machine. It must exist.
    pub fn bind(source: impl Into<PathBuf>, target: impl Into<String>) -> Self {
        Self::new(MountSource::Bind(source.into()), target)
    }

    /// Mounts memory.
    pub fn tmpfs(target: impl Into<String>) -> Self {
        Self::new(MountSource::Tmpfs(Vec::new()), target)
    }

    /// Lets the container only read it.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Adds an option such as `uid=70` or `size=64m` to memory; the other sources have none.
    #[must_use]
    pub fn option(mut self, option: impl Into<String>) -> Self {
        if let MountSource::Tmpfs(options) = &mut self.source {
            options.push(option.into());
        }
        self
    }

    pub(crate) fn new(source: MountSource, target: impl Into<String>) -> Self {
        Self { source, target: target.into(), read_only: false }
    }

    /// Options of a tmpfs, which the engine takes apart from the other mounts: only there can
    /// they say an owner.
    pub(crate) fn tmpfs_options(&self) -> Option<String> {
        let MountSource::Tmpfs(options) = &self.source else { return None };
        let read_only = self.read_only.then_some("ro");
        Some(
            read_only
                .into_iter()
                .chain(options.iter().map(String::as_str))
                .collect::<Vec<_>>()
                .join(","),
        )
    }

    pub(crate) fn api(&self) -> Option<ApiMount> {
        let (typ, source) = match &self.source {
            MountSource::Volume(name) | MountSource::VolumeNode(name) => {
                (MountTypeEnum::VOLUME, name.clone())
            }
            MountSource::Bind(path) => (MountTypeEnum::BIND, path.to_string_lossy().into_owned()),
            MountSource::Tmpfs(_) => return None,
        };
        Some(ApiMount {
            typ: Some(typ),
            source: Some(source),
            target: Some(self.target.clone()),
            read_only: Some(self.read_only),
            ..ApiMount::default()
        })
    }
}
