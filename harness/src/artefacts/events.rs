//! What the engine has to tell about containers.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt;
use serde_json::{Value, json};
use testcontainers::bollard::Docker;
use testcontainers::bollard::models::EventMessage;
use testcontainers::bollard::query_parameters::EventsOptions;

/// The engine tells the past at once; one whose clock is ahead would wait for the present.
const PATIENCE: Duration = Duration::from_secs(1);

/// Something that happened to a container.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// The container's id.
    pub(crate) container: String,
    /// What happened.
    pub(crate) action: String,
    /// When, by the engine's clock.
    pub(crate) nanoseconds: i64,
    /// It, for programs.
    pub(crate) json: Value,
}

/// What the engine still remembers of the containers: it keeps its last few hundred events.
pub(super) async fn of(docker: &Docker, containers: &[String]) -> Vec<Event> {
    if containers.is_empty() {
        return Vec::new();
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let options = EventsOptions {
        since: Some("0".to_owned()),
        until: Some(format!("{}.{:09}", now.as_secs(), now.subsec_nanos())),
        filters: Some(HashMap::from([("container".to_owned(), containers.to_vec())])),
    };
    let mut stream = docker.events(Some(options));
    let mut events = Vec::new();
    let telling = async {
        while let Some(Ok(message)) = stream.next().await {
            events.extend(event(message));
        }
    };
    // What was told until then is what there is.
    let _ = tokio::time::timeout(PATIENCE, telling).await;
    events
}

fn event(message: EventMessage) -> Option<Event> {
    let (actor, action, nanoseconds) = (message.actor?, message.action?, message.time_nano?);
    let container = actor.id?;
    // What a command was given is nobody's business.
    let action = match action.split_once(':') {
        Some((exec, _)) if exec.starts_with("exec_") => exec.to_owned(),
        _ => action,
    };
    let attribute = |name| actor.attributes.as_ref().and_then(|all| all.get(name).cloned());
    let json = json!({
        "container": container,
        "name": attribute("name"),
        "event": action,
        "exit_code": attribute("exitCode"),
        "signal": attribute("signal"),
        "time_nanoseconds": nanoseconds,
    });
    Some(Event { container, action, nanoseconds, json })
}
