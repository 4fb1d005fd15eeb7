//! Stacks that tests share.

use futures_util::future::try_join_all;

use crate::engine::Engine;
use crate::record::Record;
use crate::scope::{Share, SharedNode};
use crate::stack::plan::plan;
use crate::stack::teardown::Teardown;
use crate::stack::{PlannedKind, Stack, StackBuilder, StackError, StackGuard, Started};
use crate::start::StartError;

/// The running nodes of a stack, such as the `AppLive` that `#[derive(Stack)]` makes for `App`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a running stack",
    label = "not what `#[derive(Stack)]` makes of a stack",
    note = "for a stack `App` it is `AppLive`"
)]
pub trait LiveStack: Sized {
    /// What was started.
    type Stack: Stack<Live = Self>;

    /// What removes it.
    #[doc(hidden)]
    fn guard(&self) -> &StackGuard;
}

impl<S: Stack> Share for S {
    type Live = S::Live;
    type Error = StackError;

    async fn start(&self) -> Result<S::Live, StackError> {
        Stack::start(self).await
    }

    fn describe(live: &S::Live) -> Vec<SharedNode> {
        <S as Stack>::describe(live)
    }

    async fn adopt(&self, nodes: &[SharedNode]) -> Result<S::Live, StackError> {
        self.builder().adopt(nodes).await.map(S::live)
    }
}

impl StackBuilder {
    /// Uses what another process has started.
    async fn adopt(self, shared: &[SharedNode]) -> Result<Started, StackError> {
        let (plan, _) = plan(&self.nodes)?;
        let engine = Engine::connect()?;
        let adopting = self.nodes.iter().map(|(name, node)| async move {
            let adopted = match shared.iter().find(|shared| shared.node == *name) {
                Some(found) => node.adopt(found.clone()).await,
                None => {
                    let found = shared.iter().map(|shared| shared.node.clone()).collect();
                    Err(StartError::NotShared { node: name.clone(), found })
                }
            };
            let failed =
                |source| StackError::Adopt { node: name.clone(), source: Box::new(source) };
            adopted.map(|live| (name.clone(), live)).map_err(failed)
        });
        let live = try_join_all(adopting).await?.into_iter().collect();
        let mut teardown = Teardown::default();
        for node in &plan.nodes {
            if let PlannedKind::Container(_) | PlannedKind::Testcontainers { .. } = node.kind
                && let Some(found) = shared.iter().find(|shared| shared.node == node.name)
            {
                teardown.container(&node.name, &found.id);
            }
        }
        let record = Record::of_stack(&plan);
        Ok(Started::new(StackGuard::new(engine, teardown, plan, record), live))
    }
}
