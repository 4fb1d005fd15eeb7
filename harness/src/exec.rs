//! Commands in a running container.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use testcontainers::bollard::Docker;
use testcontainers::bollard::container::LogOutput;
use testcontainers::bollard::errors::Error;
use testcontainers::bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::failure::debug_by_message;
use crate::handle::ContainerHandle;
use crate::request::{RequestError, Step};

/// The engine may know the exit code a moment after the output has ended; there is no event to
/// wait for, so it is asked again at this pace.
const EXIT_CODE_PACE: Duration = Duration::from_millis(5);

/// How much of each stream an error shows.
const SHOWN: usize = 4096;

/// A command to run in a container, without a shell. Awaiting it runs it and waits for its end.
///
/// ```no_run
/// # async fn example(db: plimsoll_harness::Container) -> Result<(), Box<dyn std::error::Error>> {
/// let sum = db.exec(["sh", "-c", "sha256sum | cut -c -64"])
///     .user("postgres")
///     .cwd("/tmp")
///     .env("LC_ALL", "C")
///     .stdin("text")
///     .await?
///     .success()?;
/// assert_eq!(sum.stdout_text().trim().len(), 64);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing runs until it is awaited"]
pub struct Exec {
    handle: ContainerHandle,
    cmd: Vec<String>,
    user: Option<String>,
    cwd: Option<String>,
    env: Vec<String>,
    stdin: Option<Vec<u8>>,
    tty: bool,
}

impl Exec {
    pub(crate) fn new(handle: ContainerHandle, cmd: Vec<String>) -> Self {
        Self { handle, cmd, user: None, cwd: None, env: Vec::new(), stdin: None, tty: false }
    }

    /// Runs it as this user: `name`, `uid`, or either with `:group`.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Runs it in this directory.
    pub fn cwd(mut self, directory: impl Into<String>) -> Self {
        self.cwd = Some(directory.into());
        self
    }

    /// Sets an environment variable, over those of the container.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push(format!("{}={}", name.into(), value.into()));
        self
    }

    /// What it reads from standard input, which ends after that.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// Gives it a terminal. All its output is standard output then, with `\r\n` line ends.
    pub fn tty(mut self) -> Self {
        self.tty = true;
        self
    }
}

impl IntoFuture for Exec {
    type Output = Result<ExecOutput, RequestError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// The command runs to its end even if the future is dropped.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let handle = self.handle.clone();
            let running = handle.engine().call(|docker| run(docker, self));
            running.await.map_err(RequestError::during(Step::Exec, handle.node()))
        })
    }
}

/// What a command in a container wrote and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecOutput {
    /// The command, its words separated by spaces.
    pub command: String,
    /// Its exit code.
    pub code: i64,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: Vec<u8>,
}

/// A command in a container that failed.
#[derive(Clone, thiserror::Error)]
#[error("run `{}`: {}", .output.command, .output.summary())]
pub struct ExecFailed {
    /// What it wrote and how it ended.
    pub output: ExecOutput,
}

debug_by_message!(ExecFailed);

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

    /// Itself, if the exit code is 0.
    ///
    /// # Errors
    ///
    /// The exit code is another; the error shows what was written.
    pub fn success(self) -> Result<Self, ExecFailed> {
        if self.code == 0 { Ok(self) } else { Err(ExecFailed { output: self }) }
    }

    /// The exit code and the end of what was written.
    pub(crate) fn summary(&self) -> String {
        let mut summary = format!("exit code {}", self.code);
        for (name, bytes) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            let end = &bytes[bytes.len().saturating_sub(SHOWN)..];
            let text = String::from_utf8_lossy(end);
            if !text.trim_end().is_empty() {
                let _ = write!(summary, "\n{name}: {}", text.trim_end());
            }
        }
        summary
    }
}

async fn run(docker: Docker, exec: Exec) -> Result<ExecOutput, Error> {
    let command = exec.cmd.join(" ");
    let options = CreateExecOptions {
        cmd: Some(exec.cmd),
        user: exec.user,
        working_dir: exec.cwd,
        env: Some(exec.env),
        attach_stdin: Some(exec.stdin.is_some()),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(exec.tty),
        ..CreateExecOptions::default()
    };
    let id = docker.create_exec(exec.handle.id(), options).await?.id;
    let options = StartExecOptions { tty: exec.tty, ..StartExecOptions::default() };
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let started = docker.start_exec(&id, Some(options)).await?;
    if let StartExecResults::Attached { output, input } = started {
        // Both at once: a command that answers while it reads would block otherwise.
        let reading = read(output, &mut stdout, &mut stderr);
        let (read, ()) = tokio::join!(reading, write(input, exec.stdin.as_deref()));
        read?;
    }
    let code = exit_code(&docker, &id).await?;
    Ok(ExecOutput { command, code, stdout, stderr })
}

async fn read(
    mut output: impl Stream<Item = Result<LogOutput, Error>> + Unpin,
    stdout: &mut Vec<u8>,
    stderr: &mut Vec<u8>,
) -> Result<(), Error> {
    while let Some(frame) = output.next().await {
        match frame? {
            LogOutput::StdErr { message } => stderr.extend_from_slice(&message),
            LogOutput::StdOut { message } | LogOutput::Console { message } => {
                stdout.extend_from_slice(&message);
            }
            LogOutput::StdIn { .. } => {}
        }
    }
    Ok(())
}

/// A command may end, or close its input, before it has read all of it: that is its own affair.
async fn write(mut input: impl AsyncWrite + Unpin, bytes: Option<&[u8]>) {
    if let Some(bytes) = bytes
        && input.write_all(bytes).await.is_ok()
    {
        let _ = input.shutdown().await;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_command_code_and_output() {
        let output = ExecOutput {
            command: "migrate --check".to_owned(),
            code: 1,
            stdout: b"3 to go\n".to_vec(),
            stderr: Vec::new(),
        };
        let error = output.success().unwrap_err();
        assert_eq!(error.to_string(), "run `migrate --check`: exit code 1\nstdout: 3 to go");
    }
}
