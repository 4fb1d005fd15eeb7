//! Stacks without a derive.

use std::any::Any;
use std::collections::BTreeMap;
use std::pin::pin;

use tokio::sync::watch;

use crate::engine::Engine;
use crate::record::Record;
use crate::stack::node::AnyNode;
use crate::stack::plan::plan;
use crate::stack::run::run;
use crate::stack::{DefineError, Node, Ref, StackError, StackGuard, StackPlan};

/// A stack whose nodes are found out while the program runs; `#[derive(Stack)]` is this, with
/// names and types that the compiler checks.
///
/// ```
/// use plimsoll_harness::{ContainerDefinition, StackBuilder};
///
/// let mut stack = StackBuilder::new();
/// let shards: Vec<_> = (1..=3)
///     .map(|number| stack.node(format!("shard-{number}"), ContainerDefinition::new("", "shard:1")))
///     .collect();
/// assert_eq!(stack.plan()?.nodes.len(), 3);
/// # async fn test(stack: StackBuilder, shards: Vec<plimsoll_harness::Ref<ContainerDefinition>>) -> Result<(), Box<dyn std::error::Error>> {
/// let mut started = stack.start().await?;
/// let first = started.take(&shards[0]).ok_or("taken once")?;
/// # Ok(())
/// # }
/// # Ok::<(), plimsoll_harness::DefineError>(())
/// ```
#[derive(Debug, Default)]
pub struct StackBuilder {
    pub(crate) nodes: Vec<(String, Box<dyn AnyNode>)>,
}

impl StackBuilder {
    /// No nodes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a node. The others read it by the reference.
    pub fn node<N: Node>(&mut self, name: impl Into<String>, node: N) -> Ref<N> {
        let name = name.into();
        self.nodes.push((name.clone(), Box::new(node)));
        Ref::named(name)
    }

    /// Decides what will be started, and in which order. Docker is not asked.
    ///
    /// # Errors
    ///
    /// A definition refuses, reads a node that is not there, or reads in a cycle.
    pub fn plan(&self) -> Result<StackPlan, DefineError> {
        plan(&self.nodes).map(|(plan, _)| plan)
    }

    /// Starts each node as soon as those it reads are ready.
    ///
    /// # Errors
    ///
    /// As [`crate::Stack::start`].
    pub async fn start(self) -> Result<Started, StackError> {
        let (plan, nodes) = plan(&self.nodes)?;
        let engine = Engine::connect()?;
        let (wanted, unwanted) = watch::channel(());
        let record = Record::of_stack(&plan);
        let run = run(engine.clone(), plan, nodes, unwanted, record.clone());
        let mut making = pin!(engine.guarded().await?.make(run, discard));
        // Declared after what it gives up, and so dropped before it: the nodes hear that nobody
        // waits for them any more, and that drop need not wait until they are ready.
        let _wanted = wanted;
        let started = making.as_mut().await;
        record.announce();
        started
    }
}

/// Removes what was started for someone who has stopped waiting for it.
async fn discard(started: Result<Started, StackError>) {
    if let Ok(started) = started {
        started.remove().await;
    }
}

/// A stack that has been started. It is removed when this is dropped, whatever has been taken
/// out of it.
#[derive(Debug)]
pub struct Started {
    // First, and so dropped first: it removes all nodes at once, and each finds itself removed.
    guard: StackGuard,
    live: BTreeMap<String, Box<dyn Any + Send>>,
}

impl Started {
    pub(crate) fn new(guard: StackGuard, live: BTreeMap<String, Box<dyn Any + Send>>) -> Self {
        Self { guard, live }
    }

    /// A running node; nothing if it is of another stack or has been taken.
    pub fn take<N: Node>(&mut self, node: &Ref<N>) -> Option<N::Live> {
        if !self.live.get(node.name())?.is::<N::Live>() {
            return None;
        }
        let live = self.live.remove(node.name())?.downcast().ok()?;
        Some(*live)
    }

    /// What was started, and what stops and removes it.
    #[must_use]
    pub fn guard(&self) -> &StackGuard {
        &self.guard
    }

    /// For the derive, which takes each of its nodes once.
    #[doc(hidden)]
    pub fn must_take<N: Node>(&mut self, node: &Ref<N>) -> N::Live {
        self.take(node).unwrap_or_else(|| panic!("`{}` is a node of this stack", node.name()))
    }

    #[doc(hidden)]
    pub fn into_guard(self) -> StackGuard {
        self.guard
    }

    async fn remove(self) {
        self.guard.remove().await;
    }
}
