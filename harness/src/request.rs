//! A request the engine refused.

use std::fmt;

use testcontainers::bollard;

use crate::failure::debug_by_message;

/// The engine refused a request, or could not be asked.
#[derive(thiserror::Error)]
#[error("{step} `{node}`")]
pub struct RequestError {
    /// What was asked for.
    pub step: Step,
    /// The container, network or volume, as its definition calls it.
    pub node: String,
    /// What the engine said.
    pub source: bollard::errors::Error,
}

debug_by_message!(RequestError);

impl RequestError {
    pub(crate) fn during(
        step: Step,
        node: &str,
    ) -> impl FnOnce(bollard::errors::Error) -> Self + use<> {
        let node = node.to_owned();
        move |source| Self { step, node, source }
    }
}

/// What was asked of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Create the container.
    Create,
    /// Put its files into it.
    CopyFiles,
    /// Listen to its output.
    Attach,
    /// Start it.
    Start,
    /// Ask for its state.
    Inspect,
    /// List its processes.
    Processes,
    /// Run a command in it.
    Exec,
    /// Copy files out of it.
    CopyFrom,
    /// Stop it.
    Stop,
    /// Stop it and start it again.
    Restart,
    /// Send it a signal.
    Kill,
    /// Freeze it.
    Pause,
    /// Let it run on.
    Unpause,
    /// Take it off its networks.
    Disconnect,
    /// Put it back on its networks.
    Connect,
    /// Remove it.
    Remove,
    /// Create a network.
    CreateNetwork,
    /// Remove a network.
    RemoveNetwork,
    /// Put the container on a network.
    ConnectNetwork,
    /// Look for a network.
    InspectNetwork,
    /// Create a volume.
    CreateVolume,
    /// Look for a volume.
    InspectVolume,
    /// Remove a volume.
    RemoveVolume,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create container",
            Self::CopyFiles => "copy files into container",
            Self::Attach => "attach to container",
            Self::Start => "start container",
            Self::Inspect => "inspect container",
            Self::Processes => "list the processes of container",
            Self::Exec => "run a command in container",
            Self::CopyFrom => "copy files out of container",
            Self::Stop => "stop container",
            Self::Restart => "restart container",
            Self::Kill => "send a signal to container",
            Self::Pause => "pause container",
            Self::Unpause => "unpause container",
            Self::Disconnect => "disconnect container",
            Self::Connect => "reconnect container",
            Self::Remove => "remove container",
            Self::CreateNetwork => "create network",
            Self::RemoveNetwork => "remove network",
            Self::ConnectNetwork => "connect to a network container",
            Self::InspectNetwork => "inspect network",
            Self::InspectVolume => "inspect volume",
            Self::CreateVolume => "create volume",
            Self::RemoveVolume => "remove volume",
        })
    }
}
