//! Docker's contexts: which one is in use, and where its engine is.
//!
//! A context is a directory named by the SHA-256 of its name, below `contexts/meta` and
//! `contexts/tls` of Docker's configuration directory.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::candidates::{Candidate, Origin, SettingError, Surroundings, address};
use crate::hash::sha256;

/// The context that is none: what the environment and the usual sockets say.
const DEFAULT: &str = "default";

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Config {
    current_context: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Meta {
    endpoints: Endpoints,
}

#[derive(Deserialize)]
struct Endpoints {
    docker: Endpoint,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Endpoint {
    host: String,
    #[serde(default, rename = "SkipTLSVerify")]
    skip_tls_verify: bool,
}

/// The engine of the context in use; none if that is the default one.
pub(super) fn candidate(
    from: &Surroundings<'_>,
    directory: &Path,
) -> Result<Option<Candidate>, SettingError> {
    let Some((name, origin)) = name_in_use(from, directory)? else { return Ok(None) };
    let wrong = |reason: String| SettingError::Context {
        name: name.clone(),
        origin: origin.clone(),
        reason,
    };
    let hash = sha256(&name);
    let path = directory.join("contexts/meta").join(&hash).join("meta.json");
    let bytes = (from.read)(&path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => wrong(format!(
            "there is no {}; `docker context ls` lists what there is",
            path.display()
        )),
        _ => wrong(format!("{}: {error}", path.display())),
    })?;
    let meta: Meta = serde_json::from_slice(&bytes)
        .map_err(|error| wrong(format!("{} makes no sense: {error}", path.display())))?;
    let Endpoint { host, skip_tls_verify } = meta.endpoints.docker;
    let certificates = directory.join("contexts/tls").join(&hash).join("docker");
    let certificates = (from.read)(&certificates.join("ca.pem")).is_ok().then_some(certificates);
    if skip_tls_verify && certificates.is_some() {
        let reason = "it does not verify the engine's certificate, which is not done here";
        return Err(wrong(reason.to_owned()));
    }
    let origin = Origin::Context(name.clone());
    let address = address(&host, certificates, &origin)?;
    Ok(Some(Candidate { origin, address }))
}

/// The name of the context in use, and what says so.
fn name_in_use(
    from: &Surroundings<'_>,
    directory: &Path,
) -> Result<Option<(String, String)>, SettingError> {
    let named = match (from.variable)("DOCKER_CONTEXT") {
        Some(name) => (name, "DOCKER_CONTEXT".to_owned()),
        None => {
            let path = directory.join("config.json");
            let config: Config = match (from.read)(&path) {
                Ok(bytes) => parse(&path, &bytes)?,
                Err(error) if error.kind() == ErrorKind::NotFound => Config::default(),
                Err(error) => return Err(SettingError::Config { path, reason: error.to_string() }),
            };
            (config.current_context, path.display().to_string())
        }
    };
    Ok(Some(named).filter(|(name, _)| !name.is_empty() && name != DEFAULT))
}

fn parse<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, SettingError> {
    // The error of the parser has line and column and quotes nothing: there may be passwords.
    serde_json::from_slice(bytes).map_err(|error| SettingError::Config {
        path: PathBuf::from(path),
        reason: format!(
            "it is not the JSON it should be (line {}, column {})",
            error.line(),
            error.column()
        ),
    })
}

#[cfg(test)]
mod tests {
    use plimsoll_reaper::Address;

    use super::super::candidates::tests::resolve;
    use super::*;

    const HOME: (&str, &str) = ("HOME", "/h");

    fn meta(name: &str) -> String {
        format!("/h/.docker/contexts/meta/{}/meta.json", sha256(name))
    }

    fn endpoint(host: &str) -> String {
        format!(r#"{{"Name":"x","Metadata":{{}},"Endpoints":{{"docker":{{"Host":"{host}"}}}}}}"#)
    }

    #[test]
    fn defect_12_the_context_in_use_is_used() {
        let files = [
            ("/h/.docker/config.json", r#"{"auths":{},"currentContext":"rootless"}"#),
            (&meta("rootless"), &endpoint("unix:///run/user/7/docker.sock")),
            (&meta("other"), &endpoint("tcp://build:2375")),
        ];
        let found = resolve(&[HOME], &files).unwrap();
        let address = Address::Unix("/run/user/7/docker.sock".into());
        let origin = Origin::Context("rootless".to_owned());
        assert_eq!(found, [Candidate { origin, address }]);
        let other = resolve(&[HOME, ("DOCKER_CONTEXT", "other")], &files).unwrap();
        assert_eq!(other[0].address, Address::Tcp("build:2375".to_owned()));
        let default = resolve(&[HOME, ("DOCKER_CONTEXT", "default")], &files).unwrap();
        assert_eq!(default[0].origin, Origin::DefaultSocket);
    }

    #[test]
    fn a_context_brings_its_certificates() {
        let directory = format!("/h/.docker/contexts/tls/{}/docker", sha256("tls"));
        let (ca, file) = (format!("{directory}/ca.pem"), endpoint("tcp://build"));
        let files = [(&meta("tls")[..], &file[..]), (&ca, "")];
        let found = resolve(&[HOME, ("DOCKER_CONTEXT", "tls")], &files).unwrap();
        let expected =
            Address::Tls { host: "build:2376".to_owned(), certificates: directory.clone().into() };
        assert_eq!(found[0].address, expected);
        let skipping = file.replace("\"Host\"", "\"SkipTLSVerify\":true,\"Host\"");
        let files = [(&meta("tls")[..], &skipping[..]), (&ca, "")];
        let error = resolve(&[HOME, ("DOCKER_CONTEXT", "tls")], &files).unwrap_err().to_string();
        assert!(error.contains("does not verify"), "{error}");
    }

    #[test]
    fn a_context_that_is_not_there_is_an_error() {
        let error = resolve(&[HOME, ("DOCKER_CONTEXT", "gone")], &[]).unwrap_err().to_string();
        let start = "find Docker context `gone`, which DOCKER_CONTEXT names: there is no /h/";
        assert!(error.starts_with(start), "{error}");
    }

    #[test]
    fn docker_config_moves_the_directory_and_broken_files_are_named() {
        let files = [("/c/config.json", r#"{"auths": "secret"#)];
        let error = resolve(&[("DOCKER_CONFIG", "/c")], &files).unwrap_err().to_string();
        let expected = "read /c/config.json: it is not the JSON it should be (line 1, column 17)";
        assert_eq!(error, expected);
    }
}
