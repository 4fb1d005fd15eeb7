//! The test that is running, as what it starts sees it.

use std::env;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::Engine;
use crate::record::Record;
use crate::stack::Teardown;

tokio::task_local! {
    static CASE: Arc<Case>;
}

/// A test that can say itself whether it has failed: one with the attribute.
#[derive(Debug)]
pub(crate) struct Case {
    name: String,
    records: Mutex<Vec<Arc<Record>>>,
    /// What it has dropped, and may be looked at should it fail.
    held: Mutex<Vec<(Engine, Teardown)>>,
    /// Whether its failure has been told.
    told: AtomicBool,
}

impl Case {
    pub(crate) fn new(name: &str) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            records: Mutex::default(),
            held: Mutex::default(),
            told: AtomicBool::new(false),
        })
    }

    pub(crate) fn current() -> Option<Arc<Self>> {
        CASE.try_with(Arc::clone).ok()
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What was started in it so far.
    pub(crate) fn records(&self) -> Vec<Arc<Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn add(&self, record: Arc<Record>) {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).push(record);
    }

    /// Removes this at the end of the test and not before.
    pub(crate) fn hold(&self, engine: Engine, teardown: Teardown) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).push((engine, teardown));
    }

    /// Whether this is the first time that its failure is to be told.
    pub(crate) fn tells(&self) -> bool {
        !self.told.swap(true, Ordering::Relaxed)
    }

    /// Runs the test.
    pub(crate) async fn scope<F: Future>(self: Arc<Self>, test: F) -> F::Output {
        CASE.scope(self, test).await
    }

    /// Runs a test that is not async.
    pub(crate) fn sync_scope<T>(self: Arc<Self>, test: impl FnOnce() -> T) -> T {
        CASE.sync_scope(self, test)
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        for (engine, teardown) in
            self.held.get_mut().unwrap_or_else(PoisonError::into_inner).drain(..)
        {
            engine.finish(|docker| teardown.run(docker));
        }
    }
}

/// The name of the test that runs on this thread.
pub(crate) fn test_name() -> String {
    if let Some(case) = Case::current() {
        return case.name.clone();
    }
    // The runner calls a thread what it calls the test. Only a single test can be on the main
    // thread, and nextest says which.
    let thread = std::thread::current();
    match thread.name() {
        Some(name) if name != "main" => name.to_owned(),
        _ => env::var("NEXTEST_TEST_NAME").unwrap_or_else(|_| "test".to_owned()),
    }
}
