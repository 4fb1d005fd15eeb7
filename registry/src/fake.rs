//! An in-memory registry to test against: it counts, records, and can be told to fail.
//!
//! It speaks HTTP on a port of the loopback interface, on a thread of its own: an asynchronous
//! test, a synchronous one and another process are all the same to it.
//!
//! ```
//! use plimsoll_registry::fake::{Answer, FakeOptions, FakeRegistry, Fault, FaultRule};
//!
//! let fake = FakeRegistry::start(FakeOptions { max_page: 2, ..FakeOptions::default() });
//! let digest = fake.seed_image("acme/web", "1.2.3", &["linux/amd64", "linux/arm64"]);
//! let busy = Answer::new(429).header("Retry-After", "1");
//! fake.fail(FaultRule::on("PUT", "/manifests/", Fault::Answer(busy)).times(2));
//!
//! // ... drive a client against fake.host() ...
//!
//! assert_eq!(fake.count(|request| request.method == "PUT"), 0);
//! assert!(fake.tags("acme/web").values().eq([&digest]));
//! ```

mod answer;
mod auth;
mod blobs;
mod call;
mod connection;
mod directory;
mod fault;
mod gate;
mod manifests;
mod options;
mod profile;
mod record;
mod referrers;
mod seed;
mod server;
mod tags;
#[cfg(test)]
mod testing;
mod uploads;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::io::{self, Read as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::digest::Digest;
use crate::store::{Blame, StoreError};
use crate::tag::Tag;

pub use answer::Answer;
use connection::OpenConnections;
use directory::Directory;
pub use fault::{Fault, FaultRule};
pub use gate::Gate;
pub use options::{
    BearerAuth, Chunks, FakeAuth, FakeOptions, TagWrites, TagsBesideTag, TokenField,
};
pub use profile::{Claim, Profile};
pub use record::{AuthorizationKind, RequestRecord};
use server::Shared;
pub use world::StoredManifest;
use world::World;

/// A registry on a port of its own, until it is dropped.
///
/// Repositories are named without host: `acme/web`.
#[derive(Debug)]
pub struct FakeRegistry {
    address: SocketAddr,
    shared: Shared,
    open: OpenConnections,
    // Dropped first, which stops the thread.
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl FakeRegistry {
    /// Starts an empty registry. It accepts connections when this returns.
    ///
    /// # Panics
    /// When there is no loopback interface, port or thread to be had.
    #[must_use]
    pub fn start(options: FakeOptions) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind a loopback port");
        Self::run(listener, options).expect("serve a registry")
    }

    /// Starts an empty registry on `listener`.
    ///
    /// # Errors
    /// When the listener cannot be used, or there is no thread to be had.
    pub fn listen(listener: TcpListener, options: FakeOptions) -> Result<Self, StoreError> {
        Self::run(listener, options)
            .map_err(|error| StoreError::new(Blame::Local, "serve a registry").with_source(error))
    }

    /// Starts a registry on `listener` that holds what is in the OCI layouts below `directory`,
    /// each a repository by its path, and keeps there what it is sent. What is there is read into
    /// memory first, so this is for tests and demonstrations.
    ///
    /// # Errors
    /// When what is there cannot be read, or is no layout of a legal name; and as
    /// [`FakeRegistry::listen`].
    pub async fn over(
        directory: &Path,
        listener: TcpListener,
        options: FakeOptions,
    ) -> Result<Self, StoreError> {
        let directory = Directory::new(directory);
        let repositories = directory.load().await?;
        let fake = Self::listen(listener, options)?;
        let mut world = server::lock(&fake.shared);
        world.repositories = repositories;
        world.directory = Some(Arc::new(directory));
        drop(world);
        Ok(fake)
    }

    fn run(listener: TcpListener, options: FakeOptions) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Mutex::new(World::new(address, options)));
        let (stop, stopped) = oneshot::channel();
        let open = OpenConnections::default();
        let (served, counted) = (Arc::clone(&shared), open.clone());
        let serve =
            move || server::run(listener, served, counted, stopped).expect("serve a registry");
        let thread = thread::Builder::new().name("fake-registry".to_owned()).spawn(serve)?;
        Ok(Self { address, shared, open, stop: Some(stop), thread: Some(thread) })
    }

    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The host as it stands in references: `127.0.0.1:PORT`.
    #[must_use]
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Changes the behaviour from the next request on.
    pub fn configure(&self, change: impl FnOnce(&mut FakeOptions)) {
        change(&mut server::lock(&self.shared).options);
    }

    /// Makes every token given out so far worthless, as if its time were over.
    pub fn expire_tokens(&self) {
        server::lock(&self.shared).tokens.expire();
    }

    /// Adds a rule of what is to go wrong.
    pub fn fail(&self, rule: FaultRule) {
        server::lock(&self.shared).faults.add(rule);
    }

    /// Forgets all rules.
    pub fn clear_faults(&self) {
        server::lock(&self.shared).faults.clear();
    }

    /// How many rules have not struck as often as they should; a test that ends with one
    /// left did not test what it says.
    #[must_use]
    pub fn pending_faults(&self) -> usize {
        server::lock(&self.shared).faults.len()
    }
}

/// What was asked.
impl FakeRegistry {
    /// All requests since the start or the last reset, in the order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestRecord> {
        server::lock(&self.shared).log.records().to_vec()
    }

    /// How many of them satisfy `predicate`.
    #[must_use]
    pub fn count(&self, predicate: impl Fn(&RequestRecord) -> bool) -> usize {
        server::lock(&self.shared).log.records().iter().filter(|record| predicate(record)).count()
    }

    /// Blocks until all connections are closed, and with them every request has been dealt with that
    /// was on its way. A client that has been killed may have sent some that nobody has read yet.
    ///
    /// # Panics
    /// When it does not listen any more.
    pub fn wait_until_idle(&self) {
        // Connections are accepted in their order: once this one has been closed, those before it
        // have been accepted.
        let mut probe = TcpStream::connect(self.address).expect("connect to the registry");
        let closing = probe.shutdown(Shutdown::Write);
        closing.and_then(|()| probe.read_to_end(&mut Vec::new())).expect("be hung up on");
        self.open.wait_for_none();
    }

    /// Forgets all requests; the next has index 0.
    pub fn reset_counts(&self) {
        server::lock(&self.shared).log.reset();
    }
}

/// What it holds. Nothing here is checked, counted or recorded.
impl FakeRegistry {
    /// Stores a small valid image with all its blobs under `tag`: an image manifest for one
    /// platform (`linux/amd64`), an index for several.
    ///
    /// Its content depends on tag and platforms alone, so repositories seeded alike share
    /// blobs and digests.
    ///
    /// # Panics
    /// When `tag` is no tag.
    pub fn seed_image(&self, repository: &str, tag: &str, platforms: &[&str]) -> Digest {
        let mut world = server::lock(&self.shared);
        let content = world.content(repository);
        let digest = seed::image(content, tag, platforms);
        content.tags.insert(parsed(tag), digest.clone());
        digest
    }

    /// Stores any bytes as a manifest of any type under `tag`.
    ///
    /// # Panics
    /// When `tag` is no tag.
    pub fn put_manifest(
        &self,
        repository: &str,
        tag: &str,
        media_type: &str,
        bytes: impl Into<Bytes>,
    ) -> Digest {
        let mut world = server::lock(&self.shared);
        let content = world.content(repository);
        let digest = seed::manifest(content, media_type, bytes.into());
        content.tags.insert(parsed(tag), digest.clone());
        digest
    }

    /// Stores a blob.
    pub fn put_blob(&self, repository: &str, bytes: impl Into<Bytes>) -> Digest {
        seed::blob(server::lock(&self.shared).content(repository), bytes.into())
    }

    /// Points `tag` at `digest`, whether the repository holds it or not.
    ///
    /// # Panics
    /// When `tag` is no tag.
    pub fn tag(&self, repository: &str, tag: &str, digest: &Digest) {
        let mut world = server::lock(&self.shared);
        world.content(repository).tags.insert(parsed(tag), digest.clone());
    }

    /// Removes `tag`; the manifest stays.
    ///
    /// # Panics
    /// When `tag` is no tag.
    pub fn untag(&self, repository: &str, tag: &str) {
        server::lock(&self.shared).content(repository).tags.remove(&parsed(tag));
    }

    /// All tags and what they point at; none when the repository does not exist.
    #[must_use]
    pub fn tags(&self, repository: &str) -> BTreeMap<Tag, Digest> {
        let world = server::lock(&self.shared);
        world.repositories.get(repository).map(|content| content.tags.clone()).unwrap_or_default()
    }

    /// The manifest stored under `digest`.
    #[must_use]
    pub fn manifest(&self, repository: &str, digest: &Digest) -> Option<StoredManifest> {
        server::lock(&self.shared).repositories.get(repository)?.manifests.get(digest).cloned()
    }

    /// The digests of all blobs of the repository.
    #[must_use]
    pub fn blobs(&self, repository: &str) -> BTreeSet<Digest> {
        let world = server::lock(&self.shared);
        let blobs = world.repositories.get(repository).map(|content| content.blobs.keys());
        blobs.into_iter().flatten().cloned().collect()
    }

    /// How many upload sessions are open: those that a client neither finished nor cancelled.
    #[must_use]
    pub fn open_uploads(&self) -> usize {
        server::lock(&self.shared).uploads.len()
    }
}

impl Drop for FakeRegistry {
    fn drop(&mut self) {
        drop(self.stop.take());
        // The thread only ever waits for sockets and that sender: this is short, and after it
        // the port is closed. Its panic, if any, has been printed.
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn parsed(tag: &str) -> Tag {
    tag.parse().unwrap_or_else(|error| panic!("{error}"))
}
