//! What the engine can do and a definition has no words for.

use std::fmt;
use std::sync::Arc;

use testcontainers::bollard::models::ContainerCreateBody;

/// A last change to the request that creates a container.
#[derive(Clone)]
pub struct Patch(Arc<dyn Fn(&mut ContainerCreateBody) + Send + Sync>);

impl Patch {
    pub(crate) fn new(change: impl Fn(&mut ContainerCreateBody) + Send + Sync + 'static) -> Self {
        Self(Arc::new(change))
    }

    pub(crate) fn apply(&self, body: &mut ContainerCreateBody) {
        (self.0)(body);
    }
}

impl fmt::Debug for Patch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Patch")
    }
}
