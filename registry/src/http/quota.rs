//! Quotas: how many more pulls a registry allows.

use std::sync::Mutex;
use std::time::Duration;

use reqwest::header::HeaderMap;
use tokio::time::Instant;

/// How long a registry's word on its quota counts. It may have been raised since, by time or
/// by somebody who logged in.
const COUNTS_FOR: Duration = Duration::from_secs(60);

/// What a registry says is left of its limit on pulls, as Docker Hub does: reading a manifest
/// counts, and looking at one by `HEAD` does not.
#[derive(Debug, Default)]
pub(super) struct Quota {
    last: Mutex<Option<(u64, Instant)>>,
}

impl Quota {
    /// Takes note of `ratelimit-remaining: 99;w=21600`.
    pub(super) fn note(&self, headers: &HeaderMap) {
        let value = headers.get("ratelimit-remaining").and_then(|value| value.to_str().ok());
        let count = value.and_then(|value| value.split(';').next()?.trim().parse().ok());
        if let Some(remaining) = count {
            let mut last = self.last.lock().expect("no holder of this lock panics");
            *last = Some((remaining, Instant::now()));
        }
    }

    /// Whether the next pull is certain to be refused.
    pub(super) fn is_spent(&self) -> bool {
        let last = self.last.lock().expect("no holder of this lock panics");
        last.is_some_and(|(remaining, noted)| remaining == 0 && noted.elapsed() < COUNTS_FOR)
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn edge_36_a_spent_quota_counts_for_a_minute() {
        let quota = Quota::default();
        let note = |value: &'static str| {
            let name = HeaderName::from_static("ratelimit-remaining");
            quota.note(&HeaderMap::from_iter([(name, HeaderValue::from_static(value))]));
            quota.is_spent()
        };
        assert!(!note("1;w=21600"));
        assert!(!note("junk"));
        assert!(note("0;w=21600"));
        assert!(!note("5"));
        assert!(note("0"));
        tokio::time::advance(Duration::from_secs(61)).await;
        assert!(!quota.is_spent());
    }
}
