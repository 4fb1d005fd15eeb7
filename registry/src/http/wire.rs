//! The wire: requests with their retries and deadlines.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::HeaderValue;
use tokio::time::Instant;

use super::action::Action;
use super::pace::Pace;
use super::redirect;
use super::request::{Again, Answer, Failure, Request};
use super::retry::{self, Attempts, Policy};
use super::text::redacted;
use super::transport::Transport;
use crate::store::{Blame, StoreError};

/// One registry's transport, and what is known about when it wants to be left alone.
pub(super) struct Wire {
    pub(super) transport: Transport,
    pub(super) policy: Policy,
    pub(super) timeout: Duration,
    pub(super) pace: Pace,
}

/// The tries of one request.
///
/// Each goes `begin`, `within`, `is_worth_another`:
/// the loop is the caller's, who may look around between two tries.
pub(super) struct Tries<'a> {
    wire: &'a Wire,
    request: &'a Request,
    action: Action,
    attempts: Attempts,
    deadline: Instant,
    began: Instant,
    is_unclear: bool,
}

impl Wire {
    /// The time by which a request that starts now must be done.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    pub(super) fn tries<'a>(
        &'a self,
        request: &'a Request,
        action: Action,
        deadline: Instant,
    ) -> Tries<'a> {
        let attempts = Attempts::new(self.policy, deadline);
        let began = Instant::now();
        Tries { wire: self, request, action, attempts, deadline, began, is_unclear: false }
    }

    /// Sends `request` with `authorization` until it is answered for good.
    pub(super) async fn send(
        &self,
        request: &Request,
        authorization: Option<&HeaderValue>,
        action: Action,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let mut tries = self.tries(request, action, deadline);
        loop {
            let attempt = tries.begin().await?;
            let exchange = self.transport.exchange(request, authorization, attempt);
            let result = tries.within(exchange).await;
            if !tries.is_worth_another(&result).await {
                return result;
            }
        }
    }
}

impl Tries<'_> {
    /// Waits until the registry wants requests; the number of the try.
    pub(super) async fn begin(&mut self) -> Result<u32, Failure> {
        let Some(began) = self.wire.pace.admit(self.action, self.deadline).await else {
            return Err(self.late("the registry asks to wait longer than the time limit of"));
        };
        self.began = began;
        Ok(self.attempts.start())
    }

    /// Runs one try up to the deadline.
    pub(super) async fn within<T>(
        &self,
        attempt: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        match tokio::time::timeout_at(self.deadline, attempt).await {
            Ok(result) => result,
            Err(_) => Err(self.late("no answer within")),
        }
    }

    /// Whether to try again, after the pause that goes before.
    pub(super) async fn is_worth_another<T: AsRef<Answer>>(
        &mut self,
        result: &Result<T, Failure>,
    ) -> bool {
        let asked = match result.as_ref().map(AsRef::as_ref) {
            Ok(answer) if self.may_pass(answer) => {
                // A gateway that gave up does not know what became of the request behind it.
                self.is_unclear = matches!(answer.status.as_u16(), 408 | 500 | 502 | 504);
                let asked = retry::asked(self.request, answer, SystemTime::now());
                let is_rate = answer.status == StatusCode::TOO_MANY_REQUESTS;
                self.wire.pace.refused(self.action, self.began, is_rate, asked);
                asked
            }
            Ok(_) => return false,
            Err(failure) => {
                self.is_unclear = failure.again == Again::Unclear;
                if failure.again == Again::Never {
                    return false;
                }
                None
            }
        };
        self.attempts.pause(asked).await
    }

    /// Whether the last try may have been obeyed although it failed.
    pub(super) fn is_unclear(&self) -> bool {
        self.is_unclear
    }

    /// Whether an answer may be another next time: a storage that the registry redirects to
    /// refuses a URL that has expired, and then the registry has a new one.
    fn may_pass(&self, answer: &Answer) -> bool {
        let is_stale = matches!(answer.status.as_u16(), 400 | 403)
            && !redirect::is_same_host(&self.request.url, &answer.url);
        is_stale || retry::is_worth_retrying(answer.status)
    }

    fn late(&self, problem: &str) -> Failure {
        let Request { purpose, method, url, .. } = self.request;
        let seconds = self.wire.timeout.as_secs_f64();
        let message = format!("{purpose}: {method} {}: {problem} {seconds} s", redacted(url));
        Failure::lasting(
            StoreError::new(Blame::Registry, message)
                .with_remedy("try again later, or with a larger --timeout"),
        )
    }
}
