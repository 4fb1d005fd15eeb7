//! One end of a copy: as much of a registry as that takes, without a disk.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, Response, StatusCode};
use futures_util::{StreamExt as _, stream};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

use super::content::{CONFIG, Image, MANIFEST, digest_of, named};

/// A registry that has an image to give, or takes one and keeps digests alone. It serves until
/// the runtime ends.
pub(crate) struct Endpoint {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    image: Option<Image>,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    /// The digests of everything that was stored.
    digests: BTreeSet<String>,
    client: Option<u32>,
    /// The most that the client had in memory, in KiB, as of its last request.
    memory: u64,
}

impl Endpoint {
    pub(crate) async fn start(image: Option<Image>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { image, taken: Mutex::default() });
        let app = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        tokio::spawn(async { axum::serve(listener, app).await });
        Ok(Self { address, shared })
    }

    pub(crate) fn host(&self) -> SocketAddr {
        self.address
    }

    /// Notes at each request how much memory the process `id` has used so far: what it asks for
    /// last is the tag, after everything else.
    pub(crate) fn watch(&self, id: u32) {
        self.shared.taken().client = Some(id);
    }

    /// The most that the client had in memory, in KiB.
    pub(crate) fn memory(&self) -> u64 {
        self.shared.taken().memory
    }

    /// Whether all of `image` has arrived, and somebody was watched meanwhile.
    pub(crate) fn check(&self, image: &Image) -> Result<(), String> {
        self.check_layers(image)?;
        let taken = self.shared.taken();
        match taken.digests.contains(&digest_of(&image.manifest)) && taken.memory > 0 {
            true => Ok(()),
            false => Err("the image has not arrived, or nothing was measured".to_owned()),
        }
    }

    /// Whether all layers of `image` have arrived.
    pub(crate) fn check_layers(&self, image: &Image) -> Result<(), String> {
        let taken = self.shared.taken();
        match image.layers().find(|digest| !taken.digests.contains(*digest)) {
            Some(missing) => Err(format!("{missing} has not arrived")),
            None => Ok(()),
        }
    }
}

impl Shared {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn measure(&self) {
        let mut taken = self.taken();
        let Some(id) = taken.client else { return };
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.trim().trim_end_matches("kB").trim().parse().ok());
        taken.memory = taken.memory.max(peak.unwrap_or(0));
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    shared.measure();
    let (head, body) = request.into_parts();
    let path = head.uri.path().trim_start_matches("/v2/bench/image/");
    match (&head.method, path.split_once('/')) {
        (&Method::GET | &Method::HEAD, Some(("manifests", _))) => match &shared.image {
            Some(image) => with(StatusCode::OK)
                .header("content-type", MANIFEST)
                .header("docker-content-digest", digest_of(&image.manifest))
                .header("content-length", image.manifest.len())
                .body(image.manifest.clone().into()),
            None => absent(),
        },
        (&Method::GET, Some(("blobs", digest))) => match &shared.image {
            Some(_) if digest == digest_of(CONFIG) => with(StatusCode::OK).body(CONFIG.into()),
            Some(image) => match image.blocks(digest) {
                Some(blocks) => with(StatusCode::OK)
                    .header("content-length", image.layer_size())
                    .body(Body::from_stream(stream::iter(blocks.map(io::Result::Ok)))),
                None => absent(),
            },
            None => absent(),
        },
        (&Method::POST, _) => with(StatusCode::ACCEPTED)
            .header("location", "/v2/bench/image/blobs/uploads/1")
            .body(Body::empty()),
        (&Method::PUT, _) => {
            let digest = hashed(body).await;
            let asked = head.uri.query().and_then(|query| query.strip_prefix("digest="));
            let is_right =
                digest.as_deref().is_some_and(|digest| asked.is_none_or(|a| a == digest));
            let status = if is_right { StatusCode::CREATED } else { StatusCode::BAD_REQUEST };
            shared.taken().digests.extend(digest.filter(|_| is_right));
            with(status).body(Body::empty())
        }
        _ => absent(),
    }
    .expect("a legal answer")
}

/// The digest of a body; `None` when it breaks off.
async fn hashed(body: Body) -> Option<String> {
    let mut hash = Sha256::new();
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        hash.update(&chunk.ok()?);
    }
    Some(named(&hash.finalize()))
}

fn with(status: StatusCode) -> axum::http::response::Builder {
    Response::builder().status(status)
}

fn absent() -> Result<Response<Body>, axum::http::Error> {
    let body = r#"{"errors":[{"code":"NAME_UNKNOWN","message":"it is not here"}]}"#;
    with(StatusCode::NOT_FOUND).header("content-type", "application/json").body(body.into())
}
