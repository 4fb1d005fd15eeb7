//! What the engine's API cannot say, and where else it may be had: from the kernel, if the
//! engine is on this machine, or from a program in the image.

use std::path::PathBuf;

use testcontainers::bollard::errors::Error;

use super::engine::{ObserveError, main_pid};
use crate::container::Container;
use crate::exec::ExecOutput;
use crate::request::RequestError;

/// Where the kernel of this machine tells of the container's main process; nowhere if the
/// engine is on another machine. A process of the same number may be here as well, so its
/// control group has to name the container.
pub(crate) async fn main_process(
    container: &Container,
    what: &str,
) -> Result<Option<PathBuf>, ObserveError> {
    let pid = main_pid(container, what).await?;
    Ok(process(container, pid).await)
}

/// Where the kernel of this machine tells of one of the container's processes.
pub(crate) async fn process(container: &Container, pid: u32) -> Option<PathBuf> {
    let path = PathBuf::from(format!("/proc/{pid}"));
    let groups = tokio::fs::read_to_string(path.join("cgroup")).await.ok()?;
    groups.contains(container.id()).then_some(path)
}

/// Who a program in the image runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum As {
    /// Who the container runs as.
    Container,
    /// The user of this number; 0 may look at every file.
    User(u32),
}

/// Runs the first of the commands whose program is in the image.
pub(crate) async fn tool(
    container: &Container,
    user: As,
    commands: impl IntoIterator<Item = Vec<String>>,
) -> Result<Option<ExecOutput>, ObserveError> {
    for command in commands {
        let exec = container.exec(command);
        let exec = match user {
            As::Container => exec,
            As::User(number) => exec.user(number.to_string()),
        };
        match exec.await {
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

/// A program with its arguments: as itself, and as BusyBox has it, whether on the path or not.
pub(crate) fn spellings(program: &str, args: &[&str]) -> [Vec<String>; 3] {
    [&[program][..], &["busybox", program], &["/busybox", program]]
        .map(|words| command(words.iter().chain(args).copied()))
}
