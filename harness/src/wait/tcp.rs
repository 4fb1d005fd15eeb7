//! Waiting for a port.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::state::Note;
use crate::backoff::Backoff;
use crate::handle::ContainerHandle;
use crate::port::Reach;

/// How long a connection may take to come about.
const CONNECT_DEADLINE: Duration = Duration::from_secs(1);

/// How long a proxy has to close what nobody listens to behind it.
const PROXY_PAUSE: Duration = Duration::from_millis(250);

pub(crate) async fn watch(handle: &ContainerHandle, port: u16, note: &Note) {
    let mut backoff = Backoff::new();
    loop {
        match handle.reach(port).await {
            Ok(reach) => match knock(reach).await {
                Ok(()) => return,
                Err(error) => note.saw(format_args!("{}: {error}", reach.address())),
            },
            Err(error) => note.saw(error),
        }
        backoff.pause().await;
    }
}

async fn knock(reach: Reach) -> io::Result<()> {
    match reach {
        Reach::Direct(address) => connect(address).await.map(drop),
        Reach::Published(address) => {
            let mut stream = connect(address).await?;
            let mut byte = [0];
            match timeout(PROXY_PAUSE, stream.read(&mut byte)).await {
                Ok(Ok(0)) => Err(io::Error::new(
                    io::ErrorKind::ConnectionReset,
                    "connected to the engine's proxy, which closed the connection",
                )),
                Ok(Err(error)) => Err(error),
                // It speaks first, or waits for us to.
                Ok(Ok(_)) | Err(_) => Ok(()),
            }
        }
    }
}

pub(crate) async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    match timeout(CONNECT_DEADLINE, TcpStream::connect(address)).await {
        Ok(connected) => connected,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer to the connection")),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    #[tokio::test]
    async fn edge_published_port_a_proxy_that_closes_at_once_is_not_a_service() {
        let (listener, address) = listener().await;
        let proxy = async { drop(listener.accept().await.unwrap()) };
        let (knocked, ()) = tokio::join!(knock(Reach::Published(address)), proxy);
        assert!(knocked.is_err());
    }

    #[tokio::test]
    async fn a_service_that_is_silent_or_speaks_first_is_one() {
        for words in ["", "220 ready\r\n"] {
            let (listener, address) = listener().await;
            let service = async {
                let stream = listener.accept().await.unwrap().0;
                tokio::io::AsyncWriteExt::write_all(&mut { stream }, words.as_bytes())
                    .await
                    .unwrap();
            };
            let silent = async {
                let stream = listener.accept().await.unwrap().0;
                std::future::pending::<()>().await;
                drop(stream);
            };
            let knocked = async { knock(Reach::Published(address)).await };
            let knocked = if words.is_empty() {
                tokio::select! { knocked = knocked => knocked, () = silent => unreachable!() }
            } else {
                tokio::join!(knocked, service).0
            };
            knocked.unwrap();
        }
    }

    #[tokio::test]
    async fn a_closed_port_is_refused() {
        let (listener, address) = listener().await;
        drop(listener);
        let error = knock(Reach::Direct(address)).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}
