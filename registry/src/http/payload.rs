//! Payloads: bodies of requests that are too large to be in memory.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

/// A body that can be sent once, and how it gets on.
pub(super) struct Payload {
    pub(super) body: reqwest::Body,
    pub(super) pulse: Arc<Pulse>,
}

/// Whether a body still moves.
///
/// However long an upload takes, it goes on as long as the other side takes what it is given.
/// While the content is awaited from where it comes from, nobody here is late.
#[derive(Debug)]
pub(super) struct Pulse {
    /// The longest to wait for the other side to move.
    limit: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    moved: Instant,
    is_starved: bool,
}

impl Pulse {
    pub(super) fn new(limit: Duration) -> Self {
        let state = State { moved: Instant::now(), is_starved: false };
        Self { limit, state: Mutex::new(state) }
    }

    /// Notes that the other side wants more, which is not there yet.
    pub(super) fn starve(&self) {
        self.note(true);
    }

    /// Notes that the other side was given something.
    pub(super) fn feed(&self) {
        self.note(false);
    }

    /// The outcome of `sending`; `None` when the other side has stopped moving.
    pub(super) async fn keep<T>(&self, sending: impl Future<Output = T>) -> Option<T> {
        self.feed();
        let silence = async {
            loop {
                let until = {
                    let state = self.state.lock().expect("no holder of this lock panics");
                    let since = if state.is_starved { Instant::now() } else { state.moved };
                    since + self.limit
                };
                if until <= Instant::now() {
                    break;
                }
                tokio::time::sleep_until(until).await;
            }
        };
        tokio::select! {
            outcome = sending => Some(outcome),
            () = silence => None,
        }
    }

    fn note(&self, is_starved: bool) {
        let mut state = self.state.lock().expect("no holder of this lock panics");
        *state = State { moved: Instant::now(), is_starved };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn an_upload_lasts_as_long_as_it_moves() {
        let pulse = Pulse::new(LIMIT);
        let steady = async {
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_secs(9)).await;
                pulse.feed();
            }
        };
        assert!(pulse.keep(steady).await.is_some());
        let stuck = tokio::time::sleep(Duration::from_secs(11));
        assert!(pulse.keep(stuck).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_the_source_is_not_the_other_side_s_fault() {
        let pulse = Pulse::new(LIMIT);
        let starved = async {
            pulse.starve();
            tokio::time::sleep(Duration::from_secs(100)).await;
            pulse.feed();
        };
        assert!(pulse.keep(starved).await.is_some());
    }
}
