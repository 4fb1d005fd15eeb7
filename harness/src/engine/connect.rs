//! Finding the engine that answers.

use std::env;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use plimsoll_reaper::Address;
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use super::candidates::{Candidate, Origin};
use super::error::{Attempt, EngineError, reason};
use super::{Engine, Shared, host};

/// How long an engine may take for its first answer.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

/// The API of Docker 20.10, the oldest that has all that is asked of it.
const OLDEST_API: (u32, u32) = (1, 41);

/// The first engine that answers.
pub(super) async fn first(candidates: Vec<Candidate>) -> Result<Engine, EngineError> {
    let mut tried = Vec::new();
    for Candidate { origin, address } in candidates {
        match connect(&origin, &address).await {
            Ok(engine) => return Ok(engine),
            Err(reason) => tried.push(Attempt { address, origin, reason }),
        }
    }
    Err(EngineError::NotFound(tried))
}

async fn connect(origin: &Origin, address: &Address) -> Result<Engine, String> {
    let docker = address.client().map_err(|error| reason(&error))?;
    let answer = tokio::time::timeout(ANSWER_DEADLINE, docker.version()).await;
    let answer = answer
        .map_err(|_| format!("no answer in {} seconds", ANSWER_DEADLINE.as_secs()))?
        .map_err(|error| reason(&error))?;
    check_api(answer.api_version.as_deref())?;
    let named = env::var(host::OVERRIDE).ok().filter(|name| !name.is_empty());
    let shared = Shared {
        address: address.clone(),
        origin: origin.clone(),
        host: host::host(&docker, address, named.as_deref()).await?,
        reaper: Mutex::default(),
        swept: AtomicBool::default(),
    };
    Ok(Engine {
        docker,
        runtime: Handle::current(),
        thread: thread::current().id(),
        shared: Arc::new(shared),
    })
}

fn check_api(version: Option<&str>) -> Result<(), String> {
    let stated = version.unwrap_or_default();
    let numbers = stated
        .split_once('.')
        .and_then(|(major, minor)| Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?)));
    match numbers {
        Some(numbers) if numbers >= OLDEST_API => Ok(()),
        Some(_) => {
            Err(format!("it speaks API {stated}; 1.41, of Docker 20.10, is the oldest used"))
        }
        None => Err("what answers is no container engine: it states no API version".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;

    use super::*;

    /// An engine that answers every request with this body.
    fn engine(name: &str, body: &'static str) -> PathBuf {
        let path = env::temp_dir().join(format!("plimsoll-{name}-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        let listener = UnixListener::bind(&path).unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = BufReader::new(stream.try_clone().unwrap()).lines();
                request.map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
                let length = body.len();
                let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
                write!(stream, "{head}\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
            }
        });
        path
    }

    fn connect_to(path: &std::path::Path) -> Result<Engine, EngineError> {
        Engine::connect_to(&format!("unix://{}", path.display()))
    }

    #[test]
    fn edge_api_versions_docker_20_10_will_do() {
        let path = engine("new", r#"{"Version":"20.10.0","ApiVersion":"1.41"}"#);
        let engine = connect_to(&path).unwrap();
        assert_eq!(engine.address(), &Address::Unix(path.clone()));
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn edge_podman_answers_as_docker_does_and_will_do() {
        let version = r#"{"Platform":{"Name":"linux/amd64/debian-12"},"Version":"4.3.1",
            "Components":[{"Name":"Podman Engine","Version":"4.3.1",
            "Details":{"APIVersion":"4.3.1","MinAPIVersion":"4.0.0"}}],
            "ApiVersion":"1.41","MinAPIVersion":"1.24","Os":"linux"}"#;
        let path = engine("podman", version);
        assert_eq!(connect_to(&path).unwrap().address(), &Address::Unix(path.clone()));
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn edge_api_versions_an_older_engine_and_a_stranger_are_named() {
        let old = engine("old", r#"{"Version":"19.03.15","ApiVersion":"1.40"}"#);
        let stranger = engine("stranger", "{}");
        for (path, reason) in
            [(old, "it speaks API 1.40; 1.41,"), (stranger, "no container engine")]
        {
            let error = connect_to(&path).unwrap_err().to_string();
            let line = format!("\n  unix://{} (asked for): ", path.display());
            assert!(error.contains(&line) && error.contains(reason), "{error}");
            fs::remove_file(path).unwrap();
        }
    }

    #[test]
    fn edge_sockets_everything_that_was_tried_is_said() {
        let nobody = env::temp_dir().join(format!("plimsoll-nobody-{}", std::process::id()));
        drop(UnixListener::bind(&nobody).unwrap());
        let address = |path: &std::path::Path| Address::Unix(path.to_owned());
        let candidates = vec![
            Candidate { origin: Origin::DefaultSocket, address: address("/no/such.sock".as_ref()) },
            Candidate { origin: Origin::PodmanSocket, address: address(&nobody) },
        ];
        let error = Engine::start(candidates).unwrap_err().to_string();
        let expected = format!(
            "find a container engine; tried\
             \n  unix:///no/such.sock (Docker's default): there is no such socket\
             \n  unix://{} (Podman): nobody listens there\
             \nstart an engine, or set DOCKER_HOST to where it listens",
            nobody.display()
        );
        assert_eq!(error, expected);
        fs::remove_file(nobody).unwrap();
    }

    #[test]
    fn versions_are_numbers() {
        assert!(check_api(Some("1.100")).is_ok() && check_api(Some("2.0")).is_ok());
        assert!(check_api(Some("1.9")).is_err() && check_api(None).is_err());
    }
}
