//! Registries: one client per host, shared by all its repositories.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::Url;
use tokio::sync::{Mutex as AsyncMutex, MutexGuard};
use tokio::time::Instant;

use super::action::Action;
use super::auth::{Auth, Pass};
use super::mirror::Mirror;
use super::opened::Opened;
use super::options::RegistryOptions;
use super::pace::Pace;
use super::payload::Payload;
use super::quota::Quota;
use super::redirect;
use super::refusal;
use super::repository::RepositoryStore;
use super::request::{Answer, Failure, Request};
use super::retry::Policy;
use super::scope::{Access, Scope};
use super::tagging::Tagging;
use super::transport::Transport;
use super::wire::Wire;
use crate::certificates::Certificates;
use crate::host::Host;
use crate::store::{Blame, StoreError};

/// A registry that is spoken to over HTTP. Clones share connections, challenge and tokens.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
    mirror: Option<Arc<Mirror>>,
}

struct Inner {
    host: Host,
    base: Url,
    max_manifest_bytes: u64,
    wire: Wire,
    auth: Auth,
    quota: Quota,
    /// HEAD was answered by 405, or otherwise than GET, which does its work from then on.
    has_no_head: AtomicBool,
    /// A blob was too large to be sent at once: the next ones go in chunks from the start.
    wants_chunks: AtomicBool,
    /// Pages of the usual size were refused.
    wants_small_pages: AtomicBool,
    /// There is no referrers API.
    has_no_referrers: AtomicBool,
    tagging: Tagging,
    /// Held while an index of referrers is changed: in this process nobody overwrites another.
    referrers: AsyncMutex<()>,
}

impl Registry {
    /// A client for the registry at `host`. It connects when the first request needs it.
    ///
    /// # Errors
    /// When TLS cannot be set up: no authority to trust, or a certificate that is unusable.
    pub fn new(host: Host, options: &RegistryOptions) -> Result<Self, StoreError> {
        Self::with_policy(host, options, Policy::new(options.retries))
    }

    pub(super) fn with_policy(
        host: Host,
        options: &RegistryOptions,
        policy: Policy,
    ) -> Result<Self, StoreError> {
        let base = base(&host, options)?;
        let wire = Wire {
            transport: Transport::new(&base, options)?,
            policy,
            timeout: options.timeout,
            pace: Pace::default(),
        };
        let auth = Auth::new(host.clone(), options.plain_http, Arc::clone(&options.credentials));
        let max_manifest_bytes = options.max_manifest_bytes;
        let (quota, has_no_head, wants_chunks, wants_small_pages, has_no_referrers) =
            Default::default();
        Ok(Self {
            inner: Arc::new(Inner {
                host,
                base,
                max_manifest_bytes,
                wire,
                auth,
                quota,
                has_no_head,
                wants_chunks,
                wants_small_pages,
                has_no_referrers,
                tagging: Tagging::new(options.tags_at_once),
                referrers: AsyncMutex::new(()),
            }),
            mirror: None,
        })
    }

    /// The same registry, of whose content `mirror` is asked first, at `prefix/PATH` for what
    /// is at `PATH` here.
    ///
    /// That goes for what a digest names: manifests by digest, and blobs. What decides anything,
    /// such as where a tag points, is asked of the registry itself, since a mirror may be behind;
    /// and so is what the mirror does not give, for whatever reason. `mirror` is shown its own
    /// credentials and never this registry's. Without retries it is given up the sooner.
    #[must_use]
    pub fn with_mirror(mut self, mirror: Self, prefix: &str) -> Self {
        self.mirror = Some(Arc::new(Mirror::new(mirror, prefix)));
        self
    }

    pub(super) fn mirror(&self) -> Option<&Mirror> {
        self.mirror.as_deref()
    }

    /// The repository at `path` of this registry: a legal one, such as
    /// [`Repository::path`](crate::Repository::path) gives.
    ///
    /// `access` is what will be asked of it. A store for [`Access::Pull`] can be asked to
    /// write, too, where the registry wants no more than a password or nothing.
    #[must_use]
    pub fn repository(&self, path: &str, access: Access) -> RepositoryStore {
        RepositoryStore::new(self.clone(), path, Scope::new(path, access))
    }

    /// [`Registry::repository`], to which blobs are also to be mounted from the repositories at
    /// the paths `sources`.
    ///
    /// The rights on all of them are asked for at once, so that one token does for the copy:
    /// [`RepositoryStore::source`] gives the sources as stores that share it. That takes one
    /// user who may read them all; where credentials differ by path, open them apart.
    #[must_use]
    pub fn repository_with_sources(
        &self,
        path: &str,
        access: Access,
        sources: &[&str],
    ) -> RepositoryStore {
        let scope = Scope::new(path, access).with_sources(sources);
        RepositoryStore::new(self.clone(), path, scope)
    }

    /// The host, as it stands in references.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.inner.host
    }

    /// `BASE/v2/PATH/TAIL`.
    pub(super) fn url(&self, path: &str, tail: &[&str]) -> Url {
        let mut url = self.inner.base.clone();
        url.path_segments_mut()
            .expect("http URLs have a path")
            .push("v2")
            .extend(path.split('/'))
            .extend(tail);
        url
    }

    pub(super) fn wire(&self) -> &Wire {
        &self.inner.wire
    }

    pub(super) fn max_manifest_bytes(&self) -> u64 {
        self.inner.max_manifest_bytes
    }

    /// Whether the registry has said that it lets us read no more manifests for now.
    pub(super) fn quota_is_spent(&self) -> bool {
        self.inner.quota.is_spent()
    }

    /// Whether HEAD is of use here, as far as is known.
    pub(super) fn has_head(&self) -> bool {
        !self.inner.has_no_head.load(Ordering::Relaxed)
    }

    pub(super) fn note_no_head(&self) {
        self.inner.has_no_head.store(true, Ordering::Relaxed);
    }

    /// Whether the referrers API is of use here, as far as is known.
    pub(super) fn has_referrers(&self) -> bool {
        !self.inner.has_no_referrers.load(Ordering::Relaxed)
    }

    pub(super) fn note_no_referrers(&self) {
        self.inner.has_no_referrers.store(true, Ordering::Relaxed);
    }

    /// The turn to change an index of referrers.
    pub(super) async fn referrers_turn(&self) -> MutexGuard<'_, ()> {
        self.inner.referrers.lock().await
    }

    pub(super) fn tagging(&self) -> &Tagging {
        &self.inner.tagging
    }

    /// Whether blobs are to be sent in chunks, as far as is known.
    pub(super) fn wants_chunks(&self) -> bool {
        self.inner.wants_chunks.load(Ordering::Relaxed)
    }

    pub(super) fn note_chunks(&self) {
        self.inner.wants_chunks.store(true, Ordering::Relaxed);
    }

    /// Whether few tags are to be asked for at once, as far as is known.
    pub(super) fn wants_small_pages(&self) -> bool {
        self.inner.wants_small_pages.load(Ordering::Relaxed)
    }

    pub(super) fn note_small_pages(&self) {
        self.inner.wants_small_pages.store(true, Ordering::Relaxed);
    }

    /// Sends `request` with what the registry asks for, until it is answered for good.
    pub(super) async fn send(
        &self,
        request: &Request,
        scope: &Scope,
    ) -> Result<Answer, StoreError> {
        let deadline = self.wire().deadline();
        let mut tries = self.wire().tries(request, Action::of(request), deadline);
        loop {
            let attempt = tries.begin().await.map_err(|failure| failure.error)?;
            let result = tries.within(self.attempt(request, scope, attempt, deadline)).await;
            if !tries.is_worth_another(&result).await {
                return result.map_err(|failure| failure.error);
            }
        }
    }

    /// [`Registry::send`] up to the head of the answer: its body is left to the caller.
    pub(super) async fn send_for_head(
        &self,
        request: &Request,
        scope: &Scope,
    ) -> Result<Opened, StoreError> {
        let deadline = self.wire().deadline();
        let mut tries = self.wire().tries(request, Action::of(request), deadline);
        loop {
            let attempt = tries.begin().await.map_err(|failure| failure.error)?;
            let result = tries.within(self.open(request, scope, attempt, deadline)).await;
            if !tries.is_worth_another(&result).await {
                return result.map_err(|failure| failure.error);
            }
        }
    }

    /// One try: it goes out again only where a challenge asks for something new to be shown.
    pub(super) async fn attempt(
        &self,
        request: &Request,
        scope: &Scope,
        attempt: u32,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        self.open(request, scope, attempt, deadline).await?.read(request).await
    }

    async fn open(
        &self,
        request: &Request,
        scope: &Scope,
        attempt: u32,
        deadline: Instant,
    ) -> Result<Opened, Failure> {
        let Inner { auth, wire, .. } = &*self.inner;
        if !self.is_own(&request.url) {
            // Where an upload was sent to: what is shown here is nothing to show there.
            return wire.transport.open(request, None, attempt).await;
        }
        let mut pass = auth.pass(wire, request, scope, deadline).await?;
        let mut is_renewed = false;
        loop {
            let opened = wire.transport.open(request, pass.header(), attempt).await?;
            let head = &opened.head;
            // A challenge of another host, where a redirect led, is none of this registry's.
            let is_own = self.is_own(&head.url);
            if is_own {
                self.inner.quota.note(&head.headers);
            }
            if head.status != 401 || !is_own {
                auth.admitted(&pass, request, head.status);
                return Ok(opened);
            }
            let was_shown = pass.header().is_some();
            if (was_shown && is_renewed) || !auth.challenged(&pass, request, scope, head).await? {
                return Ok(opened);
            }
            is_renewed |= was_shown;
            // Whoever waits for a probe may go on: the challenge is known.
            let refused = pass.into_header();
            pass = auth.pass(wire, request, scope, deadline).await?;
            let is_same = pass.header() == refused.as_ref();
            match &pass {
                Pass::Nothing => return Ok(opened),
                Pass::Shown { is_renewable: false, .. } if is_same => return Ok(opened),
                _ => {}
            }
            // To its end, so that the connection can be used again.
            opened.read(request).await?;
        }
    }

    /// One try of a request whose body can be given only once. What a challenge asks for is
    /// shown in the next.
    pub(super) async fn upload(
        &self,
        request: &Request,
        payload: Payload,
        scope: &Scope,
        attempt: u32,
    ) -> Result<Answer, Failure> {
        let Inner { auth, wire, .. } = &*self.inner;
        if !self.is_own(&request.url) {
            return wire.transport.upload(request, payload, None, attempt).await;
        }
        let pass = auth.pass(wire, request, scope, wire.deadline()).await?;
        let answer = wire.transport.upload(request, payload, pass.header(), attempt).await?;
        if answer.status == 401 {
            auth.challenged(&pass, request, scope, &answer).await?;
        } else {
            auth.admitted(&pass, request, answer.status);
        }
        Ok(answer)
    }

    /// Whether what is shown to this registry may be shown at `url`.
    fn is_own(&self, url: &Url) -> bool {
        redirect::is_same_host(&self.inner.base, url)
    }

    /// The error for an answer that ends the matter.
    pub(super) fn refusal(&self, request: &Request, scope: &Scope, answer: &Answer) -> StoreError {
        let error = refusal::error(request, answer);
        match (error.blame(), error.remedy()) {
            (Blame::Denied, None) => error.with_remedy(self.inner.auth.remedy(scope)),
            _ => error,
        }
    }
}

/// Where the API of `host` answers.
fn base(host: &Host, options: &RegistryOptions) -> Result<Url, StoreError> {
    let tls_is_asked_for = options.insecure_skip_tls_verify
        || options.certificates != Certificates::default()
        || host.port() == Some(443);
    let is_plain = options.plain_http || (host.is_loopback() && !tls_is_asked_for);
    let scheme = if is_plain { "http" } else { "https" };
    let text = format!("{scheme}://{}/", host.endpoint());
    text.parse().map_err(|error| {
        // A host may look like an IPv4 address and be none: 300.1.1.1.
        let message = format!("make a URL of the registry's host {host}");
        StoreError::new(Blame::Local, message).with_source(error)
    })
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registry").field(&self.inner.base.as_str()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base_of(host: &str, options: &RegistryOptions) -> String {
        base(&host.parse().expect("a host"), options).expect("a URL").into()
    }

    #[test]
    fn edge_37_http_is_the_default_of_loopback_hosts_alone() {
        let default = RegistryOptions::default();
        for (host, expected) in [
            ("localhost:5000", "http://localhost:5000/"),
            ("127.0.0.1", "http://127.0.0.1/"),
            ("[::1]:5000", "http://[::1]:5000/"),
            ("localhost:443", "https://localhost/"),
            ("reg:5000", "https://reg:5000/"),
            ("10.0.0.1:80", "https://10.0.0.1:80/"),
            ("docker.io", "https://registry-1.docker.io/"),
            ("index.docker.io", "https://registry-1.docker.io/"),
        ] {
            assert_eq!(base_of(host, &default), expected);
        }
        let plain = RegistryOptions { plain_http: true, ..RegistryOptions::default() };
        assert_eq!(base_of("reg:5000", &plain), "http://reg:5000/");
        let asked =
            RegistryOptions { insecure_skip_tls_verify: true, ..RegistryOptions::default() };
        assert_eq!(base_of("localhost:5000", &asked), "https://localhost:5000/");
    }

    #[test]
    fn a_url_cannot_be_left_by_a_path() {
        let options = RegistryOptions::default();
        let registry = Registry::new("localhost:5000".parse().unwrap(), &options).unwrap();
        let url = registry.url("a/b?x#y/..", &["manifests", "sha256:0"]);
        assert_eq!(url.as_str(), "http://localhost:5000/v2/a/b%3Fx%23y/manifests/sha256:0");
    }
}
