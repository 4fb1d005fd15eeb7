//! The typed name of a node.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// The name of a node of a stack, and the type of its definition: plain data, whether or not
/// there is such a node. `#[derive(Stack)]` makes one for each field.
///
/// ```
/// use plimsoll_harness::{ContainerDefinition, Ref};
///
/// const DB: Ref<ContainerDefinition> = Ref::new("db");
/// assert_eq!(DB.name(), "db");
/// ```
pub struct Ref<N> {
    name: Cow<'static, str>,
    node: PhantomData<fn() -> N>,
}

impl<N> Ref<N> {
    /// The node of this name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), node: PhantomData }
    }

    /// The node of a name that is made up while the program runs.
    #[must_use]
    pub fn named(name: String) -> Self {
        Self { name: Cow::Owned(name), node: PhantomData }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<N> Clone for Ref<N> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), node: PhantomData }
    }
}

impl<N> fmt::Debug for Ref<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ref").field(&self.name).finish()
    }
}
