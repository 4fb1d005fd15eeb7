//! Repositories of a registry, as stores.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Mutex;

use async_trait::async_trait;
use reqwest::header::{ACCEPT, CONTENT_LENGTH, HeaderValue};
use reqwest::{Method, StatusCode};

use super::refusal;
use super::registry::Registry;
use super::request::{Answer, Request};
use super::scope::Scope;
use super::upload::Upload;
use crate::digest::Digest;
use crate::manifest::{Descriptor, Manifest, ManifestError, MediaType};
use crate::reference::Selector;
use crate::store::{Blame, Store, StoreError};
use crate::tag::Tag;

/// The header in which a registry says what digest a manifest has.
const CONTENT_DIGEST: &str = "docker-content-digest";

/// How many bytes of manifests a repository remembers, at most.
const MEMORY: usize = 64 << 20;

/// One repository of a [`Registry`].
///
/// It remembers the manifests that it has read or written: one that is asked for again by digest costs no
/// request, since the bytes of a digest never change.
pub struct RepositoryStore {
    registry: Registry,
    path: String,
    scope: Scope,
    read: Mutex<HashMap<Digest, Manifest>>,
    /// What HEAD said last of each: whether it is there.
    looked: Mutex<HashMap<Selector, bool>>,
    /// Uploads that the registry opened instead of mounting a blob, until the blob is sent or
    /// is found not to need it.
    opened: Mutex<HashMap<Digest, Upload>>,
}

impl RepositoryStore {
    pub(super) fn new(registry: Registry, path: &str, scope: Scope) -> Self {
        Self {
            registry,
            path: path.to_owned(),
            scope,
            read: Mutex::default(),
            looked: Mutex::default(),
            opened: Mutex::default(),
        }
    }

    /// Keeps an upload for when its blob is sent.
    pub(super) fn keep_opened(&self, blob: &Digest, upload: Upload) {
        self.opened.lock().expect("no holder of this lock panics").insert(blob.clone(), upload);
    }

    /// The upload that was kept for `blob`.
    pub(super) fn take_opened(&self, blob: &Digest) -> Option<Upload> {
        self.opened.lock().expect("no holder of this lock panics").remove(blob)
    }

    /// The registry that it is a repository of.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The path within the registry, `library/nginx`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The repository at `path`, to be read with this one's token; `None` when it is not among
    /// the sources that this one was opened with.
    #[must_use]
    pub fn source(&self, path: &str) -> Option<Self> {
        let is_covered = self.scope.covers(path);
        is_covered.then(|| Self::new(self.registry.clone(), path, self.scope.clone()))
    }

    pub(super) fn scope(&self) -> &Scope {
        &self.scope
    }

    /// A request for `PATH/TAIL`, to `purpose` of this repository.
    pub(super) fn request(&self, method: Method, tail: &[&str], purpose: &str) -> Request {
        Request::new(method, self.registry.url(&self.path, tail), purpose)
    }

    pub(super) fn manifest_request(
        &self,
        method: Method,
        selector: &Selector,
        purpose: &str,
    ) -> Request {
        let (what, separator) = match selector {
            Selector::Tag(tag) => (tag.as_str(), ':'),
            Selector::Digest(digest) => (digest.as_str(), '@'),
        };
        let purpose = format!("{purpose} {self}{separator}{what}");
        self.request(method, &["manifests", what], &purpose)
    }

    /// A request for `blob`, to `purpose` it.
    pub(super) fn blob_request(&self, method: Method, blob: &Descriptor, purpose: &str) -> Request {
        let purpose = format!("{purpose} blob {} of {self}", blob.digest);
        self.request(method, &["blobs", blob.digest.as_str()], &purpose)
    }

    pub(super) async fn send(&self, request: &Request) -> Result<Answer, StoreError> {
        self.registry.send(request, &self.scope).await
    }

    pub(super) fn refusal(&self, request: &Request, answer: &Answer) -> StoreError {
        self.registry.refusal(request, &self.scope, answer)
    }

    /// A request to look at `selector`, without its bytes.
    pub(super) fn head_request(&self, selector: &Selector) -> Request {
        self.manifest_request(Method::HEAD, selector, "look up").with_header(ACCEPT, accept())
    }

    pub(super) async fn get_anew(
        &self,
        selector: &Selector,
    ) -> Result<Option<Manifest>, StoreError> {
        let request = self
            .manifest_request(Method::GET, selector, "read")
            .with_header(ACCEPT, accept())
            .with_limit(self.registry.max_manifest_bytes());
        if self.registry.quota_is_spent() {
            return Err(quota_is_spent(&request));
        }
        let answer = self.send(&request).await?;
        match answer.status {
            StatusCode::NOT_FOUND if answer.is_html() => {
                let problem = refusal::html_problem(&answer);
                return Err(refusal::not_an_api(&request, &answer, &problem));
            }
            StatusCode::NOT_FOUND if !refusal::is_denial(&request, &answer) => {
                self.compare_looked(selector, false);
                return Ok(None);
            }
            StatusCode::OK => {}
            _ => return Err(self.refusal(&request, &answer)),
        }
        if answer.is_html() {
            let problem = refusal::html_problem(&answer);
            return Err(refusal::not_an_api(&request, &answer, &problem));
        }
        let manifest = verified(&answer, selector)
            .map_err(|error| StoreError::manifest(request.purpose, error))?;
        self.remember(&manifest);
        self.compare_looked(selector, true);
        Ok(Some(manifest))
    }

    fn note_looked(&self, selector: &Selector, is_there: bool) {
        let mut looked = self.looked.lock().expect("no holder of this lock panics");
        looked.insert(selector.clone(), is_there);
    }

    /// What HEAD said of `selector` counts no longer: it is about to be written or removed.
    pub(super) fn forget_looked(&self, selector: &Selector) {
        self.looked.lock().expect("no holder of this lock panics").remove(selector);
    }

    /// GET decides: where HEAD said otherwise, it is not asked again at this registry.
    fn compare_looked(&self, selector: &Selector, is_there: bool) {
        let mut looked = self.looked.lock().expect("no holder of this lock panics");
        if looked.remove(selector).is_some_and(|said| said != is_there) {
            self.registry.note_no_head();
        }
    }

    /// The manifest at `selector` as a mirror has it, if there is a mirror that has it. Where a
    /// tag points says the registry itself.
    async fn get_mirrored(&self, selector: &Selector) -> Result<Option<Manifest>, StoreError> {
        let Some(mirror) = self.registry.mirror() else { return Ok(None) };
        let Some(store) = mirror.repository(&self.path) else { return Ok(None) };
        let digest = match selector {
            Selector::Digest(digest) => digest.clone(),
            Selector::Tag(_) => match self.head(selector).await? {
                Some(descriptor) => descriptor.digest,
                None => return Ok(None),
            },
        };
        let selector = Selector::Digest(digest);
        if let Some(manifest) = self.remembered(&selector) {
            return Ok(Some(manifest));
        }
        let found = store.get_anew(&selector).await;
        let found = found.unwrap_or_else(|error| {
            mirror.failed(&error);
            None
        });
        if let Some(manifest) = &found {
            self.remember(manifest);
        }
        Ok(found)
    }

    fn remembered(&self, selector: &Selector) -> Option<Manifest> {
        let Selector::Digest(digest) = selector else { return None };
        self.read.lock().expect("no holder of this lock panics").get(digest).cloned()
    }

    pub(super) fn remember(&self, manifest: &Manifest) {
        let mut read = self.read.lock().expect("no holder of this lock panics");
        let held: usize = read.values().map(|manifest| manifest.bytes().len()).sum();
        if held + manifest.bytes().len() > MEMORY {
            read.clear();
        }
        read.insert(manifest.digest().clone(), manifest.clone());
    }
}

#[async_trait]
impl Store for RepositoryStore {
    async fn tags(&self) -> Result<BTreeSet<Tag>, StoreError> {
        self.list_tags().await
    }

    async fn head(&self, selector: &Selector) -> Result<Option<Descriptor>, StoreError> {
        let by_get = async || {
            let found = self.get_anew(selector).await?;
            Ok(found.map(|manifest| manifest.descriptor().clone()))
        };
        if !self.registry.has_head() {
            return by_get().await;
        }
        let request = self.head_request(selector);
        let answer = self.send(&request).await?;
        match answer.status {
            StatusCode::OK => match descriptor(&answer, selector) {
                Some(descriptor) => {
                    self.note_looked(selector, true);
                    Ok(Some(descriptor))
                }
                None => by_get().await,
            },
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
                self.registry.note_no_head();
                by_get().await
            }
            // A page from something in the way, perhaps: GET has a body to tell by.
            StatusCode::NOT_FOUND if answer.is_html() => by_get().await,
            StatusCode::NOT_FOUND => {
                self.note_looked(selector, false);
                Ok(None)
            }
            _ => Err(self.refusal(&request, &answer)),
        }
    }

    async fn get(&self, selector: &Selector) -> Result<Option<Manifest>, StoreError> {
        if let Some(manifest) = self.remembered(selector) {
            return Ok(Some(manifest));
        }
        match self.get_mirrored(selector).await? {
            Some(manifest) => Ok(Some(manifest)),
            None => self.get_anew(selector).await,
        }
    }

    async fn put(&self, tag: &Tag, manifest: &Manifest) -> Result<(), StoreError> {
        self.push(&Selector::Tag(tag.clone()), manifest).await
    }

    async fn put_tags(
        &self,
        tags: &[Tag],
        manifest: &Manifest,
    ) -> Result<BTreeSet<Tag>, StoreError> {
        self.push_many(tags, manifest).await
    }

    async fn untag(&self, tag: &Tag) -> Result<(), StoreError> {
        let selector = Selector::Tag(tag.clone());
        self.forget_looked(&selector);
        let request = self.manifest_request(Method::DELETE, &selector, "remove tag");
        let answer = self.send(&request).await?;
        match answer.status.as_u16() {
            200 | 202 | 204 => Ok(()),
            404 if !answer.is_html() => Ok(()),
            405 | 501 => Err(untag_is_unsupported(&request, &answer)),
            400 => {
                let code = refusal::read(&request, &answer).code;
                // The latter from registries that remove manifests by digest, and only those.
                let is_unsupported = matches!(code.as_str(), "UNSUPPORTED" | "DIGEST_INVALID");
                match is_unsupported {
                    true => Err(untag_is_unsupported(&request, &answer)),
                    false => Err(self.refusal(&request, &answer)),
                }
            }
            _ => Err(self.refusal(&request, &answer)),
        }
    }
}

/// All media types, indexes first.
fn accept() -> HeaderValue {
    HeaderValue::from_str(&MediaType::ACCEPT.join(", ")).expect("media types are header text")
}

/// What the registry says of the digest, if that is a digest.
pub(super) fn content_digest(answer: &Answer) -> Option<Digest> {
    answer.header(CONTENT_DIGEST)?.trim().parse().ok()
}

/// What the answer to a HEAD describes; `None` when only the manifest itself can tell.
fn descriptor(answer: &Answer, selector: &Selector) -> Option<Descriptor> {
    let digest = content_digest(answer)?;
    if matches!(selector, Selector::Digest(asked) if *asked != digest) {
        return None;
    }
    let media_type = MediaType::new(answer.content_type());
    if media_type.is_generic() || media_type.is_schema1() || answer.is_html() {
        return None;
    }
    let size = answer.header(CONTENT_LENGTH)?.trim().parse().ok().filter(|size| *size > 0)?;
    Some(Descriptor { media_type, digest, size })
}

/// The manifest in an answer, if it is the one asked for and the one that the header promises.
fn verified(answer: &Answer, selector: &Selector) -> Result<Manifest, ManifestError> {
    let promised = content_digest(answer);
    let media_type = MediaType::new(answer.content_type());
    if media_type.is_schema1() {
        // Its digest leaves out the signatures within, and would only seem to be wrong.
        let digest = promised.unwrap_or_else(|| Digest::sha256(&answer.body));
        return Err(ManifestError::Schema1 { digest, media_type });
    }
    if let Some(digest) = &promised {
        digest.verify(&answer.body)?;
    }
    let expected = match selector {
        Selector::Digest(asked) => Some(asked),
        Selector::Tag(_) => promised.as_ref(),
    };
    Manifest::received(answer.body.clone(), answer.content_type(), expected)
}

fn quota_is_spent(request: &Request) -> StoreError {
    let message = format!("{}: the registry's limit on pulls is used up", request.purpose);
    StoreError::new(Blame::Registry, message)
        .with_remedy("wait for the limit to be reset, or log in for a higher one")
}

fn untag_is_unsupported(request: &Request, answer: &Answer) -> StoreError {
    let message = refusal::error(request, answer).to_string();
    StoreError::new(Blame::Unsupported, message).with_remedy(
        "this registry cannot remove a tag alone; move the tag to another image, \
         or remove it in the registry's own interface",
    )
}

impl fmt::Display for RepositoryStore {
    /// `HOST/PATH`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry.host(), self.path)
    }
}

impl fmt::Debug for RepositoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RepositoryStore")
            .field("registry", &self.registry)
            .field("scope", &self.scope.text())
            .finish_non_exhaustive()
    }
}
