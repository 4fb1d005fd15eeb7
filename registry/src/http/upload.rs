//! Uploads: sessions that a registry has opened.

use std::fmt;
use std::time::Duration;

use reqwest::header::{HeaderMap, LOCATION, RANGE};
use reqwest::{Method, Url};
use tokio::time::{Instant, timeout};

use super::location;
use super::refusal;
use super::registry::Registry;
use super::repository::RepositoryStore;
use super::request::{Answer, Request};
use super::scope::Scope;
use crate::manifest::Descriptor;
use crate::store::{Blame, StoreError};

/// How long an abandoned upload is worth being cancelled.
const CANCEL: Duration = Duration::from_secs(10);

/// An upload that a registry has opened and that is not complete.
///
/// Dropping it cancels it in the background, as well as that goes: registries keep what is
/// never finished for a week.
pub struct Upload {
    registry: Registry,
    scope: Scope,
    /// `write blob sha256:... of HOST/PATH`
    purpose: String,
    location: Url,
    /// The smallest chunk but the last that the registry takes, in bytes.
    pub(super) least_chunk: u64,
    is_open: bool,
}

/// How far an upload is.
pub(super) enum Progress {
    /// The registry has so many bytes.
    At(u64),
    /// It knows nothing of it: it is finished, or forgotten.
    Gone,
}

impl Upload {
    /// Opens one for `blob`.
    pub(super) async fn open(
        store: &RepositoryStore,
        blob: &Descriptor,
    ) -> Result<Self, StoreError> {
        let mut request = store.upload_request(blob);
        let algorithm = blob.digest.algorithm();
        if algorithm != "sha256" {
            request.url.query_pairs_mut().append_pair("digest-algorithm", algorithm);
        }
        let answer = store.send(&request).await?;
        match answer.status.as_u16() {
            202 => Self::of(store, &request, &answer),
            404 => {
                let message = refusal::error(&request, &answer).to_string();
                Err(StoreError::new(Blame::NotFound, message).with_remedy(
                    "create the repository or its project first: \
                     this registry does not do so on a push",
                ))
            }
            _ => Err(store.refusal(&request, &answer)),
        }
    }

    /// The one that `answer` to `request` has opened.
    pub(super) fn of(
        store: &RepositoryStore,
        request: &Request,
        answer: &Answer,
    ) -> Result<Self, StoreError> {
        let location = location_in(request, answer)?;
        Ok(Self {
            registry: store.registry().clone(),
            scope: store.scope().clone(),
            purpose: request.purpose.clone(),
            location,
            least_chunk: least_chunk(&answer.headers),
            is_open: true,
        })
    }

    pub(super) fn purpose(&self) -> &str {
        &self.purpose
    }

    pub(super) fn location(&self) -> &Url {
        &self.location
    }

    /// Goes on where `answer` to `request` says. One that does not say changes nothing.
    pub(super) fn follow(&mut self, request: &Request, answer: &Answer) -> Result<(), StoreError> {
        if answer.headers.contains_key(LOCATION) {
            self.location = location_in(request, answer)?;
        }
        Ok(())
    }

    /// Asks how far it is.
    pub(super) async fn progress(&mut self) -> Result<Progress, StoreError> {
        let request = Request::new(Method::GET, self.location.clone(), &self.purpose);
        let answer = self.registry.send(&request, &self.scope).await?;
        match answer.status.as_u16() {
            404 | 410 => Ok(Progress::Gone),
            200 | 202 | 204 if !answer.is_html() => {
                self.follow(&request, &answer)?;
                Ok(Progress::At(received(answer.header(RANGE))))
            }
            _ => Err(self.registry.refusal(&request, &self.scope, &answer)),
        }
    }

    /// Notes that nothing is left to cancel.
    pub(super) fn close(&mut self) {
        self.is_open = false;
    }

    /// Tells the registry to forget it, as well as that goes: a registry that refuses forgets it
    /// in its own time.
    pub async fn cancel(mut self) {
        self.abandon().await;
    }

    /// [`Upload::cancel`], leaving it closed.
    pub(super) async fn abandon(&mut self) {
        if std::mem::take(&mut self.is_open) {
            delete(&self.registry, &self.scope, &self.purpose, &self.location).await;
        }
    }
}

async fn delete(registry: &Registry, scope: &Scope, purpose: &str, location: &Url) {
    let request = Request::new(Method::DELETE, location.clone(), purpose);
    let attempt = registry.attempt(&request, scope, 1, Instant::now() + CANCEL);
    let answer = timeout(CANCEL, attempt).await;
    if !matches!(&answer, Ok(Ok(answer)) if answer.status.is_success()) {
        tracing::debug!(purpose, "an upload that was given up could not be cancelled");
    }
}

fn location_in(request: &Request, answer: &Answer) -> Result<Url, StoreError> {
    location::resolve(&answer.url, answer.header(LOCATION)).map_err(|error| {
        refusal::not_an_api(request, answer, "the upload cannot go on").with_source(error)
    })
}

pub(super) fn least_chunk(headers: &HeaderMap) -> u64 {
    let value = headers.get("oci-chunk-min-length").and_then(|value| value.to_str().ok());
    value.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// How many bytes `Range: 0-LAST` means. `0-0` is one byte to the letter, and what registries
/// say of none.
pub(super) fn received(range: Option<&str>) -> u64 {
    let last = range.and_then(|range| range.trim().rsplit_once('-')?.1.trim().parse().ok());
    match last {
        None | Some(0) => 0,
        Some(last) => u64::saturating_add(last, 1),
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.is_open {
            return;
        }
        // Outside of a runtime there is nothing to send it with, and nothing to be done.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (registry, scope) = (self.registry.clone(), self.scope.clone());
            let (purpose, location) = (self.purpose.clone(), self.location.clone());
            runtime.spawn(async move { delete(&registry, &scope, &purpose, &location).await });
        }
    }
}

impl fmt::Debug for Upload {
    /// Without its location, which may hold what is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("purpose", &self.purpose).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edge_33_a_range_is_inclusive_and_0_0_is_nothing() {
        for (range, bytes) in [
            (Some("0-0"), 0),
            (Some("0-9"), 10),
            (Some("bytes=0-9"), 10),
            (Some("junk"), 0),
            (Some("0--1"), 2),
            (None, 0),
        ] {
            assert_eq!(received(range), bytes, "{range:?}");
        }
    }
}
