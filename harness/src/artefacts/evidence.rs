//! All that is known of a failure, as plain data.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use testcontainers::bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum};
use tokio::time::Instant;

use super::events::Event;
use crate::ending::{Ending, Exit};
use crate::engine::Engine;
use crate::handle::ContainerHandle;
use crate::line::{LogLine, LogSource};
use crate::port::{self, EngineAddresses};
use crate::record::{Moment, NodeRecord, Place, Record};
use crate::redact::redact;
use crate::wait::PortAddresses;

/// All that is known of a failure.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    pub(crate) test: String,
    /// The error, with its causes.
    pub(crate) failure: String,
    pub(crate) nodes: Vec<NodeEvidence>,
    /// Networks and volumes.
    pub(crate) places: Vec<Place>,
    pub(crate) events: Vec<Event>,
}

/// A node of the failed test.
#[derive(Clone, Debug)]
pub(crate) struct NodeEvidence {
    /// Its name, no other's here.
    pub(crate) name: String,
    /// What it is: an image, a volume, a network.
    pub(crate) what: String,
    pub(crate) dependencies: Vec<String>,
    /// Its column in the graph.
    pub(crate) wave: usize,
    pub(crate) status: Status,
    /// Since the first of all began.
    pub(crate) moments: Vec<(Moment, Duration)>,
    pub(crate) lines: Vec<(Duration, LogLine)>,
    /// What the engine said of it, without passwords.
    pub(crate) state: Option<Value>,
    /// Its name on the engine, and its id.
    pub(crate) container: Option<(String, String)>,
    pub(crate) ports: Vec<PortAddresses>,
}

/// How far a node came, and how it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    NotStarted,
    GivenUp,
    Failed(Option<Exit>),
    Ready,
    /// After it was ready.
    Exited(Exit),
}

impl Status {
    /// What the style sheet calls a node that is so.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::NotStarted => "not-started",
            Self::GivenUp => "given-up",
            Self::Failed(_) => "failed",
            Self::Ready => "ready",
            Self::Exited(_) => "exited",
        }
    }
}

impl Evidence {
    /// What the records say, as of now.
    pub(super) fn of(test: &str, failure: &str, records: &[Arc<Record>], engine: &Engine) -> Self {
        let first = records.iter().map(|record| record.begun().0).min();
        let first = first.unwrap_or_else(Instant::now);
        let mut nodes: Vec<NodeEvidence> = Vec::new();
        for record in records {
            let before = nodes.len();
            let mut recorded = record.nodes();
            for planned in record.plan() {
                let at = recorded.iter().position(|node| node.name == planned.name);
                let mut node = match at {
                    Some(at) => NodeEvidence::of(recorded.remove(at), first, engine),
                    None => NodeEvidence::not_started(&planned.name),
                };
                node.what = planned.kind.to_string();
                node.dependencies.clone_from(&planned.dependencies);
                node.wave = planned.wave;
                nodes.push(node);
            }
            nodes.extend(recorded.into_iter().map(|node| NodeEvidence::of(node, first, engine)));
            tell_apart(&mut nodes, before);
        }
        let places = records.iter().flat_map(|record| record.places()).collect();
        let (test, failure) = (test.to_owned(), failure.to_owned());
        Self { test, failure, nodes, places, events: Vec::new() }
    }

    /// The ids of the containers.
    pub(super) fn containers(&self) -> Vec<String> {
        self.nodes.iter().filter_map(|node| Some(node.container.as_ref()?.1.clone())).collect()
    }
}

impl NodeEvidence {
    fn not_started(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            what: String::new(),
            dependencies: Vec::new(),
            wave: 0,
            status: Status::NotStarted,
            moments: Vec::new(),
            lines: Vec::new(),
            state: None,
            container: None,
            ports: Vec::new(),
        }
    }

    fn of(record: NodeRecord, first: Instant, engine: &Engine) -> Self {
        let NodeRecord { name, moments, container, state } = record;
        let since = |at: Instant| at.saturating_duration_since(first);
        let exit = match (&state, container.as_ref().and_then(ContainerHandle::ending)) {
            // It may have been removed since, which is an end too.
            (Some(state), _) => exit(state),
            (None, Some(Ending::Exited(exit))) => Some(exit),
            (None, Some(Ending::Lost(_)) | None) => None,
        };
        let lines = container.iter().flat_map(|container| container.buffer().timed());
        let addresses = EngineAddresses::at(engine.host());
        let image = state.as_ref().and_then(|state| state.config.as_ref()?.image.clone());
        Self {
            what: image.unwrap_or_default(),
            status: status(&moments, exit),
            moments: moments.iter().map(|(moment, at)| (*moment, since(*at))).collect(),
            lines: lines.map(|(at, line)| (since(at), line)).collect(),
            ports: state.as_ref().map(|state| port::table(state, &addresses)).unwrap_or_default(),
            state: state.and_then(|state| {
                let mut state = serde_json::to_value(state).ok()?;
                redact(&mut state);
                Some(state)
            }),
            container: container.map(|found| (found.name().to_owned(), found.id().to_owned())),
            ..Self::not_started(&name)
        }
    }

    /// Everything it wrote to standard output.
    pub(super) fn stdout(&self) -> Vec<u8> {
        self.stream(LogSource::Stdout)
    }

    /// Everything it wrote to standard error.
    pub(super) fn stderr(&self) -> Vec<u8> {
        self.stream(LogSource::Stderr)
    }

    fn stream(&self, source: LogSource) -> Vec<u8> {
        let lines = self.lines.iter().filter(|(_, line)| line.source == source);
        let mut bytes = Vec::new();
        for (_, line) in lines {
            bytes.extend_from_slice(&line.bytes);
            bytes.push(b'\n');
        }
        bytes
    }
}

/// Numbers the nodes of a record that are called like those of earlier ones.
fn tell_apart(nodes: &mut [NodeEvidence], before: usize) {
    let (earlier, new) = nodes.split_at_mut(before);
    let taken: HashSet<_> = earlier.iter().map(|node| node.name.as_str()).collect();
    let free = |name: &str| {
        let mut numbered = (2..).map(|number| format!("{name}-{number}"));
        match taken.contains(name) {
            true => numbered.find(|name| !taken.contains(name.as_str())),
            false => None,
        }
    };
    for node in new {
        node.name = free(&node.name).unwrap_or_else(|| std::mem::take(&mut node.name));
        for needed in &mut node.dependencies {
            *needed = free(needed).unwrap_or_else(|| std::mem::take(needed));
        }
    }
}

fn exit(state: &ContainerInspectResponse) -> Option<Exit> {
    let state = state.state.as_ref()?;
    let exited = state.status == Some(ContainerStateStatusEnum::EXITED);
    let oom_killed = state.oom_killed.unwrap_or_default();
    exited.then_some(Exit { code: state.exit_code?, oom_killed })
}

fn status(moments: &[(Moment, Instant)], exit: Option<Exit>) -> Status {
    match (moments.last(), exit) {
        (None, _) => Status::NotStarted,
        (Some((Moment::Ready, _)), None) => Status::Ready,
        (Some((Moment::Ready, _)), Some(exit)) => Status::Exited(exit),
        (Some((Moment::Failed, _)), exit) => Status::Failed(exit),
        (Some((Moment::Begun | Moment::Running | Moment::GivenUp, _)), _) => Status::GivenUp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, dependencies: &[&str]) -> NodeEvidence {
        let dependencies = dependencies.iter().map(|name| (*name).to_owned()).collect();
        NodeEvidence { dependencies, ..NodeEvidence::not_started(name) }
    }

    #[test]
    fn nodes_of_two_stacks_are_told_apart_with_what_they_need() {
        let mut nodes = vec![
            node("db", &[]),
            node("web", &["db"]),
            node("web-2", &[]),
            node("db", &[]),
            node("web", &["db"]),
        ];
        tell_apart(&mut nodes, 3);
        let names: Vec<_> = nodes.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["db", "web", "web-2", "db-2", "web-3"]);
        assert_eq!(
            (&nodes[1].dependencies, &nodes[4].dependencies),
            (&vec!["db".to_owned()], &vec!["db-2".to_owned()])
        );
    }

    #[test]
    fn how_far_a_node_came_is_its_last_moment_and_its_exit() {
        let now = Instant::now();
        let exit = Exit { code: 3, oom_killed: false };
        let of = |moments: &[Moment], exit| {
            status(&moments.iter().map(|moment| (*moment, now)).collect::<Vec<_>>(), exit)
        };
        let (begun, running) = (Moment::Begun, Moment::Running);
        assert_eq!(of(&[], None), Status::NotStarted);
        assert_eq!(of(&[begun, running, Moment::Ready], None), Status::Ready);
        assert_eq!(of(&[begun, running, Moment::Ready], Some(exit)), Status::Exited(exit));
        assert_eq!(of(&[begun, running, Moment::Failed], Some(exit)), Status::Failed(Some(exit)));
        assert_eq!(of(&[begun, running, Moment::GivenUp], None), Status::GivenUp);
    }
}
