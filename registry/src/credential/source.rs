//! The files and helpers that an environment names, and what they have answered.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;
use tracing::debug;

use super::auth_key;
use super::docker_config::{DockerConfig, parse_docker_config};
use super::helper::Helper;
use super::{Credential, CredentialError};
use crate::environment::Environment;
use crate::host::Host;

/// The most that a credential file may hold, in bytes.
const FILE_LIMIT: u64 = 16 * 1024 * 1024;

/// Names one credential file, whatever else there is.
const ONLY_FILE: &str = "REGISTRY_AUTH_FILE";

/// Holds the content of a credential file: how CI systems hand one to a job.
const CONTENT: &str = "DOCKER_AUTH_CONFIG";

/// Everything that an environment says about credentials, read when it is first needed.
#[derive(Debug)]
pub(super) struct EnvironmentSource {
    environment: Environment,
    memory: Mutex<Arc<Memory>>,
}

/// What was read and answered so far.
#[derive(Debug)]
struct Memory {
    configs: Vec<Config>,
    answers: Mutex<HashMap<Question, Answer>>,
}

/// A helper, and the server to ask it about.
type Question = (Helper, String);
/// Filled by whoever asks first, while the others wait.
type Answer = Arc<OnceCell<Option<Credential>>>;

#[derive(Debug)]
struct Config {
    origin: Origin,
    content: OnceCell<DockerConfig>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    /// A file that may be missing.
    Usual(PathBuf),
    /// A file that must be there, because [`ONLY_FILE`] names it.
    Demanded(PathBuf),
    /// The variable [`CONTENT`].
    Content,
}

impl EnvironmentSource {
    pub(super) fn new(environment: Environment) -> Self {
        let memory = Mutex::new(Memory::new(&environment));
        Self { environment, memory }
    }

    pub(super) fn forget(&self) {
        let fresh = Memory::new(&self.environment);
        *self.memory.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
    }

    /// The first credential that one of the files has or knows a helper for.
    pub(super) async fn find(
        &self,
        host: &Host,
        path: &str,
    ) -> Result<Option<Credential>, CredentialError> {
        let memory = Arc::clone(&self.memory.lock().unwrap_or_else(PoisonError::into_inner));
        for config in &memory.configs {
            if let Some(credential) = self.ask(&memory, config, host, path).await? {
                return Ok(Some(credential));
            }
        }
        Ok(None)
    }

    /// The first place but the file at `own` that has a credential for all of `host`.
    pub(super) async fn elsewhere(
        &self,
        host: &Host,
        own: &Path,
    ) -> Result<Option<String>, CredentialError> {
        let memory = Arc::clone(&self.memory.lock().unwrap_or_else(PoisonError::into_inner));
        for config in memory.configs.iter().filter(|config| !config.origin.is_at(own)) {
            if self.ask(&memory, config, host, "").await?.is_some() {
                return Ok(Some(config.origin.to_string()));
            }
        }
        Ok(None)
    }

    /// What one of the files has or knows a helper for.
    async fn ask(
        &self,
        memory: &Memory,
        config: &Config,
        host: &Host,
        path: &str,
    ) -> Result<Option<Credential>, CredentialError> {
        let origin = &config.origin;
        let read = async || origin.read(&self.environment);
        let content = config.content.get_or_try_init(read).await?;
        if let Some(credential) = self.ask_helper(memory, content, origin, host).await? {
            return Ok(Some(credential));
        }
        let entry = content.entry(host, path).map_err(|problem| CredentialError::Entry {
            origin: origin.to_string(),
            host: host.clone(),
            problem: problem.to_string(),
        })?;
        if entry.is_some() {
            debug!(%host, path, %origin, "found credentials");
        }
        Ok(entry)
    }

    async fn ask_helper(
        &self,
        memory: &Memory,
        config: &DockerConfig,
        origin: &Origin,
        host: &Host,
    ) -> Result<Option<Credential>, CredentialError> {
        let Some((field, name)) = config.helper(host) else { return Ok(None) };
        let helper = Helper::new(name)
            .ok_or_else(|| CredentialError::HelperName { field, origin: origin.to_string() })?;
        let server = auth_key::of(host);
        let answer = memory.answer(&helper, &server);
        let ask = async || helper.get(&server, &self.environment).await;
        let credential =
            answer.get_or_try_init(ask).await.map_err(|source| CredentialError::Helper {
                program: helper.program().to_owned(),
                server: server.clone(),
                origin: origin.to_string(),
                source,
            })?;
        if credential.is_some() {
            debug!(%host, helper = helper.program(), %origin, "found credentials");
        }
        Ok(credential.clone())
    }
}

impl Memory {
    fn new(environment: &Environment) -> Arc<Self> {
        let config = |origin| Config { origin, content: OnceCell::new() };
        let configs = origins(environment).into_iter().map(config).collect();
        Arc::new(Self { configs, answers: Mutex::default() })
    }

    fn answer(&self, helper: &Helper, server: &str) -> Answer {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(answers.entry((helper.clone(), server.to_owned())).or_default())
    }
}

/// Where credentials may be, in the order in which they are looked for: podman's and skopeo's,
/// with Docker's variable before all files, as Docker has it before its own.
fn origins(environment: &Environment) -> Vec<Origin> {
    if let Some(only) = environment.variable(ONLY_FILE) {
        return vec![Origin::Demanded(only.into())];
    }
    let files = [
        environment.containers_run().map(|run| run.join("auth.json")),
        environment.config_home().map(|config| config.join("containers/auth.json")),
        docker_file(environment),
    ];
    let content = environment.variable(CONTENT).map(|_| Origin::Content);
    content.into_iter().chain(files.into_iter().flatten().map(Origin::Usual)).collect()
}

/// The file that a login is written to, as Docker has it; podman's, if a variable names it.
pub(super) fn own_file(environment: &Environment) -> Option<PathBuf> {
    let only = environment.variable(ONLY_FILE).map(PathBuf::from);
    only.or_else(|| docker_file(environment))
}

fn docker_file(environment: &Environment) -> Option<PathBuf> {
    let directory = match environment.variable("DOCKER_CONFIG") {
        Some(directory) => PathBuf::from(directory),
        None => environment.home()?.join(".docker"),
    };
    Some(directory.join("config.json"))
}

impl Origin {
    fn is_at(&self, file: &Path) -> bool {
        match self {
            Self::Usual(path) | Self::Demanded(path) => path == file,
            Self::Content => false,
        }
    }

    /// The file is small and local: reading it blocks for less time than moving it to a thread.
    fn read(&self, environment: &Environment) -> Result<DockerConfig, CredentialError> {
        let bytes = match self {
            Self::Content => {
                let content = environment.variable(CONTENT).unwrap_or_default();
                content.as_encoded_bytes().to_vec()
            }
            Self::Usual(path) | Self::Demanded(path) => match read_file(path) {
                Ok(bytes) => bytes,
                Err(error) if is_absence(&error) => match self {
                    Self::Demanded(path) => return Err(CredentialError::Missing(path.clone())),
                    _ => return Ok(DockerConfig::default()),
                },
                Err(source) => {
                    return Err(CredentialError::Unreadable { path: path.clone(), source });
                }
            },
        };
        parse_docker_config(&bytes).map_err(|problem| CredentialError::Malformed {
            origin: self.to_string(),
            problem: problem.to_string(),
        })
    }
}

/// No such file, or no such directory to look for it in.
pub(super) fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

pub(super) fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(FILE_LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_LIMIT {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it has more than 16 MiB"));
    }
    Ok(bytes)
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usual(path) | Self::Demanded(path) => path.display().fmt(f),
            Self::Content => write!(f, "the variable {CONTENT}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(pairs: &[(&str, &str)]) -> Vec<String> {
        let environment = Environment::from_pairs(pairs.iter().copied());
        origins(&environment).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn edge_38_files_are_looked_for_in_podman_s_order() {
        assert_eq!(
            places(&[("HOME", "/h"), ("XDG_RUNTIME_DIR", "/run/user/1000")]),
            [
                "/run/user/1000/containers/auth.json",
                "/h/.config/containers/auth.json",
                "/h/.docker/config.json"
            ]
        );
        assert_eq!(
            places(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/c"), ("DOCKER_CONFIG", "/d")]),
            ["/c/containers/auth.json", "/d/config.json"]
        );
        assert_eq!(places(&[]), [""; 0]);
    }

    #[test]
    fn edge_38_the_variable_goes_before_files_and_the_named_file_before_everything() {
        let content = [("HOME", "/h"), ("DOCKER_AUTH_CONFIG", "{}")];
        assert_eq!(places(&content)[0], "the variable DOCKER_AUTH_CONFIG");
        assert_eq!(places(&content).len(), 3);
        let named = [content[0], content[1], ("REGISTRY_AUTH_FILE", "/only.json")];
        assert_eq!(places(&named), ["/only.json"]);
        let empty = [content[0], ("REGISTRY_AUTH_FILE", ""), ("DOCKER_AUTH_CONFIG", "")];
        assert_eq!(places(&empty).len(), 2);
    }
}
