//! Work that blocks, beside the tasks that must not.

use crate::store::{Blame, StoreError};

/// Does `work` where blocking is allowed. It starts now, and runs to its end even if nobody
/// waits for it.
///
/// `attempt` is what fails when the runtime ends first.
pub(crate) fn blocking<T, F>(
    attempt: String,
    work: F,
) -> impl Future<Output = Result<T, StoreError>> + Send
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, StoreError> + Send + 'static,
{
    let task = tokio::task::spawn_blocking(work);
    async move {
        match task.await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(cancelled) => {
                    Err(StoreError::new(Blame::Local, attempt).with_source(cancelled))
                }
            },
        }
    }
}
