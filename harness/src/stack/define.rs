//! Definitions of one's own.

use std::error::Error;
use std::fmt::Debug;
use std::future::Future;

use crate::container::Container;
use crate::definition::ContainerDefinition;
use crate::stack::{DefineError, Links};

/// What a container shall be, in the user's own words: a plain struct with a field for whatever
/// tests change. [`crate::Stack`] has an example.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a node of a stack",
    label = "not the definition of a container, a volume or a network",
    note = "`plimsoll_harness::Define` makes a type the definition of a container"
)]
pub trait Define: Clone + Debug + Send + Sync + 'static {
    /// The definition in the words of the engine. Called once for each plan, before Docker is
    /// asked for anything; it must have no effects. Its name becomes that of the node.
    ///
    /// # Errors
    ///
    /// What a link says, or [`DefineError::other`] for a reason of one's own.
    fn define(&self, links: &Links<'_>) -> Result<ContainerDefinition, DefineError>;

    /// Puts the running container back into its first state, between two tests that share it.
    /// Does nothing unless written.
    ///
    /// # Errors
    ///
    /// Whatever goes wrong; [`crate::Live::clean`] says of which node.
    fn clean(
        &self,
        container: &Container,
    ) -> impl Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send {
        let _ = container;
        async { Ok(()) }
    }
}

impl Define for ContainerDefinition {
    fn define(&self, _: &Links<'_>) -> Result<ContainerDefinition, DefineError> {
        Ok(self.clone())
    }
}
