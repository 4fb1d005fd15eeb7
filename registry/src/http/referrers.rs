//! The referrers API, and what takes its place where there is none.

use std::collections::HashSet;

use async_trait::async_trait;
use reqwest::Method;
use reqwest::header::{ACCEPT, HeaderValue, LINK};

use super::link;
use super::refusal;
use super::repository::RepositoryStore;
use crate::digest::Digest;
use crate::manifest::{Manifest, MediaType};
use crate::reference::Selector;
use crate::referrers::{Reference, Referrer, Referrers, fallback, read};
use crate::store::{Blame, StoreError};

/// The largest page to read, in bytes.
const PAGE_BYTES: u64 = 32 << 20;

/// A list with more pages than this never ends.
const PAGES: usize = 10_000;

impl RepositoryStore {
    /// What the API lists, all pages of it; `None` where there is no such API.
    async fn listed_referrers(
        &self,
        subject: &Digest,
    ) -> Result<Option<Vec<Referrer>>, StoreError> {
        if !self.registry().has_referrers() {
            return Ok(None);
        }
        let purpose = format!("list referrers of {self}@{subject}");
        let accept = HeaderValue::from_static(MediaType::OCI_INDEX);
        let mut request = self
            .request(Method::GET, &["referrers", subject.as_str()], &purpose)
            .with_header(ACCEPT, accept)
            .with_limit(PAGE_BYTES);
        let mut seen = HashSet::from([request.url.clone()]);
        let mut all = Vec::new();
        loop {
            let answer = self.send(&request).await?;
            let is_first = seen.len() == 1;
            let page = match answer.status.as_u16() {
                200 => read(&answer.body),
                404 | 405 | 501 if !refusal::is_denial(&request, &answer) => {
                    // In the registry's form it may be about this repository alone.
                    if !refusal::read(&request, &answer).is_standard {
                        self.registry().note_no_referrers();
                    }
                    None
                }
                _ => return Err(self.refusal(&request, &answer)),
            };
            let Some(page) = page else {
                if is_first {
                    return Ok(None);
                }
                let problem = "the answer is no index of referrers";
                return Err(refusal::not_an_api(&request, &answer, problem));
            };
            all.extend(page);
            let Some(target) = link::next(answer.header_lines(LINK)) else { return Ok(Some(all)) };
            request.url = link::resolve(&answer.url, &target).map_err(|error| {
                let problem = "the list cannot be followed to its end";
                refusal::not_an_api(&request, &answer, problem).with_source(error)
            })?;
            if !seen.insert(request.url.clone()) || seen.len() > PAGES {
                let message = format!("{purpose}: its pages do not come to an end");
                return Err(StoreError::new(Blame::Registry, message));
            }
        }
    }

    /// Whether the registry has taken note of a subject, when its answer to the write was lost.
    async fn has_listed(&self, subject: &Digest, referrer: &Digest) -> Result<bool, StoreError> {
        let listed = self.listed_referrers(subject).await?.unwrap_or_default();
        Ok(listed.iter().any(|own| own.descriptor.digest == *referrer))
    }
}

#[async_trait]
impl Referrers for RepositoryStore {
    async fn referrers(&self, subject: &Digest) -> Result<Vec<Referrer>, StoreError> {
        match self.listed_referrers(subject).await? {
            Some(all) => Ok(all),
            None => fallback::list(self, subject).await,
        }
    }

    async fn add_referrer(&self, manifest: &Manifest) -> Result<(), StoreError> {
        let reference = Reference::required(manifest)?;
        let selector = Selector::Digest(manifest.digest().clone());
        let is_noted = match self.push_for_answer(&selector, manifest).await? {
            Some(answer) => {
                answer.header("oci-subject").map(str::trim) == Some(reference.subject.as_str())
            }
            None => self.has_listed(&reference.subject, manifest.digest()).await?,
        };
        if is_noted {
            return Ok(());
        }
        let _turn = self.registry().referrers_turn().await;
        fallback::add(self, &reference).await
    }
}
