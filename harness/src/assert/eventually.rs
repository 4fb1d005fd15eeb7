//! Looking again and again at what changes without an event.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::engine::ObserveError;
use super::mismatch::{Expectation, Mismatch, Observed};

use crate::failure::debug_by_message;

/// How long to wait before another look, at first and at most.
const PACE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(320));

/// Something that did not become what was expected.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum EventuallyError {
    /// It cannot be looked at, and never could.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// It was still different when the time was over.
    #[error(
        "wait for {}: still not as expected after {:.1} s; the last of {} found{}",
        .mismatch.subject,
        .waited.as_secs_f64(),
        counted(.looks),
        .mismatch.details()
    )]
    TimedOut {
        /// How long it was looked at.
        waited: Duration,
        /// How often.
        looks: u32,
        /// How it differed in the end.
        mismatch: Mismatch,
    },
    /// It could be looked at before, and then no longer: its container has ended, perhaps.
    #[error(
        "wait for {}: it can no longer be looked at after {:.1} s; the last of {} found{}",
        .mismatch.subject,
        .waited.as_secs_f64(),
        counted(.looks),
        .mismatch.details()
    )]
    Lost {
        /// How long it was looked at.
        waited: Duration,
        /// How often.
        looks: u32,
        /// How it differed when it could still be looked at.
        mismatch: Mismatch,
        /// Why it no longer can.
        source: ObserveError,
    },
}

debug_by_message!(EventuallyError);

fn counted(looks: &u32) -> String {
    if *looks == 1 { "1 look".to_owned() } else { format!("{looks} looks") }
}

/// Looks until what is found is as expected, and gives what was found. It is for what no engine
/// tells of, such as the start of a process or the opening of a port, and so can only be asked
/// for again and again.
///
/// ```no_run
/// use std::time::Duration;
/// use plimsoll_harness::assert::{eventually, ports};
/// # async fn example(web: plimsoll_harness::Container) -> Result<(), Box<dyn std::error::Error>> {
/// let open = ports::listens_on([80]);
/// eventually(Duration::from_secs(10), &open, || ports::of(&web)).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// It is still different when the time is over, or it cannot be looked at.
pub async fn eventually<T, Fut>(
    deadline: Duration,
    expected: &impl Expectation<T>,
    look: impl Fn() -> Fut,
) -> Result<T, EventuallyError>
where
    T: Observed,
    Fut: Future<Output = Result<T, ObserveError>>,
{
    let begun = Instant::now();
    let (mut pause, mut looks, mut last) = (PACE.0, 0, None);
    loop {
        let found = match (look().await, last) {
            (Ok(found), _) => found,
            (Err(error), None) => return Err(error.into()),
            (Err(source), Some(mismatch)) => {
                let waited = begun.elapsed();
                return Err(EventuallyError::Lost { waited, looks, mismatch, source });
            }
        };
        looks += 1;
        let Err(mismatch) = found.assert(expected) else { return Ok(found) };
        let waited = begun.elapsed();
        if waited + pause > deadline {
            return Err(EventuallyError::TimedOut { waited, looks, mismatch });
        }
        last = Some(mismatch);
        sleep(pause).await;
        pause = (pause * 2).min(PACE.1);
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::assert::Difference;

    struct Count(u32);

    impl fmt::Display for Count {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.fmt(f)
        }
    }

    impl Observed for Count {
        fn subject(&self) -> String {
            "the count".to_owned()
        }
    }

    struct Reaches(u32);

    impl Expectation<Count> for Reaches {
        fn differences(&self, found: &Count) -> Vec<Difference> {
            let difference = || Difference::new("value", self.0.to_string(), found.0.to_string());
            (found.0 < self.0).then(difference).into_iter().collect()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_looks_until_it_is_so() {
        let looks = AtomicU32::new(0);
        let look = || async { Ok(Count(looks.fetch_add(1, Ordering::Relaxed))) };
        let found = eventually(Duration::from_secs(60), &Reaches(3), look).await.unwrap();
        assert_eq!((found.0, looks.load(Ordering::Relaxed)), (3, 4));
    }

    #[tokio::test(start_paused = true)]
    async fn in_the_end_it_says_how_it_differs() {
        let look = || async { Ok(Count(1)) };
        let error = eventually(Duration::from_millis(100), &Reaches(3), look).await.err().unwrap();
        insta::assert_snapshot!(error, @r"
        wait for the count: still not as expected after 0.1 s; the last of 4 looks found
          value: expected 3, found 1
        ");
        let error = eventually(Duration::ZERO, &Reaches(3), look).await.err().unwrap();
        insta::assert_snapshot!(error, @r"
        wait for the count: still not as expected after 0.0 s; the last of 1 look found
          value: expected 3, found 1
        ");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_gone_says_how_it_was() {
        let looks = AtomicU32::new(0);
        let look = || async {
            match looks.fetch_add(1, Ordering::Relaxed) {
                2 => Err(ObserveError::unusable("the count", "it has been lost")),
                count => Ok(Count(count)),
            }
        };
        let error = eventually(Duration::from_secs(60), &Reaches(3), look).await.err().unwrap();
        insta::assert_snapshot!(error, @r"
        wait for the count: it can no longer be looked at after 0.0 s; the last of 2 looks found
          value: expected 3, found 1
        ");
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        assert_eq!(cause.as_deref(), Some("look at the count: it has been lost"));
    }

    #[tokio::test]
    async fn what_cannot_be_looked_at_is_not_waited_for() {
        let look = || async { Err(ObserveError::unusable("the count", "it is not running")) };
        let error = eventually(Duration::from_secs(60), &Reaches(3), look).await.err().unwrap();
        assert_eq!(error.to_string(), "look at the count: it is not running");
    }
}
