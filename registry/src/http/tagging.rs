//! Tagging: several tags in one request, where the registry can: end-7b of the specification,
//! `PUT /v2/<name>/manifests/<digest>?tag=A&tag=B`.
//!
//! Nothing that a registry says beforehand tells whether it can. The first request to find out
//! is therefore one that was needed anyway: a `PUT` by the first tag, with the others in its
//! query. A registry that has never heard of that has written the first tag, and nothing was
//! lost; zot and olareg, which have, refuse it since there is no digest in its path, and take
//! the same by digest. So the one request that is lost, once for each registry, is lost where
//! all others are saved.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use reqwest::header::HeaderName;
use tokio::time::Instant;

use super::options::TagsAtOnce;
use super::refusal;
use super::repository::RepositoryStore;
use super::request::{Answer, Request};
use crate::manifest::Manifest;
use crate::reference::Selector;
use crate::store::StoreError;
use crate::tag::Tag;

/// In which the registry names each tag of the query that it has written.
const TAGS: HeaderName = HeaderName::from_static("oci-tag");

/// How long a registry is taken to know nothing of it: one that is updated is asked again.
const FORGET: Duration = Duration::from_secs(3600);

/// What is known about one registry.
#[derive(Debug)]
pub(super) struct Tagging(Mutex<Known>);

#[derive(Debug)]
struct Known {
    way: Way,
    /// The most tags that it takes at once, as far as is known.
    most: usize,
}

/// How several tags are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Not known yet: by the first tag, to find out.
    ByTag,
    /// By digest; whether that has ever worked.
    ByDigest { is_proven: bool },
    /// One by one, for some time or for good.
    Singly { until: Option<Instant> },
}

/// What became of one request.
enum Offered {
    /// These were written.
    Taken(BTreeSet<Tag>),
    /// They were too many at once.
    TooMany,
    /// None were written by the first of them, and they may be by digest.
    WantsDigest,
    /// None were written.
    Refused,
}

impl RepositoryStore {
    /// [`Store::put_tags`](crate::Store::put_tags).
    pub(super) async fn push_many(
        &self,
        tags: &[Tag],
        manifest: &Manifest,
    ) -> Result<BTreeSet<Tag>, StoreError> {
        tags.iter().for_each(|tag| self.forget_looked(&Selector::Tag(tag.clone())));
        let tagging = self.registry().tagging();
        let mut written = BTreeSet::new();
        let mut rest = tags;
        loop {
            let (way, most) = tagging.next();
            let (now, later) = rest.split_at(rest.len().min(most));
            // One alone is written as any other.
            if now.len() < 2 {
                return Ok(written);
            }
            let offered = match way {
                Way::Singly { .. } => return Ok(written),
                Way::ByTag => self.offer_by_tag(now, manifest).await?,
                Way::ByDigest { is_proven } => {
                    self.offer_by_digest(now, manifest, is_proven).await?
                }
            };
            match offered {
                Offered::Taken(taken) => {
                    written.extend(taken);
                    rest = later;
                }
                Offered::TooMany => tagging.note_most(now.len() / 2),
                Offered::WantsDigest => tagging.note(Way::ByDigest { is_proven: false }),
                Offered::Refused => return Ok(written),
            }
        }
    }

    async fn offer_by_tag(&self, tags: &[Tag], manifest: &Manifest) -> Result<Offered, StoreError> {
        let (first, others) = tags.split_first().expect("at least two tags");
        let selector = Selector::Tag(first.clone());
        let request = with_tags(self.push_request(&selector, manifest)?, others);
        let written = BTreeSet::from([first.clone()]);
        let settled = self.put_until_settled(&request, &selector, manifest.digest()).await?;
        let Some(answer) = settled else { return Ok(Offered::Taken(written)) };
        let tagging = self.registry().tagging();
        if answer.status.is_success() {
            let taken = self.read_taken(&request, &answer, tags, manifest).await?;
            match taken.is_subset(&written) {
                true => tagging.note_unsupported(),
                false => tagging.note(Way::ByDigest { is_proven: true }),
            }
            return Ok(Offered::Taken(&taken | &written));
        }
        match answer.status.as_u16() {
            400 if speaks_of_digests(&answer) => Ok(Offered::WantsDigest),
            400 | 404 | 405 => {
                tagging.note_unsupported();
                Ok(Offered::Refused)
            }
            _ => self.read_refusal(&request, &answer),
        }
    }

    async fn offer_by_digest(
        &self,
        tags: &[Tag],
        manifest: &Manifest,
        is_proven: bool,
    ) -> Result<Offered, StoreError> {
        let selector = Selector::Digest(manifest.digest().clone());
        let request = with_tags(self.push_request(&selector, manifest)?, tags);
        let answer = self.send(&request).await?;
        let tagging = self.registry().tagging();
        if answer.status.is_success() {
            let taken = self.read_taken(&request, &answer, tags, manifest).await?;
            if taken.is_empty() {
                tagging.note_unsupported();
                return Ok(Offered::Refused);
            }
            tagging.note(Way::ByDigest { is_proven: true });
            return Ok(Offered::Taken(taken));
        }
        match answer.status.as_u16() {
            // Where it has worked before, this is about these tags.
            400 | 404 | 405 if !is_proven => {
                tagging.note_unsupported();
                Ok(Offered::Refused)
            }
            _ => self.read_refusal(&request, &answer),
        }
    }

    /// Which of `tags` a success is one for, besides the one in the path.
    async fn read_taken(
        &self,
        request: &Request,
        answer: &Answer,
        tags: &[Tag],
        manifest: &Manifest,
    ) -> Result<BTreeSet<Tag>, StoreError> {
        if answer.is_html() {
            let problem = refusal::html_problem(answer);
            return Err(refusal::not_an_api(request, answer, &problem));
        }
        let first = Selector::Tag(tags[0].clone());
        self.check_stored(request, answer, &first, manifest).await?;
        let mut taken = named(answer);
        // Only what was asked for is believed.
        taken.retain(|tag| tags.contains(tag));
        Ok(taken)
    }

    fn read_refusal(&self, request: &Request, answer: &Answer) -> Result<Offered, StoreError> {
        match answer.status.as_u16() {
            414 | 431 => Ok(Offered::TooMany),
            408 | 500.. => Err(self.refusal(request, answer)),
            _ => Ok(Offered::Refused),
        }
    }
}

impl Tagging {
    pub(super) fn new(at_once: TagsAtOnce) -> Self {
        let way = match at_once {
            TagsAtOnce::Learn => Way::ByTag,
            TagsAtOnce::Always => Way::ByDigest { is_proven: false },
            TagsAtOnce::Never => Way::Singly { until: None },
        };
        Self(Mutex::new(Known { way, most: usize::MAX }))
    }

    /// Takes note of the answer to an ordinary `PUT` by tag: olareg names the tag in it.
    pub(super) fn learn(&self, answer: &Answer) {
        let mut known = self.0.lock().expect("no holder of this lock panics");
        if known.way == Way::ByTag && !named(answer).is_empty() {
            known.way = Way::ByDigest { is_proven: false };
        }
    }

    /// How the next tags are to be written, and how many at most.
    fn next(&self) -> (Way, usize) {
        let mut known = self.0.lock().expect("no holder of this lock panics");
        if matches!(known.way, Way::Singly { until: Some(until) } if until <= Instant::now()) {
            known.way = Way::ByTag;
        }
        (known.way, known.most)
    }

    fn note(&self, way: Way) {
        self.0.lock().expect("no holder of this lock panics").way = way;
    }

    fn note_unsupported(&self) {
        self.note(Way::Singly { until: Some(Instant::now() + FORGET) });
    }

    fn note_most(&self, most: usize) {
        self.0.lock().expect("no holder of this lock panics").most = most;
    }
}

/// Tags need no escaping in a query.
fn with_tags(mut request: Request, tags: &[Tag]) -> Request {
    let pairs: Vec<String> = tags.iter().map(|tag| format!("tag={tag}")).collect();
    request.url.set_query(Some(&pairs.join("&")));
    request
}

/// The tags in `OCI-Tag`, repeated or separated by commas.
fn named(answer: &Answer) -> BTreeSet<Tag> {
    let lines = answer.header_lines(TAGS).flat_map(|line| line.split(','));
    lines.filter_map(|tag| tag.trim().parse().ok()).collect()
}

/// Whether a refusal may be because the path has a tag in it, and not a digest. All who refuse
/// for that reason have to say the word.
fn speaks_of_digests(answer: &Answer) -> bool {
    String::from_utf8_lossy(&answer.body).to_ascii_lowercase().contains("digest")
}
