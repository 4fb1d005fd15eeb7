//! Which engines there may be, by what the user has set: pure, so that every case is a unit test.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use plimsoll_reaper::Address;

use super::context;

use crate::failure::debug_by_message;

/// What a user's settings are read from.
pub(crate) struct Surroundings<'a> {
    /// An environment variable that is set and not empty.
    pub(crate) variable: &'a dyn Fn(&str) -> Option<String>,
    /// The contents of a file.
    pub(crate) read: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
}

/// An engine to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Who says that it is there.
    pub(crate) origin: Origin,
    pub(crate) address: Address,
}

/// Who says that an engine is somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// The environment variable `DOCKER_HOST`.
    DockerHost,
    /// The Docker context of this name.
    Context(String),
    /// Where Docker listens if nobody says otherwise.
    DefaultSocket,
    /// Where Docker listens for a user without root's rights, Docker Desktop included.
    RootlessSocket,
    /// Where Podman listens.
    PodmanSocket,
    /// The caller of [`Engine::connect_to`](crate::Engine::connect_to).
    Caller,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DockerHost => f.write_str("DOCKER_HOST"),
            Self::Context(name) => write!(f, "Docker context `{name}`"),
            Self::DefaultSocket => f.write_str("Docker's default"),
            Self::RootlessSocket => f.write_str("rootless Docker or Docker Desktop"),
            Self::PodmanSocket => f.write_str("Podman"),
            Self::Caller => f.write_str("asked for"),
        }
    }
}

/// Settings that make no sense.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingError {
    /// An address that nothing can be made of.
    #[error("read the engine's address `{address}` ({origin}): {reason}")]
    Address {
        /// The address.
        address: String,
        /// Who says so.
        origin: Origin,
        /// What is wrong with it, and what would be right.
        reason: &'static str,
    },
    /// A context that does not exist.
    #[error("find Docker context `{name}`, which {origin} names: {reason}")]
    Context {
        /// The context.
        name: String,
        /// The variable or file that names it.
        origin: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Docker's configuration cannot be read.
    #[error("read {}: {reason}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

debug_by_message!(SettingError);

/// The engines to try, in this order. What the user has set is the only one.
pub(crate) fn candidates(from: &Surroundings<'_>) -> Result<Vec<Candidate>, SettingError> {
    if let Some(host) = (from.variable)("DOCKER_HOST") {
        let certificates = (from.variable)("DOCKER_TLS_VERIFY").map(|_| {
            (from.variable)("DOCKER_CERT_PATH")
                .map_or_else(|| docker_directory(from), PathBuf::from)
        });
        let address = address(&host, certificates, &Origin::DockerHost)?;
        return Ok(vec![Candidate { origin: Origin::DockerHost, address }]);
    }
    match context::candidate(from, &docker_directory(from))? {
        Some(candidate) => Ok(vec![candidate]),
        None => Ok(usual_sockets(from)),
    }
}

/// An address as `DOCKER_HOST` has it; with certificates it means TLS.
pub(crate) fn address(
    host: &str,
    certificates: Option<PathBuf>,
    origin: &Origin,
) -> Result<Address, SettingError> {
    let wrong = |reason| {
        Err(SettingError::Address { address: host.to_owned(), origin: origin.clone(), reason })
    };
    let Some((scheme, rest)) = host.split_once("://") else {
        return wrong(
            "it has no scheme; it looks like `unix:///run/docker.sock` or `tcp://host:2375`",
        );
    };
    let rest = rest.trim_end_matches('/');
    if rest.is_empty() {
        return wrong("it ends after the scheme");
    }
    match (scheme, certificates) {
        ("unix", _) => Ok(Address::Unix(rest.into())),
        ("tcp" | "https", Some(certificates)) => {
            Ok(Address::Tls { host: with_port(rest, 2376), certificates })
        }
        ("tcp" | "http", _) => Ok(Address::Tcp(with_port(rest, 2375))),
        ("https", None) => {
            wrong("TLS needs certificates: set DOCKER_TLS_VERIFY and DOCKER_CERT_PATH")
        }
        ("ssh", _) => wrong(
            "ssh is not spoken here; forward the socket with \
             `ssh -NL /tmp/docker.sock:/var/run/docker.sock host` and use `unix:///tmp/docker.sock`",
        ),
        _ => wrong("its scheme is none of unix, tcp, http and https"),
    }
}

fn with_port(host: &str, port: u16) -> String {
    let after_brackets = host.rsplit(']').next().unwrap_or(host);
    if after_brackets.contains(':') { host.to_owned() } else { format!("{host}:{port}") }
}

fn docker_directory(from: &Surroundings<'_>) -> PathBuf {
    let configured = (from.variable)("DOCKER_CONFIG").map(PathBuf::from);
    configured.unwrap_or_else(|| home(from).unwrap_or_default().join(".docker"))
}

fn home(from: &Surroundings<'_>) -> Option<PathBuf> {
    (from.variable)("HOME").map(PathBuf::from)
}

fn usual_sockets(from: &Surroundings<'_>) -> Vec<Candidate> {
    let runtime = (from.variable)("XDG_RUNTIME_DIR").map(PathBuf::from);
    let in_runtime = |path: &str| runtime.as_ref().map(|directory| directory.join(path));
    let in_home = |path: &str| home(from).map(|directory| directory.join(path));
    [
        (Origin::DefaultSocket, Some("/var/run/docker.sock".into())),
        (Origin::RootlessSocket, in_runtime("docker.sock")),
        (Origin::RootlessSocket, in_home(".docker/run/docker.sock")),
        (Origin::RootlessSocket, in_home(".docker/desktop/docker.sock")),
        (Origin::PodmanSocket, in_runtime("podman/podman.sock")),
        (Origin::PodmanSocket, Some("/run/podman/podman.sock".into())),
    ]
    .into_iter()
    .filter_map(|(origin, path)| Some(Candidate { origin, address: Address::Unix(path?) }))
    .collect()
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::HashMap;

    use super::*;

    /// Resolves with these variables and files and no others.
    pub(crate) fn resolve(
        variables: &[(&str, &str)],
        files: &[(&str, &str)],
    ) -> Result<Vec<Candidate>, SettingError> {
        let variables: HashMap<_, _> = variables.iter().copied().collect();
        let files: HashMap<_, _> =
            files.iter().map(|(path, text)| (Path::new(path), text)).collect();
        candidates(&Surroundings {
            variable: &|name| variables.get(name).map(|&value| value.to_owned()),
            read: &|path| {
                let text = files.get(path).ok_or(io::ErrorKind::NotFound)?;
                Ok(text.as_bytes().to_vec())
            },
        })
    }

    fn only(variables: &[(&str, &str)]) -> Address {
        let found = resolve(variables, &[]).unwrap();
        assert_eq!((found.len(), &found[0].origin), (1, &Origin::DockerHost));
        found[0].address.clone()
    }

    #[test]
    fn edge_sockets_docker_host_is_the_only_one_tried() {
        let context = ("DOCKER_CONTEXT", "other");
        let unix = only(&[("DOCKER_HOST", "unix:///tmp/d.sock"), context]);
        assert_eq!(unix, Address::Unix("/tmp/d.sock".into()));
        assert_eq!(only(&[("DOCKER_HOST", "tcp://build")]), Address::Tcp("build:2375".to_owned()));
        let address = Address::Tcp("[fd00::1]:2375".to_owned());
        assert_eq!(only(&[("DOCKER_HOST", "http://[fd00::1]/")]), address);
    }

    #[test]
    fn docker_host_with_tls() {
        let tls = |host: &str, directory: &str| Address::Tls {
            host: host.to_owned(),
            certificates: directory.into(),
        };
        let verify = ("DOCKER_TLS_VERIFY", "1");
        let path = ("DOCKER_CERT_PATH", "/certs");
        let given = only(&[("DOCKER_HOST", "tcp://build:2376"), verify, path]);
        assert_eq!(given, tls("build:2376", "/certs"));
        let usual = only(&[("DOCKER_HOST", "https://build"), verify, ("HOME", "/home/u")]);
        assert_eq!(usual, tls("build:2376", "/home/u/.docker"));
    }

    #[test]
    fn an_address_that_is_none_says_what_would_be() {
        for (address, reason) in [
            ("/run/docker.sock", "it looks like `unix:///run/docker.sock`"),
            ("ssh://root@build", "ssh -NL"),
            ("https://build", "DOCKER_CERT_PATH"),
            ("npipe:////./pipe/docker_engine", "none of unix, tcp, http and https"),
            ("unix://", "ends after the scheme"),
        ] {
            let message = resolve(&[("DOCKER_HOST", address)], &[]).unwrap_err().to_string();
            let start = format!("read the engine's address `{address}` (DOCKER_HOST): ");
            assert!(message.starts_with(&start) && message.contains(reason), "{message}");
        }
    }

    #[test]
    fn defect_12_rootless_and_podman_sockets_are_where_they_are() {
        let set = [("XDG_RUNTIME_DIR", "/run/user/7"), ("HOME", "/home/u")];
        let found = resolve(&set, &[]).unwrap();
        let found: Vec<_> = found.iter().map(|found| found.address.to_string()).collect();
        let expected = [
            "unix:///var/run/docker.sock",
            "unix:///run/user/7/docker.sock",
            "unix:///home/u/.docker/run/docker.sock",
            "unix:///home/u/.docker/desktop/docker.sock",
            "unix:///run/user/7/podman/podman.sock",
            "unix:///run/podman/podman.sock",
        ];
        assert_eq!(found, expected);
        assert_eq!(resolve(&[], &[]).unwrap().len(), 2, "without home and runtime directory");
    }
}
