//! A running node, with the definition it came of.

use std::ops::Deref;

use crate::container::Container;
use crate::scope::SharedNode;
use crate::stack::{CleanError, Define};
use crate::start::StartError;

/// A running container, with the definition it came of.
#[derive(Debug)]
pub struct Live<D> {
    name: String,
    definition: D,
    container: Container,
}

impl<D> Live<D> {
    pub(crate) fn new(name: String, definition: D, container: Container) -> Self {
        Self { name, definition, container }
    }

    /// A container that another process has started from this definition.
    pub(crate) async fn adopt(definition: D, shared: SharedNode) -> Result<Self, StartError> {
        let container = Container::adopt(&shared).await?;
        Ok(Self::new(shared.node, definition, container))
    }

    /// What it was started from: the user, password or port in it.
    #[must_use]
    pub fn definition(&self) -> &D {
        &self.definition
    }
}

impl<D: Define> Live<D> {
    /// Puts it back into its first state, as its definition says.
    ///
    /// # Errors
    ///
    /// What [`Define::clean`] says.
    pub async fn clean(&self) -> Result<(), CleanError> {
        let cleaned = self.definition.clean(&self.container).await;
        cleaned.map_err(|source| CleanError { node: self.name.clone(), source })
    }
}

impl<D> Deref for Live<D> {
    type Target = Container;

    fn deref(&self) -> &Container {
        &self.container
    }
}
