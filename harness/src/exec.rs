//! Commands in a running container.

use std::borrow::Cow;
use std::time::Duration;

use futures_util::StreamExt;
use testcontainers::bollard::Docker;
use testcontainers::bollard::container::LogOutput;
use testcontainers::bollard::errors::Error;
use testcontainers::bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};

/// The engine may know the exit code a moment after the output has ended; there is no event to
/// wait for, so it is asked again at this pace.
const EXIT_CODE_PACE: Duration = Duration::from_millis(5);

/// What a command in a container wrote and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecOutput {
    /// Its exit code.
    pub code: i64,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: Vec<u8>,
}

impl ExecOutput {
    /// Standard output as text, with what is not UTF-8 replaced.
    #[must_use]
    pub fn stdout_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stdout)
    }

    /// Standard error as text, with what is not UTF-8 replaced.
    #[must_use]
    pub fn stderr_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stderr)
    }
}

pub(crate) async fn exec(
    docker: Docker,
    id: String,
    cmd: Vec<String>,
) -> Result<ExecOutput, Error> {
    let options = CreateExecOptions {
        cmd: Some(cmd),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        ..CreateExecOptions::default()
    };
    let exec = docker.create_exec(&id, options).await?.id;
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let started = docker.start_exec(&exec, None::<StartExecOptions>).await?;
    if let StartExecResults::Attached { mut output, .. } = started {
        while let Some(frame) = output.next().await {
            match frame? {
                LogOutput::StdErr { message } => stderr.extend_from_slice(&message),
                LogOutput::StdOut { message } | LogOutput::Console { message } => {
                    stdout.extend_from_slice(&message);
                }
                LogOutput::StdIn { .. } => {}
            }
        }
    }
    let code = exit_code(&docker, &exec).await?;
    Ok(ExecOutput { code, stdout, stderr })
}

async fn exit_code(docker: &Docker, exec: &str) -> Result<i64, Error> {
    loop {
        let state = docker.inspect_exec(exec).await?;
        match state.exit_code {
            Some(code) if state.running != Some(true) => return Ok(code),
            _ => tokio::time::sleep(EXIT_CODE_PACE).await,
        }
    }
}
