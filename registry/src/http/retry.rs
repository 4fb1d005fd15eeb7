//! When to try again, and how long to wait before.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use tokio::time::Instant;

use super::refusal;
use super::request::{Answer, Request};

/// How often to try again, and the pauses between.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    /// How many tries may follow the first.
    pub(super) retries: u32,
    /// The longest first pause; it doubles with every try.
    pub(super) base: Duration,
    /// The longest pause of all, when the server names none.
    pub(super) cap: Duration,
}

/// The tries of one request, up to a deadline.
#[derive(Debug)]
pub(super) struct Attempts {
    policy: Policy,
    deadline: Instant,
    done: u32,
}

/// Whether a request that was answered by `status` is worth trying again, whatever its verb:
/// manifests are named by their content, so that sending one twice is sending it once.
pub(super) fn is_worth_retrying(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502 | 503 | 504)
}

/// How long the server that gave `answer` to `request` asks to wait: by the header, or else in
/// the text of a 429, where GHCR says `retry-after: 1.88ms, allowed: 44000/minute`
/// (falcosecurity/plugins#1069).
pub(super) fn asked(request: &Request, answer: &Answer, now: SystemTime) -> Option<Duration> {
    let named = retry_after(&answer.headers, now);
    if named.is_some() || answer.status != StatusCode::TOO_MANY_REQUESTS {
        return named;
    }
    wait_in(&refusal::read(request, answer).text)
}

/// How long the server asks to wait, in seconds or until a date.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// The wait in `retry-after: 1.88ms` or `retry after 2s`, wherever in `text` that is.
pub(super) fn wait_in(text: &str) -> Option<Duration> {
    let text = text.to_ascii_lowercase();
    let (_, rest) = text.split_once("retry-after").or_else(|| text.split_once("retry after"))?;
    let word = rest.trim_start_matches([':', ' ']).split([',', ';', ' ']).next()?;
    go_duration(word.trim_end_matches('.'))
}

/// A duration as Go prints it: `985.86µs`, `1m30.5s`.
fn go_duration(text: &str) -> Option<Duration> {
    let (mut rest, mut seconds) = (text, 0.0);
    loop {
        let (number, after) = rest.split_at(rest.find(|c: char| c != '.' && !c.is_ascii_digit())?);
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, left) = after.split_at(end);
        let factor = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            // The micro sign, and the Greek letter that looks like it.
            "us" | "\u{b5}s" | "\u{3bc}s" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * factor;
        if left.is_empty() {
            return Duration::try_from_secs_f64(seconds).ok();
        }
        rest = left;
    }
}

impl Policy {
    /// The policy of a registry client: pauses of up to half a second, one, two... eight.
    pub(super) fn new(retries: u32) -> Self {
        Self { retries, base: Duration::from_millis(500), cap: Duration::from_secs(8) }
    }

    /// The longest pause after `done` tries.
    fn longest_pause(&self, done: u32) -> Duration {
        let factor = 1u32.checked_shl(done.saturating_sub(1)).unwrap_or(u32::MAX);
        self.base.saturating_mul(factor).min(self.cap)
    }
}

impl Attempts {
    pub(super) fn new(policy: Policy, deadline: Instant) -> Self {
        Self { policy, deadline, done: 0 }
    }

    /// Moves the deadline.
    pub(super) fn extend(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    /// Which try this is, from 1.
    pub(super) fn start(&mut self) -> u32 {
        self.done += 1;
        self.done
    }

    /// Waits until it is time to try again; false, at once, when there is no try left or the
    /// deadline would pass first.
    ///
    /// The pause is what the server asks for, or any up to the policy's (full jitter: clients
    /// that failed together do not come back together).
    pub(super) async fn pause(&self, asked: Option<Duration>) -> bool {
        if self.done > self.policy.retries {
            return false;
        }
        let longest = self.policy.longest_pause(self.done);
        let jitter = longest.mul_f64(fastrand::f64());
        let pause = match asked {
            Some(asked) => asked.max(jitter.min(Duration::from_millis(250)).min(longest)),
            None => jitter,
        };
        let Some(end) = Instant::now().checked_add(pause) else { return false };
        if end >= self.deadline {
            return false;
        }
        tokio::time::sleep_until(end).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn attempts(retries: u32, seconds: u64) -> Attempts {
        Attempts::new(Policy::new(retries), Instant::now() + Duration::from_secs(seconds))
    }

    fn asked(value: &str, now: SystemTime) -> Option<Duration> {
        let value = HeaderValue::from_str(value).expect("a legal value");
        retry_after(&HeaderMap::from_iter([(RETRY_AFTER, value)]), now)
    }

    #[test]
    fn edge_35_only_failures_that_pass_are_retried() {
        for code in 100..600 {
            let expected = [408, 425, 429, 500, 502, 503, 504].contains(&code);
            let status = StatusCode::from_u16(code).expect("a legal status");
            assert_eq!(is_worth_retrying(status), expected, "{code}");
        }
    }

    #[test]
    fn edge_35_retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").expect("a date");
        assert_eq!(asked("7", now), Some(Duration::from_secs(7)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:50:00 GMT", now), Some(Duration::from_secs(23)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:00:00 GMT", now), Some(Duration::ZERO));
        for bad in ["", "-1", "1.88ms", "soon"] {
            assert_eq!(asked(bad, now), None, "{bad}");
        }
    }

    #[test]
    fn edge_35_a_wait_in_the_text_is_a_duration_as_go_prints_it() {
        for (text, nanos) in [
            ("TOOMANYREQUESTS: retry-after: 1.88ms, allowed: 44000/minute", 1_880_000),
            ("toomanyrequests: retry-after: 985.86\u{b5}s, allowed: 44000/minute", 985_860),
            ("retry-after: 985.86\u{3bc}s", 985_860),
            ("Retry after 7us", 7_000),
            ("retry after 2s.", 2_000_000_000),
            ("slow down; Retry-After 1h1m30.5s; bye", 3_690_500_000_000),
            ("retry-after: 3ns", 3),
        ] {
            assert_eq!(wait_in(text), Some(Duration::from_nanos(nanos)), "{text}");
        }
        let endless = format!("retry-after: {}h", "9".repeat(300));
        for text in
            ["", "retry after", "retry-after: soon", "retry-after: -1s", "retry-after: 1.2.3s"]
        {
            assert_eq!(wait_in(text), None, "{text}");
        }
        for text in ["retry-after: 5", "retry-after: .s", "after 5s", "retry-after: 5 s", &endless]
        {
            assert_eq!(wait_in(text), None, "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn edge_35_pauses_have_full_jitter_within_a_doubling_bound() {
        let mut longest = [Duration::ZERO; 6];
        for _ in 0..200 {
            let mut attempts = attempts(6, 3600);
            for (at, bound) in [500, 1000, 2000, 4000, 8000, 8000].into_iter().enumerate() {
                attempts.start();
                let before = Instant::now();
                assert!(attempts.pause(None).await);
                let pause = before.elapsed();
                assert!(pause <= Duration::from_millis(bound + 1), "{pause:?}");
                longest[at] = longest[at].max(pause);
            }
        }
        assert!(longest[5] > Duration::from_secs(6), "{longest:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn edge_35_retry_after_is_honoured_and_never_outlasts_the_deadline() {
        let mut attempts = attempts(5, 60);
        attempts.start();
        let before = Instant::now();
        assert!(attempts.pause(Some(Duration::from_secs(30))).await);
        assert!(before.elapsed() >= Duration::from_secs(30));
        let before = Instant::now();
        assert!(!attempts.pause(Some(Duration::from_secs(31))).await);
        assert!(!attempts.pause(Some(Duration::MAX)).await);
        assert_eq!(before.elapsed(), Duration::ZERO, "it does not wait for nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn tries_end() {
        let mut attempts = attempts(1, 60);
        assert_eq!(attempts.start(), 1);
        assert!(attempts.pause(None).await);
        assert_eq!(attempts.start(), 2);
        assert!(!attempts.pause(None).await);
    }
}
