//! The beginning of a connection of AMQP 0-9-1.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::service::BoxError;

const START_OK: [u8; 4] = [0, 10, 0, 11];
const TUNE: [u8; 4] = [0, 10, 0, 30];
const TUNE_OK: [u8; 4] = [0, 10, 0, 31];
const OPEN: [u8; 4] = [0, 10, 0, 40];
const OPEN_OK: [u8; 4] = [0, 10, 0, 41];
const CLOSE: [u8; 4] = [0, 10, 0, 50];
const START: [u8; 4] = [0, 10, 0, 10];

const FRAME_END: u8 = 0xCE;

/// The server knows the user, and says no.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refused(String);

/// Logs in and opens the virtual host: what every client does first.
pub(super) async fn open(
    mut stream: TcpStream,
    user: &str,
    password: &str,
    vhost: &str,
) -> Result<(), BoxError> {
    stream.write_all(b"AMQP\0\0\x09\x01").await?;
    expect(&mut stream, START).await?;
    send(&mut stream, &start_ok(user, password)).await?;
    let tune = expect(&mut stream, TUNE).await?;
    // What the server suggests will do.
    send(&mut stream, &[&TUNE_OK[..], &tune].concat()).await?;
    send(&mut stream, &[&OPEN[..], &short(vhost)?, &[0, 0]].concat()).await?;
    expect(&mut stream, OPEN_OK).await?;
    // Reply code 200, no text, and nothing that was the reason.
    send(&mut stream, &[&CLOSE[..], &[0, 200, 0, 0, 0, 0, 0]].concat()).await
}

fn start_ok(user: &str, password: &str) -> Vec<u8> {
    // Without this property, a server that knows no such user says nothing and hangs up.
    let capability = b"\x1cauthentication_failure_closet\x01";
    let capabilities = [b"\x0ccapabilitiesF", &long(capability)[..]].concat();
    let login = format!("\0{user}\0{password}");
    [&START_OK[..], &long(&capabilities), b"\x05PLAIN", &long(login.as_bytes()), b"\x05en_US"]
        .concat()
}

fn long(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], bytes].concat()
}

fn short(text: &str) -> Result<Vec<u8>, BoxError> {
    let length = u8::try_from(text.len()).map_err(|_| format!("`{text}` is over 255 bytes"))?;
    Ok([&[length], text.as_bytes()].concat())
}

/// Sends a method on channel 0.
async fn send(stream: &mut TcpStream, method: &[u8]) -> Result<(), BoxError> {
    stream.write_all(&[&[1, 0, 0][..], &long(method), &[FRAME_END]].concat()).await?;
    Ok(())
}

/// The arguments of a method that has to come next.
async fn expect(stream: &mut TcpStream, method: [u8; 4]) -> Result<Vec<u8>, BoxError> {
    let mut head = [0; 7];
    stream.read_exact(&mut head).await?;
    let [1, 0, 0, length @ ..] = head else {
        return Err(format!("{head:?} is not the beginning of a method").into());
    };
    let mut rest = vec![0; usize::try_from(u32::from_be_bytes(length))?];
    stream.read_exact(&mut rest).await?;
    stream.read_exact(&mut [0]).await?;
    let found = rest.split_off(4.min(rest.len()));
    match rest {
        rest if rest == method => Ok(found),
        rest if rest == CLOSE => Err(closed(&found)),
        rest => Err(format!("method {rest:?} instead of {method:?}").into()),
    }
}

/// Why the server does not go on.
fn closed(arguments: &[u8]) -> BoxError {
    let [high, low, length, text @ ..] = arguments else { return "closed".into() };
    let text = String::from_utf8_lossy(&text[..text.len().min((*length).into())]).into_owned();
    match u16::from_be_bytes([*high, *low]) {
        // Access refused; not allowed, which is said of a virtual host.
        403 | 530 => Refused(text).into(),
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn answer(method: Vec<u8>) -> BoxError {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let server = async {
            let mut stream = listener.accept().await.unwrap().0;
            send(&mut stream, &method).await.unwrap();
            stream
        };
        let (opened, _stream) = tokio::join!(open(client, "user", "password", "/"), server);
        opened.unwrap_err()
    }

    #[tokio::test]
    async fn a_refusal_is_told_from_a_server_that_is_not_ready() {
        let close = |code: u16, text: &str| {
            [&CLOSE[..], &code.to_be_bytes(), &short(text).unwrap(), &[0, 0, 0, 0]].concat()
        };
        let refused = answer(close(403, "ACCESS_REFUSED")).await;
        assert!(refused.is::<Refused>() && refused.to_string() == "ACCESS_REFUSED", "{refused}");
        let later = answer(close(541, "INTERNAL_ERROR")).await;
        assert!(!later.is::<Refused>() && later.to_string() == "INTERNAL_ERROR", "{later}");
        let other = answer(OPEN.to_vec()).await;
        assert_eq!(other.to_string(), "method [0, 10, 0, 40] instead of [0, 10, 0, 10]");
    }
}
