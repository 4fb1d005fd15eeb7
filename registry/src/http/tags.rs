//! Tag lists: all of their pages, or an error.

use std::collections::{BTreeSet, HashSet};

use reqwest::header::LINK;
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;
use tracing::debug;

use super::link;
use super::refusal;
use super::repository::RepositoryStore;
use super::request::{Answer, Request};
use crate::store::{Blame, StoreError};
use crate::tag::Tag;

/// How many tags a page is asked to have: the most that nearly every known registry accepts.
const PAGE: usize = 1000;

/// How many where that is refused: what the specification wants every registry to support.
const SMALL_PAGE: usize = 100;

/// The largest page to read, in bytes.
const PAGE_BYTES: u64 = 32 << 20;

/// A list with more pages than this never ends.
const PAGES: usize = 10_000;

/// One page, as the specification has it.
#[derive(Deserialize)]
struct Page {
    name: Option<String>,
    /// Some registries send `null` for none, some leave it out.
    tags: Option<Vec<String>>,
}

impl RepositoryStore {
    /// All tags.
    ///
    /// Pages are followed by their `Link`. Where there is none after a full page, either the
    /// list happens to end there, or the registry pages without saying so: asking for what
    /// comes after the last tag tells.
    ///
    /// Where so many are refused at once, as by Quay (google/go-containerregistry#1963), fewer
    /// are asked for, and that is remembered.
    pub(super) async fn list_tags(&self) -> Result<BTreeSet<Tag>, StoreError> {
        loop {
            let size = if self.registry().wants_small_pages() { SMALL_PAGE } else { PAGE };
            match self.list_pages(size).await? {
                Some(tags) => return Ok(tags),
                None => self.registry().note_small_pages(),
            }
        }
    }

    /// All tags, in pages of `size`; `None` when that is too many at once.
    async fn list_pages(&self, size: usize) -> Result<Option<BTreeSet<Tag>>, StoreError> {
        let purpose = format!("list tags of {self}");
        let mut request = self.request(Method::GET, &["tags", "list"], &purpose);
        request = request.with_limit(PAGE_BYTES);
        request.url.query_pairs_mut().append_pair("n", &size.to_string());
        let first = request.url.clone();
        let mut seen = HashSet::from([first.clone()]);
        let mut names = BTreeSet::new();
        loop {
            let answer = self.send(&request).await?;
            if size > SMALL_PAGE && request.url == first && is_too_many(&request, &answer) {
                return Ok(None);
            }
            let Some(page) = self.read_page(&request, &answer, &first)? else { break };
            let known = names.len();
            let (count, last) = (page.len(), page.last().cloned());
            names.extend(page);
            let is_guess = is_guess(&request.url, &first);
            request.url = match link::next(answer.header_lines(LINK)) {
                Some(target) => link::resolve(&answer.url, &target)
                    .map_err(|error| broken(&request, &answer).with_source(error))?,
                // A guess that brings nothing new was the end.
                None if is_guess && names.len() == known => break,
                None if count >= size => after(&first, last.as_deref().unwrap_or_default()),
                None => break,
            };
            if !seen.insert(request.url.clone()) {
                let message = format!("{purpose}: its pages lead back to one already read");
                return Err(StoreError::new(Blame::Registry, message));
            }
            if seen.len() > PAGES {
                let message = format!("{purpose}: it has more than {PAGES} pages");
                return Err(StoreError::new(Blame::Registry, message));
            }
        }
        Ok(Some(self.legal(&names)))
    }

    /// The names on one page; `None` when there is no such repository.
    fn read_page(
        &self,
        request: &Request,
        answer: &Answer,
        first: &Url,
    ) -> Result<Option<Vec<String>>, StoreError> {
        if answer.status == StatusCode::NOT_FOUND && request.url == *first {
            return self.read_absence(request, answer).map(|()| None);
        }
        if answer.status != StatusCode::OK {
            return Err(self.refusal(request, answer));
        }
        if answer.is_html() {
            let problem = refusal::html_problem(answer);
            return Err(refusal::not_an_api(request, answer, &problem));
        }
        match names(&answer.body) {
            Ok(None) => Err(refusal::not_an_api(request, answer, "the answer is no tag list")),
            Ok(names) => Ok(names),
            Err(error) => {
                let problem = "the answer is no complete tag list";
                Err(refusal::not_an_api(request, answer, problem).with_source(error))
            }
        }
    }

    /// Whether a 404 is the registry's word that there is no such repository.
    fn read_absence(&self, request: &Request, answer: &Answer) -> Result<(), StoreError> {
        if refusal::is_denial(request, answer) {
            return Err(self.refusal(request, answer));
        }
        let refusal = refusal::read(request, answer);
        if refusal.is_standard && !answer.is_html() {
            return Ok(());
        }
        let problem = match answer.is_html() {
            true => refusal.text,
            false => "the answer is not in a registry's form".to_owned(),
        };
        Err(refusal::not_an_api(request, answer, &problem))
    }

    /// Names by which nothing can be asked for are left out.
    fn legal(&self, names: &BTreeSet<String>) -> BTreeSet<Tag> {
        let legal = |name: &String| {
            let tag = name.parse();
            if let Err(error) = &tag {
                debug!(repository = %self, %error, "the registry lists what is no tag");
            }
            tag.ok()
        };
        names.iter().filter_map(legal).collect()
    }
}

/// The names on a page; `None` when it is something else.
pub(super) fn names(body: &[u8]) -> Result<Option<Vec<String>>, serde_json::Error> {
    Ok(match serde_json::from_slice(body)? {
        Page { name: None, tags: None } => None,
        page => Some(page.tags.unwrap_or_default()),
    })
}

/// The page that follows `last`, for registries that send no link.
pub(super) fn after(first: &Url, last: &str) -> Url {
    let mut url = first.clone();
    url.query_pairs_mut().append_pair("last", last);
    url
}

/// Whether a refusal is about how many tags were asked for.
fn is_too_many(request: &Request, answer: &Answer) -> bool {
    answer.status == StatusCode::PAYLOAD_TOO_LARGE
        || refusal::read(request, answer).code == "PAGINATION_NUMBER_INVALID"
}

/// Whether `url` is one that [`after`] made.
pub(super) fn is_guess(url: &Url, first: &Url) -> bool {
    url.query().zip(first.query()).is_some_and(|(query, first)| {
        query.strip_prefix(first).is_some_and(|rest| rest.starts_with("&last="))
    })
}

fn broken(request: &Request, answer: &Answer) -> StoreError {
    refusal::not_an_api(request, answer, "the list cannot be followed to its end")
}
