//! Credential helpers: programs named `docker-credential-NAME` that keep passwords.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::Credential;
use crate::environment::Environment;
use crate::secret::Secret;

/// How long a helper may take: it may have to ask its user, and none is there in CI.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The most that a helper may answer, in bytes.
const ANSWER_LIMIT: u64 = 1024 * 1024;

/// The most of a helper's own words that an error repeats, in characters.
const MESSAGE_LIMIT: usize = 400;

/// What helpers say when they keep nothing for a registry, in lower case.
const NOT_FOUND: &str = "credentials not found";

/// A credential helper, by a name that cannot lead out of PATH.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Helper {
    program: String,
}

/// Why a credential helper gave no answer. What it wrote to stdout is never repeated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HelperError {
    /// No such program.
    #[error("there is no such program on PATH")]
    NotOnPath,
    /// It could not be started or talked to.
    #[error("it cannot be run")]
    Run(#[source] io::Error),
    /// It did not come to an end, and was killed.
    #[error("it did not answer within {0:?} and was killed")]
    Timeout(Duration),
    /// It ended with a failure.
    #[error("it failed ({status}){}{message}", if message.is_empty() { "" } else { ": " })]
    Failed {
        /// How it ended.
        status: ExitStatus,
        /// What it wrote to stderr, shortened and on one line.
        message: String,
    },
    /// It ended well without an answer.
    #[error("its answer is not the JSON object that a credential helper writes")]
    Answer,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    username: String,
    secret: Secret,
}

impl Helper {
    /// The helper `docker-credential-{name}`; `None` when the name could be more than a name.
    pub(super) fn new(name: &str) -> Option<Self> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let is_name = !name.is_empty() && name.len() <= 100 && name.bytes().all(legal);
        is_name.then(|| Self { program: format!("docker-credential-{name}") })
    }

    /// The file name of its program.
    pub(super) fn program(&self) -> &str {
        &self.program
    }

    /// What it keeps for `server`; `None` when it says that it keeps nothing.
    pub(super) async fn get(
        &self,
        server: &str,
        environment: &Environment,
    ) -> Result<Option<Credential>, HelperError> {
        self.get_within(TIMEOUT, server, environment).await
    }

    async fn get_within(
        &self,
        timeout: Duration,
        server: &str,
        environment: &Environment,
    ) -> Result<Option<Credential>, HelperError> {
        let program = self.find(environment).ok_or(HelperError::NotOnPath)?;
        let child = Command::new(program)
            .arg("get")
            .env_clear()
            .envs(environment.variables())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // The child dies with the future that waits for it: on timeout and on cancellation.
            .kill_on_drop(true)
            .spawn()
            .map_err(HelperError::Run)?;
        let ended = tokio::time::timeout(timeout, converse(child, server)).await;
        let output = ended.map_err(|_| HelperError::Timeout(timeout))?.map_err(HelperError::Run)?;
        output.credential()
    }

    /// Relative directories on PATH do not count: a checkout must not bring its own helper.
    fn find(&self, environment: &Environment) -> Option<PathBuf> {
        let name = format!("{}{}", self.program, std::env::consts::EXE_SUFFIX);
        std::env::split_paths(environment.variable("PATH")?)
            .filter(|directory| directory.is_absolute())
            .map(|directory| directory.join(&name))
            .find(|program| is_executable(program))
    }
}

#[cfg(unix)]
fn is_executable(program: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let metadata = program.metadata();
    metadata.is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(program: &Path) -> bool {
    program.is_file()
}

struct Output {
    status: ExitStatus,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// Writes the question, reads both streams to their ends and waits for the exit, all at once: a
/// helper may fill one of its pipes before it reads.
async fn converse(mut child: Child, server: &str) -> io::Result<Output> {
    let mut stdin = child.stdin.take().expect("stdin was asked for");
    let stdout = child.stdout.take().expect("stdout was asked for");
    let stderr = child.stderr.take().expect("stderr was asked for");
    let ask = async move {
        match stdin.write_all(server.as_bytes()).await {
            // It ended without reading the question; its exit status says more.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    };
    let ((), stdout, stderr, status) =
        tokio::try_join!(ask, read(stdout), read(stderr), child.wait())?;
    Ok(Output { status, stdout, stderr })
}

/// The start of a stream; the rest is read too, so that the writer is not stopped, and dropped.
async fn read(mut stream: impl AsyncRead + Unpin) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    (&mut stream).take(ANSWER_LIMIT).read_to_end(&mut start).await?;
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    Ok(start)
}

impl Output {
    fn credential(&self) -> Result<Option<Credential>, HelperError> {
        if !self.status.success() {
            if says_not_found(&self.stdout) || says_not_found(&self.stderr) {
                return Ok(None);
            }
            let message = one_line(&self.stderr);
            return Err(HelperError::Failed { status: self.status, message });
        }
        let answer: Answer = match serde_json::from_slice(&self.stdout) {
            Ok(answer) => answer,
            Err(_) if says_not_found(&self.stdout) => return Ok(None),
            // The error of serde may quote the secret.
            Err(_) => return Err(HelperError::Answer),
        };
        Ok(match (answer.username, answer.secret) {
            (_, secret) if secret.is_empty() => None,
            (username, token) if username == "<token>" => Some(Credential::IdentityToken(token)),
            (username, password) => Some(Credential::Basic { username, password }),
        })
    }
}

fn says_not_found(stream: &[u8]) -> bool {
    String::from_utf8_lossy(stream).to_lowercase().contains(NOT_FOUND)
}

/// Text of a program for a message: no control characters, and not much of it.
fn one_line(stream: &[u8]) -> String {
    let text = String::from_utf8_lossy(stream);
    let clean = text.replace(|c: char| c.is_control(), " ");
    let line = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MESSAGE_LIMIT) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(all(test, unix))]
pub(super) mod tests;
