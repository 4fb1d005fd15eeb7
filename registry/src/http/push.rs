//! Pushes: a manifest under a tag, or under its digest alone.

use reqwest::Method;
use reqwest::header::HeaderValue;

use super::action::Action;
use super::refusal;
use super::repository::{RepositoryStore, content_digest};
use super::request::{Answer, Request};
use crate::apply::chain;
use crate::digest::Digest;
use crate::manifest::Manifest;
use crate::reference::Selector;
use crate::store::{Blame, Store as _, StoreError};

impl RepositoryStore {
    /// Puts the bytes of `manifest`, as they are, under `selector`.
    pub(super) async fn push(
        &self,
        selector: &Selector,
        manifest: &Manifest,
    ) -> Result<(), StoreError> {
        self.push_for_answer(selector, manifest).await.map(drop)
    }

    /// [`RepositoryStore::push`], and what the registry answered; `None` when the answer was
    /// lost, and a look shows that it was done.
    pub(super) async fn push_for_answer(
        &self,
        selector: &Selector,
        manifest: &Manifest,
    ) -> Result<Option<Answer>, StoreError> {
        let request = self.push_request(selector, manifest)?;
        let answer = self.put_until_settled(&request, selector, manifest.digest()).await?;
        if let Some(answer) = &answer {
            self.registry().tagging().learn(answer);
            self.settle(&request, answer, selector, manifest).await?;
        }
        self.remember(manifest);
        Ok(answer)
    }

    pub(super) fn push_request(
        &self,
        selector: &Selector,
        manifest: &Manifest,
    ) -> Result<Request, StoreError> {
        self.forget_looked(selector);
        let request = self.manifest_request(Method::PUT, selector, "write");
        let media_type =
            HeaderValue::from_str(manifest.media_type().as_str()).map_err(|error| {
                let message = format!("{}: its media type is not header text", request.purpose);
                StoreError::new(Blame::Local, message).with_source(error)
            })?;
        Ok(request.with_body(media_type, manifest.bytes().clone()))
    }

    /// The registry's last word; `None` when a try that seemed to fail turns out to have worked.
    pub(super) async fn put_until_settled(
        &self,
        request: &Request,
        selector: &Selector,
        digest: &Digest,
    ) -> Result<Option<Answer>, StoreError> {
        let (registry, wire) = (self.registry(), self.registry().wire());
        let deadline = wire.deadline();
        let mut tries = wire.tries(request, Action::of(request), deadline);
        loop {
            let number = tries.begin().await.map_err(|failure| failure.error)?;
            let attempt = registry.attempt(request, self.scope(), number, deadline);
            let result = tries.within(attempt).await;
            if !tries.is_worth_another(&result).await {
                return result.map(Some).map_err(|failure| failure.error);
            }
            if tries.is_unclear() {
                // One look, not tried again: if it fails as well, writing again is harmless.
                let look = self.head_request(selector);
                let look = registry.attempt(&look, self.scope(), number, deadline);
                let seen = tries.within(look).await.ok().filter(|seen| seen.status.is_success());
                if seen.as_ref().and_then(content_digest).as_ref() == Some(digest) {
                    return Ok(None);
                }
            }
        }
    }

    async fn settle(
        &self,
        request: &Request,
        answer: &Answer,
        selector: &Selector,
        manifest: &Manifest,
    ) -> Result<(), StoreError> {
        match answer.status.as_u16() {
            200 | 201 | 202 | 204 if answer.is_html() => {
                let problem = refusal::html_problem(answer);
                Err(refusal::not_an_api(request, answer, &problem))
            }
            200 | 201 | 202 | 204 => self.check_stored(request, answer, selector, manifest).await,
            400 | 403 | 409 | 412 => self.settle_refusal(request, answer, selector, manifest).await,
            404 => {
                let message = refusal::error(request, answer).to_string();
                // What the manifest lists is missing, not the repository.
                let is_incomplete = message.contains("BLOB_UNKNOWN");
                let remedy = if is_incomplete {
                    "push the image again, whole: the repository lacks a part of it"
                } else {
                    "create the repository or its project first: \
                     this registry does not do so on a push"
                };
                Err(StoreError::new(Blame::NotFound, message).with_remedy(remedy))
            }
            413 => {
                let message = refusal::error(request, answer).to_string();
                let size = manifest.bytes().len();
                Err(StoreError::new(Blame::Registry, message).with_remedy(format!(
                    "the manifest has {size} bytes, more than this registry takes; \
                     4 MiB is the usual limit"
                )))
            }
            _ => Err(self.refusal(request, answer)),
        }
    }

    /// Whether what the registry says it stored is what was sent. It may name the same bytes by
    /// another algorithm. Where it is not, `selector` is read back: the header may be what is
    /// wrong.
    pub(super) async fn check_stored(
        &self,
        request: &Request,
        answer: &Answer,
        selector: &Selector,
        manifest: &Manifest,
    ) -> Result<(), StoreError> {
        let sent = manifest.digest();
        let is_other = |stored: &Digest| stored != sent && stored.verify(manifest.bytes()).is_err();
        let Some(stored) = content_digest(answer).filter(is_other) else { return Ok(()) };
        let look = match self.get_anew(selector).await {
            Ok(Some(read)) if read.digest() == sent => "reading it back gives what was sent".into(),
            Ok(Some(read)) => format!("reading it back gives {}", read.digest()),
            Ok(None) => "there is nothing to read back".to_owned(),
            Err(error) => format!("it cannot be read back: {}", chain(&error)),
        };
        Err(StoreError::stored_differently(&request.purpose, sent, &stored, &look))
    }

    /// A refusal that may be about a tag that cannot be moved: harmless where it need not move.
    async fn settle_refusal(
        &self,
        request: &Request,
        answer: &Answer,
        selector: &Selector,
        manifest: &Manifest,
    ) -> Result<(), StoreError> {
        let refused = self.refusal(request, answer);
        // What cannot be looked at was refused for what the registry said.
        let Ok(current) = self.head(selector).await else { return Err(refused) };
        match current {
            Some(current) if current.digest == *manifest.digest() => Ok(()),
            Some(current) if speaks_of_immutability(request, answer) => {
                let message = format!("{refused}: the tag is immutable and at {}", current.digest);
                Err(StoreError::new(Blame::Conflict, message).with_remedy(format!(
                    "choose another tag than {selector}, or allow it to be moved in the registry's \
                     settings"
                )))
            }
            _ => Err(refused),
        }
    }
}

/// Whether a refusal to write a tag that exists is about its being there. Registries do not
/// agree on a status: ECR says 400, Docker Hub 403, Harbor 412, others 409.
fn speaks_of_immutability(request: &Request, answer: &Answer) -> bool {
    if matches!(answer.status.as_u16(), 409 | 412) {
        return true;
    }
    let text = refusal::read(request, answer).text.to_ascii_lowercase();
    let hints = ["immutab", "alreadyexists", "already exist", "overwrit", "cannot be updated"];
    hints.iter().any(|hint| text.contains(hint))
}
