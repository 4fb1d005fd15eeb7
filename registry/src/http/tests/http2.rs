//! HTTP/2, over TLS as everywhere, and what can go wrong with it alone.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use h2::{Reason, server};
use http::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::tls::{configuration, trusting, vouched_for};
use super::{by_tag, manifest, tag};
use crate::blob::{BlobReader, BlobSink as _, BlobSource};
use crate::digest::Digest;
use crate::http::options::RegistryOptions;
use crate::http::registry::Registry;
use crate::http::script::quick;
use crate::http::{Access, RepositoryStore};
use crate::manifest::{Descriptor, MediaType};
use crate::store::{Store as _, StoreError};

const LIST: &str = r#"{"name":"a","tags":["1"]}"#;

/// One request, as it arrived over HTTP/2.
#[derive(Clone, Debug)]
struct Call {
    line: String,
    range: Option<String>,
    body: Vec<u8>,
}

/// What is done with one request.
#[derive(Clone, Debug)]
enum Reply {
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// The stream is reset in place of an answer.
    Reset(Reason),
}

/// What is done with one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Served,
    /// The first request is met by GOAWAY, which says that none was looked at.
    GoneAway,
    /// The first request is answered by ten bytes of [`LIST`], a reset and GOAWAY.
    Cut(Reason),
    /// What comes after the handshake is never read.
    Dead,
}

/// A server; it ends with the test's runtime.
struct Server {
    port: u16,
    pem: String,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log {
    calls: Mutex<Vec<Call>>,
    /// What each connection agreed to speak.
    protocols: Mutex<Vec<Option<Vec<u8>>>>,
}

type Handler = dyn Fn(&Call, usize) -> Reply + Send + Sync;

impl Reply {
    fn ok(body: &str) -> Self {
        Self::Answer(200, vec![("content-type", "application/json".to_owned())], body.into())
    }

    fn empty(status: u16) -> Self {
        Self::Answer(status, Vec::new(), Vec::new())
    }
}

impl Server {
    /// One that offers `protocols`, meets its first connections in `manners` and serves the
    /// others by `handler`, whose second argument counts the requests before.
    async fn start(
        protocols: &[&str],
        manners: &[Manner],
        handler: impl Fn(&Call, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let (certificate, key, pem) = vouched_for();
        let mut config = configuration(certificate, &key);
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let log = Arc::<Log>::default();
        let (handler, seen): (Arc<Handler>, _) = (Arc::new(handler), Arc::clone(&log));
        let manners = manners.to_vec();
        tokio::spawn(async move {
            let mut manners = manners.into_iter();
            while let Ok((socket, _)) = listener.accept().await {
                let manner = manners.next().unwrap_or(Manner::Served);
                let (acceptor, handler) = (acceptor.clone(), Arc::clone(&handler));
                let log = Arc::clone(&seen);
                tokio::spawn(async move {
                    let stream = acceptor.accept(socket).await.expect("a handshake");
                    let protocol = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
                    log.protocols.lock().unwrap().push(protocol.clone());
                    match manner {
                        Manner::GoneAway => by_hand(stream, &frame(GOAWAY, 0, 0, &[0; 8])).await,
                        Manner::Cut(reason) => by_hand(stream, &cut(reason)).await,
                        Manner::Dead => {
                            std::future::pending::<()>().await;
                            drop(stream);
                        }
                        Manner::Served if protocol.as_deref() == Some(b"h2") => {
                            serve(stream, handler, log).await;
                        }
                        Manner::Served => answer_once(stream).await,
                    }
                });
            }
        });
        Self { port, pem, log }
    }

    /// One that offers HTTP/2 and serves every connection.
    async fn of(handler: impl Fn(&Call, usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::start(&["h2", "http/1.1"], &[], handler).await
    }

    fn web(&self, options: &RegistryOptions) -> RepositoryStore {
        let certificates = trusting(&self.pem).certificates;
        let options = RegistryOptions { certificates, ..options.clone() };
        let host = format!("localhost:{}", self.port).parse().expect("a host");
        Registry::with_policy(host, &options, quick(options.retries))
            .expect("a client")
            .repository("acme/web", Access::PullPush)
    }

    async fn tags(&self) -> Result<usize, StoreError> {
        self.web(&RegistryOptions::default()).tags().await.map(|tags| tags.len())
    }

    fn calls(&self) -> Vec<Call> {
        self.log.calls.lock().unwrap().clone()
    }

    fn verbs(&self) -> Vec<String> {
        let verb = |call: Call| call.line.split(' ').next().unwrap_or_default().to_owned();
        self.calls().into_iter().map(verb).collect()
    }

    fn protocols(&self) -> Vec<Option<String>> {
        let text = |name: Vec<u8>| String::from_utf8(name).expect("ascii");
        self.log.protocols.lock().unwrap().iter().cloned().map(|name| name.map(text)).collect()
    }
}

async fn serve(stream: TlsStream<TcpStream>, handler: Arc<Handler>, log: Arc<Log>) {
    let mut connection = server::handshake(stream).await.expect("a preface");
    while let Some(Ok((request, respond))) = connection.accept().await {
        let (handler, log) = (Arc::clone(&handler), Arc::clone(&log));
        tokio::spawn(async move {
            let (head, mut content) = request.into_parts();
            let mut body = Vec::new();
            while let Some(Ok(chunk)) = content.data().await {
                let _ = content.flow_control().release_capacity(chunk.len());
                body.extend_from_slice(&chunk);
            }
            let range = head.headers.get("range").map(|value| value.to_str().unwrap().to_owned());
            let line = format!("{} {}", head.method, head.uri.path());
            let call = Call { line, range, body };
            let before = {
                let mut calls = log.calls.lock().unwrap();
                calls.push(call.clone());
                calls.len() - 1
            };
            let is_head = head.method == http::Method::HEAD;
            // A client that has enough may be gone.
            let _ = reply(respond, handler(&call, before), is_head);
        });
    }
}

fn reply(
    mut respond: server::SendResponse<Bytes>,
    reply: Reply,
    is_head: bool,
) -> Result<(), h2::Error> {
    let (status, headers, body) = match reply {
        Reply::Answer(status, headers, body) => (status, headers, body),
        Reply::Reset(reason) => {
            respond.send_reset(reason);
            return Ok(());
        }
    };
    let mut head = Response::builder().status(status).header("content-length", body.len());
    for (name, value) in headers {
        head = head.header(name, value);
    }
    let mut sending = respond.send_response(head.body(()).expect("a head"), is_head)?;
    if is_head { Ok(()) } else { sending.send_data(body.into(), true) }
}

// The types of frames (RFC 9113, section 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short frame");
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

/// The frames of [`Manner::Cut`].
fn cut(reason: Reason) -> Vec<u8> {
    const END_HEADERS: u8 = 4;
    // `:status: 200` and `content-length: 25`, by their numbers in HPACK's table.
    let head = [0x88, 0x5c, 2, b'2', b'5'];
    [
        frame(HEADERS, END_HEADERS, 1, &head),
        frame(DATA, 0, 1, &LIST.as_bytes()[..10]),
        frame(RST_STREAM, 0, 1, &u32::from(reason).to_be_bytes()),
        frame(GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0]),
    ]
    .concat()
}

/// Answers the first request with `frames`, by hand: a real server neither disowns what it has
/// read nor sends what it has queued before a reset.
async fn by_hand(mut stream: TlsStream<TcpStream>, frames: &[u8]) {
    stream.read_exact(&mut [0; 24]).await.expect("a preface");
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.expect("written");
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.expect("a frame");
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload).await.expect("its payload");
        if head[3] == HEADERS {
            break;
        }
    }
    stream.write_all(frames).await.expect("written");
    stream.flush().await.expect("sent");
    // What is left unread when a socket closes would take what was sent with it.
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
}

/// HTTP/1.1: a list of tags.
async fn answer_once(mut stream: TlsStream<TcpStream>) {
    let read = stream.read(&mut [0; 4096]).await.expect("a request");
    assert!(read > 0);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
    let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{LIST}", LIST.len());
    stream.write_all(answer.as_bytes()).await.expect("written");
    stream.shutdown().await.expect("closed");
}

/// Content that is larger than any window at first, and its descriptor.
fn large() -> (Vec<u8>, Descriptor) {
    let content: Vec<u8> = (0..3_000_000).map(|n| b'a' + (n % 23) as u8).collect();
    let blob = descriptor(&content);
    (content, blob)
}

fn descriptor(content: &[u8]) -> Descriptor {
    let media_type = MediaType::new("application/vnd.oci.image.layer.v1.tar");
    Descriptor { media_type, digest: Digest::sha256(content), size: content.len() as u64 }
}

/// Content that can be read any number of times.
struct Held(Vec<u8>);

#[async_trait]
impl BlobSource for Held {
    async fn open_blob_at(
        &self,
        _: &Descriptor,
        offset: u64,
    ) -> Result<Option<BlobReader>, StoreError> {
        Ok(Some(reader(&self.0[usize::try_from(offset).expect("within")..])))
    }
}

fn reader(content: &[u8]) -> BlobReader {
    BlobReader::from(Bytes::copy_from_slice(content))
}

async fn read(mut reader: BlobReader) -> Result<Vec<u8>, StoreError> {
    let mut all = Vec::new();
    while let Some(chunk) = reader.chunk().await? {
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

#[tokio::test]
async fn what_is_offered_is_spoken_and_one_connection_does() {
    let (content, blob) = large();
    let stored = content.clone();
    let server = Server::of(move |call, _| match call.line.split(' ').next() {
        Some("POST") => {
            let to = "/v2/acme/web/blobs/uploads/1".to_owned();
            Reply::Answer(202, vec![("location", to)], Vec::new())
        }
        Some("PUT") => Reply::empty(201),
        _ if call.line.contains("/blobs/") => Reply::Answer(200, Vec::new(), stored.clone()),
        _ => Reply::ok(LIST),
    })
    .await;
    let web = server.web(&RegistryOptions::default());
    assert_eq!(web.tags().await.expect("listed").len(), 1);
    web.write_blob(&blob, reader(&content)).await.expect("written");
    let opened = web.open_blob(&blob).await.expect("opened").expect("there");
    assert!(read(opened).await.expect("read") == content);
    assert_eq!(server.protocols(), [Some("h2".to_owned())]);
    let calls = server.calls();
    let upload = calls.iter().find(|call| call.line.starts_with("PUT")).expect("an upload");
    assert!(upload.body == content);
}

#[tokio::test]
async fn http_1_is_spoken_where_nothing_else_is_offered_or_wanted() {
    for (protocols, options) in [
        (&["http/1.1"][..], RegistryOptions::default()),
        (&[], RegistryOptions::default()),
        (&["h2", "http/1.1"], RegistryOptions { http1_only: true, ..RegistryOptions::default() }),
    ] {
        let server = Server::start(protocols, &[], |_, _| Reply::ok(LIST)).await;
        assert_eq!(server.web(&options).tags().await.expect("listed").len(), 1);
        assert!(server.calls().is_empty(), "{protocols:?}");
        assert_eq!(server.protocols().len(), 1);
        assert_ne!(server.protocols()[0].as_deref(), Some("h2"));
    }
}

#[tokio::test]
async fn edge_35_a_stream_that_is_reset_is_tried_again() {
    for reason in [
        Reason::REFUSED_STREAM,
        Reason::INTERNAL_ERROR,
        Reason::PROTOCOL_ERROR,
        Reason::CANCEL,
        Reason::ENHANCE_YOUR_CALM,
        Reason::NO_ERROR,
    ] {
        let server =
            Server::start(&["h2"], &[Manner::Cut(reason)], move |_, before| match before {
                0 => Reply::Reset(reason),
                _ => Reply::ok(LIST),
            })
            .await;
        assert_eq!(server.tags().await.expect("listed"), 1, "{reason:?}");
        assert_eq!(server.protocols().len(), 2, "{reason:?}");
        assert_eq!(server.calls().len(), 2, "{reason:?}");
    }
}

#[tokio::test]
async fn edge_35_a_connection_that_goes_away_is_followed_by_another() {
    let manners = [Manner::GoneAway, Manner::GoneAway];
    let server = Server::start(&["h2"], &manners, |_, _| Reply::ok(LIST)).await;
    assert_eq!(server.tags().await.expect("listed"), 1);
    assert_eq!(server.protocols().len(), 3);
    assert_eq!(server.calls().len(), 1);
}

#[tokio::test]
async fn edge_35_a_dead_connection_is_left_for_another() {
    let server = Server::start(&["h2"], &[Manner::Dead], |_, _| Reply::ok(LIST)).await;
    let read_timeout = Duration::from_secs(3);
    let options = RegistryOptions { read_timeout, ..RegistryOptions::default() };
    assert_eq!(server.web(&options).tags().await.expect("listed").len(), 1);
    assert_eq!(server.protocols().len(), 2);
}

#[tokio::test]
async fn edge_35_a_push_that_was_refused_unread_is_written_again_without_a_look() {
    let turned_away = &["PUT", "PUT"][..];
    let unclear = &["PUT", "HEAD", "PUT"][..];
    for (reason, verbs) in
        [(Reason::REFUSED_STREAM, turned_away), (Reason::INTERNAL_ERROR, unclear)]
    {
        let server = Server::of(move |call, before| match before {
            0 => Reply::Reset(reason),
            _ if call.line.starts_with("HEAD") => Reply::empty(404),
            _ => Reply::empty(201),
        })
        .await;
        let web = server.web(&RegistryOptions::default());
        web.put(&tag("1.2"), &manifest()).await.expect("written");
        assert_eq!(server.verbs(), verbs, "{reason:?}");
    }
}

#[tokio::test]
async fn edge_33_a_download_whose_stream_is_reset_goes_on_where_it_was() {
    for reason in [Reason::INTERNAL_ERROR, Reason::CANCEL, Reason::NO_ERROR] {
        let server = Server::start(&["h2"], &[Manner::Cut(reason)], |call, _| {
            assert_eq!(call.range.as_deref(), Some("bytes=10-"));
            let headers = vec![("content-range", "bytes 10-24/25".to_owned())];
            Reply::Answer(206, headers, LIST.as_bytes()[10..].to_vec())
        })
        .await;
        let web = server.web(&RegistryOptions::default());
        let blob = descriptor(LIST.as_bytes());
        let opened = web.open_blob(&blob).await.expect("opened").expect("there");
        assert!(read(opened).await.expect("read") == LIST.as_bytes(), "{reason:?}");
        assert_eq!(server.calls().len(), 1, "{reason:?}");
    }
}

#[tokio::test]
async fn edge_33_an_upload_whose_stream_is_reset_is_taken_up_again() {
    let (content, blob) = large();
    let server = Server::of(|call, before| match call.line.split(' ').next() {
        Some("POST") => {
            let to = format!("/v2/acme/web/blobs/uploads/{before}");
            Reply::Answer(202, vec![("location", to)], Vec::new())
        }
        Some("PUT") if before == 1 => Reply::Reset(Reason::INTERNAL_ERROR),
        Some("PUT") => Reply::empty(201),
        // Nothing of it was kept.
        Some("GET") => Reply::Answer(204, vec![("range", "0-0".to_owned())], Vec::new()),
        _ => Reply::empty(404),
    })
    .await;
    let web = server.web(&RegistryOptions::default());
    web.copy_blob(&blob, &Held(content.clone())).await.expect("written");
    let puts: Vec<_> =
        server.calls().into_iter().filter(|call| call.line.starts_with("PUT")).collect();
    assert_eq!(puts.len(), 2);
    assert!(puts[1].body == content);
}

#[tokio::test]
async fn a_server_that_wants_http_1_has_a_remedy() {
    let server = Server::of(|_, _| Reply::Reset(Reason::HTTP_1_1_REQUIRED)).await;
    let error = server.web(&RegistryOptions::default()).head(&by_tag("1")).await.unwrap_err();
    assert!(error.to_string().contains("wants HTTP/1.1"), "{error}");
    assert!(error.remedy().is_some_and(|remedy| remedy.contains("--http1")), "{error}");
    assert_eq!(server.calls().len(), 1);
}
