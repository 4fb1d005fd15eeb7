//! What is known of something that was started, for when it has to be explained why it failed.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::SystemTime;

use futures_util::future::join_all;
use testcontainers::bollard::Docker;
use testcontainers::bollard::models::ContainerInspectResponse;
use tokio::time::Instant;

use crate::artefacts::Artefacts;
use crate::case::{Case, test_name};
use crate::handle::ContainerHandle;
use crate::stack::{PlannedNode, StackPlan};

/// A stack or a single container: what happened when, and what it looked like last.
pub(crate) struct Record {
    /// The test that started it.
    test: String,
    /// That test, if it will say itself whether it has failed.
    case: Option<Weak<Case>>,
    begun: Instant,
    date: SystemTime,
    plan: Vec<PlannedNode>,
    nodes: Mutex<Vec<NodeRecord>>,
    places: Mutex<Vec<Place>>,
    written: OnceLock<Artefacts>,
}

/// The definitions in it may hold passwords.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("test", &self.test).finish_non_exhaustive()
    }
}

/// One node.
#[derive(Clone, Debug)]
pub(crate) struct NodeRecord {
    pub(crate) name: String,
    pub(crate) moments: Vec<(Moment, Instant)>,
    pub(crate) container: Option<ContainerHandle>,
    /// What the engine said of it last, before it was removed.
    pub(crate) state: Option<Box<ContainerInspectResponse>>,
}

/// A network or a volume that was made.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) kind: PlaceKind,
    pub(crate) id: String,
    /// Its name on the engine.
    pub(crate) name: String,
}

/// What a place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlaceKind {
    Network,
    Volume,
}

/// A step on the way to readiness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Moment {
    /// All that it needs is ready.
    Begun,
    /// Its main process has been started.
    Running,
    /// It can be used.
    Ready,
    /// It did not become ready.
    Failed,
    /// Another has failed first.
    GivenUp,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Begun => "begun",
            Self::Running => "running",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::GivenUp => "given up",
        })
    }
}

impl Record {
    /// Of a stack that is about to be started, by the test that runs here.
    pub(crate) fn of_stack(plan: &StackPlan) -> Arc<Self> {
        Self::begin(plan.nodes.clone())
    }

    /// Of a container that is started by itself.
    pub(crate) fn of_container() -> Arc<Self> {
        Self::begin(Vec::new())
    }

    fn begin(plan: Vec<PlannedNode>) -> Arc<Self> {
        let case = Case::current();
        let record = Arc::new(Self {
            test: test_name(),
            case: case.as_ref().map(Arc::downgrade),
            begun: Instant::now(),
            date: SystemTime::now(),
            plan,
            nodes: Mutex::default(),
            places: Mutex::default(),
            written: OnceLock::new(),
        });
        if let Some(case) = case {
            case.add(record.clone());
        }
        record
    }

    pub(crate) fn note(&self, node: &str, moment: Moment) {
        self.change(node, |node| node.moments.push((moment, Instant::now())));
    }

    pub(crate) fn container(&self, handle: ContainerHandle) {
        let node = handle.node().to_owned();
        self.change(&node, |node| node.container = Some(handle));
    }

    pub(crate) fn place(&self, kind: PlaceKind, id: &str, name: &str) {
        let place = Place { kind, id: id.to_owned(), name: name.to_owned() };
        self.places.lock().unwrap_or_else(PoisonError::into_inner).push(place);
    }

    pub(crate) fn places(&self) -> Vec<Place> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at its containers while they are there.
    pub(crate) async fn look(&self, docker: &Docker) {
        let containers: Vec<_> = self.nodes().iter().filter_map(|n| n.container.clone()).collect();
        let looks = containers.into_iter().map(|container| async move {
            let state = docker.inspect_container(container.id(), None).await;
            // One that is gone is known as it was when it was looked at before.
            Some((container.node().to_owned(), Box::new(state.ok()?)))
        });
        for (node, state) in join_all(looks).await.into_iter().flatten() {
            self.change(&node, |node| node.state = Some(state));
        }
    }

    pub(crate) fn nodes(&self) -> Vec<NodeRecord> {
        self.locked().clone()
    }

    pub(crate) fn plan(&self) -> &[PlannedNode] {
        &self.plan
    }

    pub(crate) fn test(&self) -> &str {
        &self.test
    }

    pub(crate) fn begun(&self) -> (Instant, SystemTime) {
        (self.begun, self.date)
    }

    /// Whether the test that it belongs to will say itself whether it has failed.
    pub(crate) fn is_watched(&self) -> bool {
        self.case.is_some()
    }

    /// That test, as long as it runs.
    pub(crate) fn case(&self) -> Option<Arc<Case>> {
        self.case.as_ref()?.upgrade()
    }

    /// Says where its artefacts are, if it has any.
    pub(crate) fn announce(&self) {
        if let Some(artefacts) = self.written() {
            artefacts.announce();
        }
    }

    /// Notes where its artefacts are.
    pub(crate) fn set_written(&self, artefacts: Artefacts) {
        // The first page was made while most was there.
        let _ = self.written.set(artefacts);
    }

    pub(crate) fn written(&self) -> Option<&Artefacts> {
        self.written.get()
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut NodeRecord)) {
        let mut nodes = self.locked();
        match nodes.iter_mut().find(|node| node.name == name) {
            Some(node) => change(node),
            None => {
                let mut node = NodeRecord {
                    name: name.to_owned(),
                    moments: Vec::new(),
                    container: None,
                    state: None,
                };
                change(&mut node);
                nodes.push(node);
            }
        }
    }

    fn locked(&self) -> MutexGuard<'_, Vec<NodeRecord>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
