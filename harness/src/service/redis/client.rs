//! Redis's protocol (RESP 2), as far as a test needs it.

use std::io;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::handle::ContainerHandle;
use crate::service::{BoxError, dial};

/// A connection to a server.
#[derive(Debug)]
pub(super) struct Client(BufReader<TcpStream>);

/// What a server answers.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Text(String),
    Nothing,
    Many(Vec<Reply>),
}

impl Client {
    pub(super) async fn connect(
        handle: &ContainerHandle,
        port: u16,
        password: Option<&str>,
    ) -> Result<Self, BoxError> {
        let mut client = Self(BufReader::new(dial(handle, port).await?));
        if let Some(password) = password {
            client.ask(&["AUTH", password]).await?;
        }
        Ok(client)
    }

    pub(super) async fn ask<S: AsRef<str>>(&mut self, words: &[S]) -> Result<Reply, BoxError> {
        let mut request = format!("*{}\r\n", words.len());
        for word in words.iter().map(AsRef::as_ref) {
            request += &format!("${}\r\n{word}\r\n", word.len());
        }
        self.0.write_all(request.as_bytes()).await?;
        self.reply().await
    }

    fn reply(&mut self) -> BoxFuture<'_, Result<Reply, BoxError>> {
        async move {
            let mut line = Vec::new();
            self.0.read_until(b'\n', &mut line).await?;
            let text = String::from_utf8_lossy(line.strip_suffix(b"\r\n").unwrap_or(&line));
            let mut rest = text.chars();
            let kind = rest.next().ok_or(io::ErrorKind::UnexpectedEof).map_err(io::Error::from)?;
            let rest = rest.as_str();
            Ok(match kind {
                '+' | ':' => Reply::Text(rest.to_owned()),
                '-' => return Err(rest.into()),
                '$' => match rest.parse::<usize>() {
                    Ok(length) => {
                        let mut bytes = vec![0; length + 2];
                        self.0.read_exact(&mut bytes).await?;
                        Reply::Text(String::from_utf8_lossy(&bytes[..length]).into_owned())
                    }
                    Err(_) => Reply::Nothing,
                },
                '*' => {
                    let mut replies = Vec::new();
                    for _ in 0..rest.parse().unwrap_or(0) {
                        replies.push(self.reply().await?);
                    }
                    Reply::Many(replies)
                }
                _ => return Err(format!("{text:?} is no answer of Redis").into()),
            })
        }
        .boxed()
    }
}

impl Reply {
    /// All text in it, one after the other.
    pub(super) fn texts(self) -> Vec<String> {
        match self {
            Self::Text(text) => vec![text],
            Self::Nothing => vec![String::new()],
            Self::Many(replies) => replies.into_iter().flat_map(Self::texts).collect(),
        }
    }
}
