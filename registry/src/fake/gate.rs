//! Gates: where an answer waits for the test.

use std::sync::Arc;

use tokio::sync::watch;

/// Where an answer on its way waits until the test lets it pass; clones are the same gate.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    is_open: watch::Sender<bool>,
    is_reached: watch::Sender<bool>,
}

impl Gate {
    /// A closed one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets pass what waits, and everything after it.
    pub fn open(&self) {
        self.0.is_open.send_replace(true);
    }

    /// Ends when an answer has come this far.
    pub async fn reached(&self) {
        wait(&self.0.is_reached).await;
    }

    pub(super) async fn pass(&self) {
        self.0.is_reached.send_replace(true);
        wait(&self.0.is_open).await;
    }
}

async fn wait(event: &watch::Sender<bool>) {
    let happened = event.subscribe().wait_for(|happened| *happened).await.is_ok();
    // The sender is borrowed for as long as this waits.
    debug_assert!(happened, "a sender that is there never closes its channel");
}
