//! How to talk to a registry.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::certificates::Certificates;
use crate::credential::Credentials;

/// How to talk to one registry.
///
/// https is spoken to every host but loopback ones (`localhost`, `127.0.0.0/8`, `[::1]`), which
/// are spoken to in http, as Docker does, unless [`certificates`](Self::certificates),
/// [`insecure_skip_tls_verify`](Self::insecure_skip_tls_verify) or port 443 ask for https.
/// Nothing ever falls back from https to http.
#[derive(Clone)]
pub struct RegistryOptions {
    /// Speak http to any host. Credentials then travel in the clear.
    pub plain_http: bool,
    /// Accept any certificate of the registry's own host: whoever is on the way can read and
    /// change everything. Other hosts, such as the issuer of tokens, are still verified.
    pub insecure_skip_tls_verify: bool,
    /// Authorities to trust besides the system's, and the certificate to show to the host.
    pub certificates: Certificates,
    /// Speak HTTP/1.1 where HTTP/2 is offered, too. nginx takes uploads in windows of 64 KiB over
    /// HTTP/2, which is slow from afar (moby/buildkit#1420, google/go-containerregistry#799).
    pub http1_only: bool,
    /// The longest to wait for a connection; 10 seconds by default.
    pub connect_timeout: Duration,
    /// The longest to wait for the next bytes of an answer; 30 seconds by default.
    pub read_timeout: Duration,
    /// The longest that one request may take with its redirects, tokens, retries and the pauses
    /// between them; 2 minutes by default.
    pub timeout: Duration,
    /// How often a request that failed on the way, or that the registry was too busy for, is
    /// tried again; 5 times by default, 0 for never.
    pub retries: u32,
    /// What to send as `User-Agent`; the name and version of this crate by default.
    pub user_agent: String,
    /// What to show the registry when it asks.
    pub credentials: Arc<Credentials>,
    /// The largest manifest to read, in bytes; 32 MiB by default.
    pub max_manifest_bytes: u64,
    /// Whether several tags are written in one request; to be learnt by default.
    pub tags_at_once: TagsAtOnce,
}

/// Whether a registry writes several tags in one request: end-7b of the distribution
/// specification, which few registries know so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TagsAtOnce {
    /// It is found out with the first tags. That costs nothing where the registry cannot, and
    /// one request where it can.
    #[default]
    Learn,
    /// It can. Where that is not so after all, one request is lost.
    Always,
    /// It cannot, or is not to be bothered.
    Never,
}

impl Default for RegistryOptions {
    fn default() -> Self {
        Self {
            plain_http: false,
            insecure_skip_tls_verify: false,
            certificates: Certificates::default(),
            http1_only: false,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(30),
            timeout: Duration::from_secs(120),
            retries: 5,
            user_agent: concat!("plimsoll-registry/", env!("CARGO_PKG_VERSION")).to_owned(),
            credentials: Arc::new(Credentials::anonymous()),
            max_manifest_bytes: 32 << 20,
            tags_at_once: TagsAtOnce::Learn,
        }
    }
}

impl fmt::Debug for RegistryOptions {
    /// Without certificates and credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryOptions")
            .field("plain_http", &self.plain_http)
            .field("insecure_skip_tls_verify", &self.insecure_skip_tls_verify)
            .field("http1_only", &self.http1_only)
            .field("connect_timeout", &self.connect_timeout)
            .field("read_timeout", &self.read_timeout)
            .field("timeout", &self.timeout)
            .field("retries", &self.retries)
            .field("user_agent", &self.user_agent)
            .field("max_manifest_bytes", &self.max_manifest_bytes)
            .field("tags_at_once", &self.tags_at_once)
            .finish_non_exhaustive()
    }
}
