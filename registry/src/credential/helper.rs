//! Credential helpers: programs named `docker-credential-NAME` that keep passwords.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
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

/// Why a credential helper did not do what it was asked. No secret that it wrote is repeated.
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
        /// What it wrote to stderr, or of a write to either stream, shortened and on one line.
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
        self.run("get", server.as_bytes(), environment).await?.credential()
    }

    /// Has it keep a user and password for `server`, in place of what it kept for it.
    pub(super) async fn store(
        &self,
        server: &str,
        username: &str,
        password: &Secret,
        environment: &Environment,
    ) -> Result<(), HelperError> {
        let secret = password.expose();
        let entry = json!({ "ServerURL": server, "Username": username, "Secret": secret });
        let output = self.run("store", entry.to_string().as_bytes(), environment).await?;
        match output.status.success() {
            true => Ok(()),
            false => Err(output.refusal(Some(password))),
        }
    }

    /// Has it forget what it keeps for `server`; whether it kept anything, as far as it says.
    pub(super) async fn erase(
        &self,
        server: &str,
        environment: &Environment,
    ) -> Result<bool, HelperError> {
        let output = self.run("erase", server.as_bytes(), environment).await?;
        match output.status.success() {
            true => Ok(true),
            false if output.says_not_found() => Ok(false),
            false => Err(output.refusal(None)),
        }
    }

    /// The servers it keeps something for; `None` when it does not say.
    pub(super) async fn list(
        &self,
        environment: &Environment,
    ) -> Result<Option<Vec<String>>, HelperError> {
        let output = self.run("list", b"", environment).await?;
        let users: Result<BTreeMap<String, IgnoredAny>, _> = serde_json::from_slice(&output.stdout);
        let is_list = output.status.success();
        Ok(users.ok().filter(|_| is_list).map(|users| users.into_keys().collect()))
    }

    async fn run(
        &self,
        verb: &str,
        input: &[u8],
        environment: &Environment,
    ) -> Result<Output, HelperError> {
        self.run_within(TIMEOUT, verb, input, environment).await
    }

    async fn run_within(
        &self,
        timeout: Duration,
        verb: &str,
        input: &[u8],
        environment: &Environment,
    ) -> Result<Output, HelperError> {
        let program = self.find(environment).ok_or(HelperError::NotOnPath)?;
        let child = Command::new(program)
            .arg(verb)
            .env_clear()
            .envs(environment.variables())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // The child dies with the future that waits for it: on timeout and on cancellation.
            .kill_on_drop(true)
            .spawn()
            .map_err(HelperError::Run)?;
        let ended = tokio::time::timeout(timeout, converse(child, input)).await;
        ended.map_err(|_| HelperError::Timeout(timeout))?.map_err(HelperError::Run)
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
async fn converse(mut child: Child, input: &[u8]) -> io::Result<Output> {
    let mut stdin = child.stdin.take().expect("stdin was asked for");
    let stdout = child.stdout.take().expect("stdout was asked for");
    let stderr = child.stderr.take().expect("stderr was asked for");
    let ask = async move {
        match stdin.write_all(input).await {
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
            return if self.says_not_found() { Ok(None) } else { Err(self.failure()) };
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

    fn says_not_found(&self) -> bool {
        says_not_found(&self.stdout) || says_not_found(&self.stderr)
    }

    /// The error of a helper that ended with one.
    fn failure(&self) -> HelperError {
        HelperError::Failed { status: self.status, message: one_line(&self.stderr) }
    }

    /// The error of a helper that did not write, without `secret`. The usual helpers say what
    /// is wrong on stdout, where nothing is secret unless they repeat what they were sent.
    fn refusal(&self, secret: Option<&Secret>) -> HelperError {
        let text = [&*self.stderr, b" ", &*self.stdout].concat();
        let mut text = String::from_utf8_lossy(&text).into_owned();
        // An entry, with the secret in whatever spelling.
        if text.contains("Secret\"") {
            text = String::new();
        }
        if let Some(secret) = secret.filter(|secret| !secret.is_empty()) {
            text = text.replace(secret.expose(), "<redacted>");
        }
        HelperError::Failed { status: self.status, message: one_line(text.as_bytes()) }
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
