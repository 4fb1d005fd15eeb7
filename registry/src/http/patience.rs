//! Patience: how often a transfer that broke off is taken up again.

use std::time::Duration;

use super::retry::{Attempts, Policy};
use super::wire::Wire;

/// How far a transfer must have come since it last broke off for its tries to count anew: a
/// large blob over a bad line arrives in the end, one that never gets on is given up.
const PROGRESS: u64 = 1 << 20;

/// The tries of one transfer, which may take any time as long as it gets on.
#[derive(Debug)]
pub(super) struct Patience {
    policy: Policy,
    attempts: Option<Attempts>,
    reached: u64,
}

impl Patience {
    pub(super) fn new(wire: &Wire) -> Self {
        Self { policy: wire.policy, attempts: None, reached: 0 }
    }

    /// Waits until it is time to go on, after a transfer broke off that had `reached` so many
    /// bytes; false when it is to be given up. `asked` is the pause that the server wants.
    pub(super) async fn pause(
        &mut self,
        wire: &Wire,
        reached: u64,
        asked: Option<Duration>,
    ) -> bool {
        if reached >= self.reached + PROGRESS {
            self.attempts = None;
        }
        self.reached = self.reached.max(reached);
        let deadline = wire.deadline();
        let attempts = self.attempts.get_or_insert_with(|| Attempts::new(self.policy, deadline));
        attempts.extend(deadline);
        attempts.start();
        attempts.pause(asked).await
    }
}
