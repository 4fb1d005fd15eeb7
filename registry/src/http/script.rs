//! A scripted HTTP server: what it answers is a function of what it is asked, and it keeps a
//! record of that.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::options::RegistryOptions;
use super::registry::Registry;
use super::repository::RepositoryStore;
use super::retry::Policy;
use super::scope::Access;

/// One request, as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) target: String,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// One answer.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    manner: Manner,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Whole,
    /// The connection closes before the end of the body.
    Truncated,
    /// The connection closes without an answer.
    Closed,
    /// Nothing comes.
    Silent,
}

/// The server; it ends with the test's runtime.
pub(super) struct Script {
    port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn authorization(&self) -> Option<&str> {
        self.header("authorization")
    }

    /// `METHOD /target`
    pub(super) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

impl Reply {
    pub(super) fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), manner: Manner::Whole }
    }

    pub(super) fn json(status: u16, body: &str) -> Self {
        Self::new(status).with("content-type", "application/json").body(body)
    }

    /// The connection closes without an answer.
    pub(super) fn closed() -> Self {
        Self { manner: Manner::Closed, ..Self::new(0) }
    }

    /// Nothing ever comes.
    pub(super) fn silent() -> Self {
        Self { manner: Manner::Silent, ..Self::new(0) }
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn body(mut self, body: &str) -> Self {
        self.body = body.as_bytes().to_vec();
        self
    }

    /// Sends less than it announces.
    pub(super) fn truncated(mut self) -> Self {
        self.manner = Manner::Truncated;
        self
    }
}

impl Script {
    /// A server that answers by `handler`; its second argument counts the requests before.
    pub(super) async fn start(
        handler: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let (handler, log) = (Arc::new(handler), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (handler, log) = (Arc::clone(&handler), Arc::clone(&log));
                tokio::spawn(async move { serve(stream, &*handler, &log).await });
            }
        });
        Self { port, seen }
    }

    /// A server that answers with `replies` in turn, and then with 599.
    pub(super) async fn replies(replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies: Mutex<VecDeque<_>> = Mutex::new(replies.into_iter().collect());
        Self::start(move |_, _| replies.lock().unwrap().pop_front().unwrap_or(Reply::new(599)))
            .await
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// `http://127.0.0.1:PORT`
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The requests so far, as `METHOD /target`.
    pub(super) fn lines(&self) -> Vec<String> {
        self.seen().iter().map(Seen::line).collect()
    }

    pub(super) fn registry(&self, options: &RegistryOptions) -> Registry {
        let host = format!("127.0.0.1:{}", self.port).parse().expect("a host");
        Registry::with_policy(host, options, quick(options.retries)).expect("a client")
    }

    /// The repository `acme/web`, to be written, with default options.
    pub(super) fn web(&self) -> RepositoryStore {
        self.web_with(&RegistryOptions::default())
    }

    pub(super) fn web_with(&self, options: &RegistryOptions) -> RepositoryStore {
        self.registry(options).repository("acme/web", Access::PullPush)
    }
}

/// A policy whose pauses are too short to be noticed.
pub(super) fn quick(retries: u32) -> Policy {
    let (base, cap) = (Duration::from_millis(1), Duration::from_millis(1));
    Policy { retries, base, cap }
}

async fn serve(
    stream: TcpStream,
    handler: &(dyn Fn(&Seen, usize) -> Reply + Send + Sync),
    log: &Mutex<Vec<Seen>>,
) {
    let mut stream = BufReader::new(stream);
    while let Some(seen) = read(&mut stream).await {
        let before = {
            let mut log = log.lock().unwrap();
            log.push(seen.clone());
            log.len() - 1
        };
        let reply = handler(&seen, before);
        match reply.manner {
            Manner::Closed => return,
            Manner::Silent => std::future::pending().await,
            Manner::Whole | Manner::Truncated => {}
        }
        let bytes = render(&reply, seen.method == "HEAD");
        if stream.write_all(&bytes).await.is_err() || reply.manner == Manner::Truncated {
            return;
        }
    }
}

fn render(reply: &Reply, is_head: bool) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} Scripted\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !reply.headers.iter().any(|(name, _)| name == "content-length") && reply.status != 204 {
        head.push_str(&format!("content-length: {}\r\n", reply.body.len()));
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    let end =
        if reply.manner == Manner::Truncated { reply.body.len() / 2 } else { reply.body.len() };
    if !is_head {
        bytes.extend(&reply.body[..end]);
    }
    bytes
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Seen> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_owned(), value.to_owned()));
    }
    let mut seen = Seen { method, target, headers, body: Vec::new() };
    let length = seen.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    seen.body.resize(length, 0);
    stream.read_exact(&mut seen.body).await.ok()?;
    Some(seen)
}
