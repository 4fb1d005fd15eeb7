//! Starting a stack.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use crate::artefacts;
use crate::engine::Engine;
use crate::failure::chain;
use crate::process::ProcessIdentity;
use crate::record::{Moment, Record};
use crate::stack::error::Skipped;
use crate::stack::graph::{Needs, dependents};
use crate::stack::node::Planned;
use crate::stack::world::World;
use crate::stack::{StackError, StackGuard, StackPlan, Started};
use crate::start::StartError;

type Outcome = (String, Result<Box<dyn Any + Send>, StartError>);

/// Starts each node as soon as those it needs are ready, on the engine's runtime. The first
/// failure gives up the rest, and nothing remains.
pub(crate) async fn run(
    engine: Engine,
    plan: StackPlan,
    nodes: BTreeMap<String, Planned>,
    unwanted: watch::Receiver<()>,
    record: Arc<Record>,
) -> Result<Started, StackError> {
    let (give_up, given_up) = watch::channel(false);
    let world = World::new(engine.clone(), plan.has_own_network(), given_up, record.clone());
    let mut starting =
        Start { needs: plan.needs(), nodes, world: world.clone(), tasks: JoinSet::new() };
    let mut live = BTreeMap::new();
    let failure = starting.all(&mut live, unwanted).await;
    if let Some(failure) = failure {
        give_up.send_replace(true);
        // What is being created cannot be removed before it is there.
        while let Some(outcome) = starting.tasks.join_next().await {
            if let Ok((name, _)) = outcome {
                record.note(&name, Moment::GivenUp);
            }
        }
        let error = match failure {
            Failure::Node(node, source) => {
                let skipped = starting.skipped(&node, &live);
                let error = StackError::Node { node, skipped, source: Box::new(source) };
                artefacts::of_start(&engine, &record, &chain(&error)).await;
                Ok(error)
            }
            Failure::Unwanted => Ok(StackError::GivenUp),
            Failure::Panic(error) => Err(error.into_panic()),
        };
        world.teardown(std::mem::take).run(engine.docker().clone()).await;
        return Err(error.unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
    }
    let teardown = world.teardown(std::mem::take);
    Ok(Started::new(StackGuard::new(engine, teardown, plan, record), live))
}

enum Failure {
    Node(String, StartError),
    Unwanted,
    Panic(JoinError),
}

struct Start {
    needs: Needs,
    /// Those that have not been begun.
    nodes: BTreeMap<String, Planned>,
    world: World,
    tasks: JoinSet<Outcome>,
}

impl Start {
    async fn all(
        &mut self,
        live: &mut BTreeMap<String, Box<dyn Any + Send>>,
        mut unwanted: watch::Receiver<()>,
    ) -> Option<Failure> {
        loop {
            self.begin_what_can(live);
            tokio::select! {
                // Nothing is ever sent: a change is the end of the one who wants the stack.
                _ = unwanted.changed() => return Some(Failure::Unwanted),
                outcome = self.tasks.join_next() => match outcome? {
                    Ok((name, Ok(node))) => {
                        self.world.record().note(&name, Moment::Ready);
                        live.insert(name, node);
                    }
                    Ok((name, Err(error))) => {
                        self.world.record().note(&name, Moment::Failed);
                        return Some(Failure::Node(name, error));
                    }
                    Err(error) => return Some(Failure::Panic(error)),
                },
            }
        }
    }

    fn begin_what_can(&mut self, live: &BTreeMap<String, Box<dyn Any + Send>>) {
        let needs = &self.needs;
        let can = |name: &String| needs[name].iter().all(|needed| live.contains_key(needed));
        let (ready, rest) =
            std::mem::take(&mut self.nodes).into_iter().partition(|(name, _)| can(name));
        self.nodes = rest;
        let ready: BTreeMap<String, Planned> = ready;
        for (name, node) in ready {
            self.world.record().note(&name, Moment::Begun);
            let start = (node.start)(self.world.clone());
            let owned = ProcessIdentity::current().owns(async move { (name, start.await) });
            self.tasks.spawn(owned);
        }
    }

    fn skipped(&self, node: &str, live: &BTreeMap<String, Box<dyn Any + Send>>) -> Skipped {
        let dependents = dependents(&self.needs, node);
        let others = self.needs.keys().filter(|name| {
            *name != node && !live.contains_key(*name) && !dependents.contains(*name)
        });
        let others = others.cloned().collect();
        Skipped { dependents: dependents.into_iter().collect(), others }
    }
}
