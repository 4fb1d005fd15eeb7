//! A client of a few lines: what it sends and sees is what is on the wire.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

use super::{FakeOptions, FakeRegistry};

/// An answer as received.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

pub(super) fn fake() -> FakeRegistry {
    fake_with(FakeOptions::default())
}

pub(super) fn fake_with(options: FakeOptions) -> FakeRegistry {
    FakeRegistry::start(options)
}

/// One request on a connection of its own.
pub(super) fn call(
    fake: &FakeRegistry,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Response {
    exchange(fake, method, path, headers, body).unwrap_or_else(|e| panic!("{method} {path}: {e}"))
}

/// [`call`], for when there may be no answer.
pub(super) fn exchange(
    fake: &FakeRegistry,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Response> {
    let mut stream = send(fake, method, path, headers, body)?;
    let mut received = Vec::new();
    stream.read_to_end(&mut received)?;
    parse(&received).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// Sends a request and leaves the answer to the caller.
pub(super) fn send(
    fake: &FakeRegistry,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<TcpStream> {
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", fake.host());
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    request += &format!("Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let mut request = request.into_bytes();
    request.extend_from_slice(body);
    let mut stream = TcpStream::connect(fake.address())?;
    stream.write_all(&request)?;
    Ok(stream)
}

fn parse(received: &[u8]) -> Option<Response> {
    let end = received.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&received[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
    Some(Response { status, headers: headers.collect(), body: received[end + 4..].to_vec() })
}

impl Response {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut own = self.headers.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
        own.next().map(|(_, value)| value.as_str())
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    pub(super) fn is_error(&self, status: u16, code: &str) -> bool {
        self.status == status && self.json()["errors"][0]["code"] == code
    }
}
