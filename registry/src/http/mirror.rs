//! Mirrors: another registry that has the same content, asked first for what a digest names.
//!
//! What a digest names is the same wherever it comes from, and is checked when it has come.
//! Where a tag points is not: a mirror may be hours behind, and an alias would be moved by what
//! is no longer true. So a mirror gives manifests by digest, and blobs. Tags, lists of tags and
//! of referrers, and whether something is there at all, are asked of the registry itself.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, warn};

use super::registry::Registry;
use super::repository::RepositoryStore;
use super::scope::Access;
use crate::store::{Blame, StoreError};

/// How long a mirror that fails is left alone.
const REST: Duration = Duration::from_secs(60);

/// A registry that has what another one has, below a path of its own.
pub(super) struct Mirror {
    registry: Registry,
    prefix: String,
    rests_until: Mutex<Option<Instant>>,
}

impl Mirror {
    pub(super) fn new(registry: Registry, prefix: &str) -> Self {
        let prefix = prefix.trim_matches('/').to_owned();
        Self { registry, prefix, rests_until: Mutex::default() }
    }

    /// Its copy of the repository at `path`; `None` while it rests.
    pub(super) fn repository(&self, path: &str) -> Option<RepositoryStore> {
        let rests_until = *self.rests_until.lock().expect("no holder of this lock panics");
        if rests_until.is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let path = match self.prefix.as_str() {
            "" => path.to_owned(),
            prefix => format!("{prefix}/{path}"),
        };
        Some(self.registry.repository(&path, Access::Pull))
    }

    /// Takes note that it did not give what it was asked for: the registry itself is asked then.
    pub(super) fn failed(&self, error: &StoreError) {
        let mirror = self.registry.host();
        match error.blame() {
            Blame::Registry => {
                let until = Instant::now() + REST;
                *self.rests_until.lock().expect("no holder of this lock panics") = Some(until);
                warn!(%mirror, "failed to {error}; the mirror is not asked for a minute");
            }
            _ => debug!(%mirror, "failed to {error}; the registry itself is asked"),
        }
    }
}
