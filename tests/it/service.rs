//! What the tests of services have in common.

use futures_util::{StreamExt, TryStreamExt, stream};
use plimsoll_harness::{Define, Live};

use crate::{Error, TestResult};

/// A password that no line of any output has by chance.
pub(crate) const PASSWORD: &str = "p@ss/wörd %41:?#'\"\\";

/// An error as it is shown, with all its causes, and as it is debugged.
pub(crate) fn shown(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(|error| format!("{error}\n")).collect::<String>() + &format!("{error:?}")
}

/// Starts it many times, several at once, and asks each the first thing that it is asked at all.
pub(crate) async fn ready_each_time<D: Define>(
    times: usize,
    definition: &D,
    first: impl AsyncFn(&Live<D>) -> TestResult,
) -> TestResult {
    let start = |number: usize| {
        let first = &first;
        async move {
            let live = definition.start().await?;
            first(&live).await.map_err(|error| Error::from(format!("start {number}: {error}")))
        }
    };
    stream::iter(0..times).map(start).buffer_unordered(4).try_collect().await
}
