//! Pace: how fast a registry lets requests come, learned from its refusals.
//!
//! Registries limit each action apart, and say so only when a limit is met: ECR takes ten
//! manifests a second and a hundred starts of uploads. So there is one bucket for each action of
//! a host, which all requests of this process share, and no limit until one is refused:
//!
//! - Once 429 is answered, requests go out at half the rate at which they were refused, spread
//!   evenly, and at half of that when one is refused again: but once for all that were under way
//!   together. From then on the rate grows slowly, until it is no limit any more.
//! - `Retry-After` holds for every request of the action, not only for the one that met it, and
//!   also with 503. What waits for its end comes at the rate learned, not all at once.
//! - A wait that would outlast a request's deadline is not begun.
//!
//! How long a refused request itself waits, with what jitter, says [`retry`](super::retry).

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::action::Action;

/// The longest that a limit which one request met holds for others: a registry that names a
/// year in the future is asked again all the same.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Over how long the rate of requests is counted.
const WINDOW: Duration = Duration::from_secs(1);

/// The rate taken for that of a first refusal is this at least, in requests a second: one that
/// is refused on its own says nothing of a rate.
const LEAST_COUNT: f64 = 4.0;

/// No refusal makes requests slower than this, in requests a second: longer pauses are for the
/// registry to ask for.
const LEAST_RATE: f64 = 1.0;

/// How much faster requests become with every second without a refusal, in requests a second.
const GROWTH: f64 = 1.0;

/// A rate that is no limit any more, in requests a second.
const NO_LIMIT: f64 = 100.0;

/// When requests to one registry may go out.
#[derive(Debug, Default)]
pub(super) struct Pace {
    buckets: Mutex<HashMap<Action, Bucket>>,
}

/// What is known of one action's limit.
#[derive(Debug, Default)]
struct Bucket {
    /// The registry wants nothing before.
    until: Option<Instant>,
    limit: Option<Limit>,
    /// When requests went out, within the last [`WINDOW`].
    begun: VecDeque<Instant>,
}

#[derive(Debug)]
struct Limit {
    /// Requests a second.
    rate: f64,
    /// When the rate last changed.
    changed: Instant,
    /// When it was last halved.
    halved: Instant,
    /// When the next request may go out.
    next: Instant,
}

impl Pace {
    /// Waits until a request may go out, and says when that was; `None`, at once, when the
    /// deadline would pass first.
    pub(super) async fn admit(&self, action: Action, deadline: Instant) -> Option<Instant> {
        loop {
            let now = Instant::now();
            let until = self.with(action, |bucket| bucket.turn(now, deadline))?;
            if until <= now {
                return Some(now);
            }
            tokio::time::sleep_until(until).await;
            // A slot that was taken stays taken; but meanwhile the registry may have asked for
            // a longer pause.
            if self.with(action, |bucket| bucket.until.is_none_or(|pause| pause <= until)) {
                return Some(until);
            }
        }
    }

    /// Takes note that a request which began at `began` was refused, and for how long the
    /// registry wants no other.
    ///
    /// `is_rate` says that it was refused for its rate: by 429.
    pub(super) fn refused(
        &self,
        action: Action,
        began: Instant,
        is_rate: bool,
        asked: Option<Duration>,
    ) {
        let now = Instant::now();
        self.with(action, |bucket| {
            if let Some(until) = asked.and_then(|asked| now.checked_add(asked.min(LONGEST_PAUSE))) {
                bucket.until = Some(bucket.until.map_or(until, |longer| longer.max(until)));
            }
            if is_rate {
                bucket.halve(began, now);
            }
        });
    }

    fn with<T>(&self, action: Action, work: impl FnOnce(&mut Bucket) -> T) -> T {
        let mut buckets = self.buckets.lock().expect("no holder of this lock panics");
        work(buckets.entry(action).or_default())
    }
}

impl Bucket {
    /// When the request that asks now may go out; `None` when that is not before `deadline`.
    fn turn(&mut self, now: Instant, deadline: Instant) -> Option<Instant> {
        let mut turn = self.until.map_or(now, |until| until.max(now));
        if let Some(limit) = &mut self.limit {
            limit.grow(now);
            turn = turn.max(limit.next);
        }
        if turn > now && turn >= deadline {
            return None;
        }
        match &mut self.limit {
            Some(limit) if limit.rate >= NO_LIMIT => self.limit = None,
            Some(limit) => limit.next = turn + Duration::from_secs_f64(1.0 / limit.rate),
            None => {}
        }
        while self.begun.front().is_some_and(|begun| *begun + WINDOW < now) {
            self.begun.pop_front();
        }
        self.begun.push_back(turn);
        Some(turn)
    }

    fn halve(&mut self, began: Instant, now: Instant) {
        let rate = match &mut self.limit {
            // It was under way when the rate was halved, and says nothing of the new one.
            Some(limit) if began <= limit.halved => return,
            Some(limit) => {
                limit.grow(now);
                limit.rate
            }
            None => {
                let since = |begun: &&Instant| **begun <= now && **begun + WINDOW >= now;
                let count = self.begun.iter().filter(since).count();
                f64::from(u32::try_from(count).unwrap_or(u32::MAX)).max(LEAST_COUNT)
            }
        };
        let next = self.limit.as_ref().map_or(now, |limit| limit.next);
        let rate = (rate / 2.0).max(LEAST_RATE);
        self.limit = Some(Limit { rate, changed: now, halved: now, next });
    }
}

impl Limit {
    fn grow(&mut self, now: Instant) {
        self.rate += now.saturating_duration_since(self.changed).as_secs_f64() * GROWTH;
        self.changed = now;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    /// How long after `start` each of `count` requests that come at once goes out.
    async fn starts(pace: &Pace, count: usize, start: Instant) -> Vec<Duration> {
        let admit = || pace.admit(Action::ManifestWrite, start + LONG);
        let begun = join_all((0..count).map(|_| admit())).await;
        begun.into_iter().map(|begun| begun.expect("in time") - start).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn edge_35_there_is_no_limit_until_a_request_is_refused() {
        let (pace, start) = (Pace::default(), Instant::now());
        assert_eq!(starts(&pace, 1000, start).await, [Duration::ZERO; 1000]);
    }

    #[tokio::test(start_paused = true)]
    async fn edge_35_a_refusal_halves_the_rate_of_its_action_alone_and_once_for_a_burst() {
        let (pace, start) = (Pace::default(), Instant::now());
        starts(&pace, 40, start).await;
        for _ in 0..20 {
            pace.refused(Action::ManifestWrite, start, true, None);
        }
        // 20 a second, and a little more with time.
        let begun = starts(&pace, 11, start).await;
        assert_eq!(begun[1], Duration::from_millis(50));
        assert_eq!(begun[10], Duration::from_millis(500));
        assert_eq!(pace.admit(Action::UploadStart, start + LONG).await, Some(Instant::now()));

        let began = Instant::now();
        pace.refused(Action::ManifestWrite, began, true, None);
        let begun = starts(&pace, 3, began).await;
        let gap = begun[2] - begun[1];
        assert!(gap > Duration::from_millis(90) && gap <= Duration::from_millis(100), "{gap:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn edge_35_the_rate_grows_slowly_until_it_is_no_limit() {
        let (pace, start) = (Pace::default(), Instant::now());
        starts(&pace, 40, start).await;
        pace.refused(Action::ManifestWrite, start, true, None);
        tokio::time::advance(Duration::from_secs(20)).await;
        let now = Instant::now();
        let begun = starts(&pace, 3, now).await;
        assert_eq!(begun[2] - begun[1], Duration::from_millis(25), "40 a second");
        tokio::time::advance(Duration::from_secs(60)).await;
        let now = Instant::now();
        assert_eq!(starts(&pace, 100, now).await, [Duration::ZERO; 100]);
    }

    #[tokio::test(start_paused = true)]
    async fn edge_35_a_lone_refusal_or_many_never_stop_an_action() {
        let (pace, start) = (Pace::default(), Instant::now());
        for _ in 0..20 {
            let began = pace.admit(Action::ManifestWrite, start + LONG).await.expect("in time");
            pace.refused(Action::ManifestWrite, began, true, None);
        }
        assert!(start.elapsed() <= Duration::from_secs(20), "{:?}", start.elapsed());
        let none = Pace::default();
        none.refused(Action::ManifestWrite, start, false, None);
        let now = Instant::now();
        assert_eq!(starts(&none, 100, now).await, [Duration::ZERO; 100], "503 is no limit");
    }

    #[tokio::test(start_paused = true)]
    async fn edge_35_a_pause_that_one_request_is_asked_for_holds_for_all_of_its_action() {
        let (pace, start) = (Pace::default(), Instant::now());
        starts(&pace, 10, start).await;
        for seconds in [20, 2] {
            let asked = Some(Duration::from_secs(seconds));
            pace.refused(Action::ManifestWrite, start, true, asked);
        }
        assert_eq!(pace.admit(Action::ManifestRead, start + LONG).await, Some(start));
        let soon = start + Duration::from_secs(20);
        assert_eq!(pace.admit(Action::ManifestWrite, soon).await, None);
        assert_eq!(start.elapsed(), Duration::ZERO, "it does not wait for nothing");
        // Five a second, not all at once.
        let begun = starts(&pace, 6, start).await;
        assert_eq!(begun[0], Duration::from_secs(20));
        assert_eq!(begun[5], Duration::from_secs(21));
    }

    #[tokio::test(start_paused = true)]
    async fn edge_35_a_pause_that_becomes_longer_holds_for_who_waits_already() {
        let (pace, start) = (Pace::default(), Instant::now());
        let refuse = |seconds| {
            let asked = Some(Duration::from_secs(seconds));
            pace.refused(Action::Token, start, false, asked);
        };
        refuse(10);
        let longer = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            refuse(30);
        };
        let waits = pace.admit(Action::Token, start + LONG);
        let (begun, ()) = tokio::join!(waits, longer);
        assert_eq!(begun, Some(start + Duration::from_secs(35)));
        pace.refused(Action::Token, start, false, Some(Duration::MAX));
        let begun = pace.admit(Action::Token, Instant::now() + LONG).await;
        assert!(begun.expect("in time") <= start + Duration::from_secs(35) + LONGEST_PAUSE);
    }
}
