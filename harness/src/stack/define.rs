//! Definitions of one's own.

use std::error::Error;
use std::fmt::Debug;
use std::future::Future;

use crate::container::Container;
use crate::definition::ContainerDefinition;
use crate::stack::{DefineError, Links, Live};
use crate::start::StartError;

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

    /// Starts the container by itself, without a stack, and waits until it is ready. Errors call
    /// it by its type, in lower case. Dropping what comes back removes it.
    ///
    /// # Errors
    ///
    /// The definition refuses or reads a node of a stack, or as [`ContainerDefinition::start`].
    fn start(&self) -> impl Future<Output = Result<Live<Self>, StartError>> + Send {
        async move {
            let definition = alone(self)?;
            let container = definition.start().await?;
            Ok(Live::new(definition.name, self.clone(), container))
        }
    }
}

/// The definition of a container that is no node of a stack.
fn alone<D: Define>(define: &D) -> Result<ContainerDefinition, DefineError> {
    let full = std::any::type_name::<D>();
    let name = full.split('<').next().unwrap_or(full).rsplit("::").next().unwrap_or(full);
    let name = name.to_ascii_lowercase().replace('_', "-");
    define.define(&Links::of(&name, &[])).map_err(|error| error.of(&name))
}

impl Define for ContainerDefinition {
    fn define(&self, _: &Links<'_>) -> Result<ContainerDefinition, DefineError> {
        Ok(self.clone())
    }
}
