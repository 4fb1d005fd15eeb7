//! What the engine's API cannot say, and where else it may be had: from the kernel, if the
//! engine is on this machine, or from a program in the image.

use std::path::PathBuf;

use testcontainers::bollard::errors::Error;

use super::engine::ObserveError;
use crate::container::Container;
use crate::exec::ExecOutput;
use crate::request::RequestError;

/// Where the kernel of this machine tells of the container's main process; nowhere if the
/// engine is on another machine. A process of the same number may be here as well, so its
/// control group has to name the container.
pub(crate) async fn main_process(container: &Container) -> Result<Option<PathBuf>, ObserveError> {
    let state = container.inspect().await?.state.unwrap_or_default();
    let Some(pid) = state.pid.filter(|pid| *pid != 0) else { return Ok(None) };
    Ok(process(container, pid.unsigned_abs()).await)
}

/// Where the kernel of this machine tells of one of the container's processes.
pub(crate) async fn process(container: &Container, pid: u64) -> Option<PathBuf> {
    let path = PathBuf::from(format!("/proc/{pid}"));
    let groups = tokio::fs::read_to_string(path.join("cgroup")).await.ok()?;
    groups.contains(container.id()).then_some(path)
}

/// Runs the first of the commands whose program is in the image.
pub(crate) async fn tool(
    container: &Container,
    commands: impl IntoIterator<Item = Vec<String>>,
) -> Result<Option<ExecOutput>, ObserveError> {
    for command in commands {
        match container.exec(command).await {
            Ok(output) if is_missing(&output) => {}
            Ok(output) => return Ok(Some(output)),
            // Newer engines refuse what older ones run to exit code 126 or 127.
            Err(RequestError {
                source: Error::DockerResponseServerError { status_code: 400, .. },
                ..
            }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

fn is_missing(output: &ExecOutput) -> bool {
    matches!(output.code, 126 | 127)
}

/// A command of words, as [`tool`] takes it.
pub(crate) fn command<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    words.into_iter().map(str::to_owned).collect()
}
