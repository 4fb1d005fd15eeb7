//! An engine that says what a test tells it to: for what a real one does only once in a while.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use testcontainers::bollard::{API_DEFAULT_VERSION, Docker};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// Answers each request with the first answer left for its method and path.
#[derive(Debug)]
pub(crate) struct FakeEngine {
    state: Arc<Mutex<State>>,
    directory: PathBuf,
}

#[derive(Debug, Default)]
struct State {
    answers: VecDeque<Answer>,
    seen: Vec<String>,
}

#[derive(Debug)]
struct Answer {
    method: &'static str,
    path: &'static str,
    status: u16,
    body: String,
}

impl FakeEngine {
    /// Listens on a socket of its own, on the present runtime.
    pub(crate) fn listen(name: &str) -> Self {
        let directory =
            std::env::temp_dir().join(format!("plimsoll-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let listener = UnixListener::bind(directory.join("engine.sock")).unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, shared.clone()));
            }
        });
        Self { state, directory }
    }

    pub(crate) fn docker(&self) -> Docker {
        let socket = self.directory.join("engine.sock");
        Docker::connect_with_unix(&socket.to_string_lossy(), 30, API_DEFAULT_VERSION).unwrap()
    }

    /// One more answer to requests of this method whose path has this in it.
    pub(crate) fn answer(&self, method: &'static str, path: &'static str, status: u16, body: &str) {
        let answer = Answer { method, path, status, body: body.to_owned() };
        self.state.lock().unwrap_or_else(PoisonError::into_inner).answers.push_back(answer);
    }

    /// The requests so far, as `METHOD /path`.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).seen.clone()
    }
}

impl Drop for FakeEngine {
    fn drop(&mut self) {
        // What is left in the temporary directory harms nobody.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

async fn serve(mut stream: UnixStream, state: Arc<Mutex<State>>) {
    let head = read_request(&mut stream).await;
    let mut words = head.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    let answer = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.seen.push(format!("{method} {path}"));
        let fits = |answer: &Answer| answer.method == method && path.contains(answer.path);
        let found = state.answers.iter().position(fits);
        found.and_then(|index| state.answers.remove(index))
    };
    let (status, body) = match answer {
        Some(Answer { status, body, .. }) => (status, body),
        None => (501, format!("{{\"message\":\"no answer to {method} {path}\"}}")),
    };
    let upgrade = if status == 101 {
        "Connection: Upgrade\r\nUpgrade: tcp\r\n"
    } else {
        "Connection: close\r\n"
    };
    let response = format!(
        "HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\n{upgrade}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(response.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// Reads the whole request, and gives its first line.
async fn read_request(stream: &mut UnixStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.trim().parse::<usize>().ok())?
            });
            let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
            let whole = if chunked {
                body.ends_with("0\r\n\r\n")
            } else {
                body.len() >= length.unwrap_or(0)
            };
            if whole {
                return head.lines().next().unwrap_or_default().to_owned();
            }
        }
        match stream.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => return String::new(),
            Ok(_) => {}
        }
    }
}
