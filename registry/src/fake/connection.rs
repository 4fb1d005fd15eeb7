//! Connections that can be reset from within a request.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// A listener whose connections can be cut, and are counted.
pub(super) struct CuttableListener {
    listener: TcpListener,
    open: OpenConnections,
}

impl CuttableListener {
    pub(super) fn new(listener: TcpListener, open: OpenConnections) -> Self {
        Self { listener, open }
    }
}

/// How many connections have been accepted and not closed.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenConnections(Arc<(Mutex<usize>, Condvar)>);

impl OpenConnections {
    /// Blocks until there is none.
    pub(super) fn wait_for_none(&self) {
        let (count, changed) = &*self.0;
        let count = count.lock().unwrap_or_else(PoisonError::into_inner);
        drop(changed.wait_while(count, |count| *count > 0));
    }

    fn change(&self, change: impl FnOnce(&mut usize)) {
        let (count, changed) = &*self.0;
        change(&mut count.lock().unwrap_or_else(PoisonError::into_inner));
        changed.notify_all();
    }
}

/// A connection that ends with a reset once its [`Cut`] is made.
pub(super) struct Cuttable {
    stream: TcpStream,
    cut: Cut,
    open: OpenConnections,
}

/// Cuts one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Cut(Arc<AtomicBool>);

impl Cut {
    /// From here on nothing more is written to the connection, and it is reset when dropped.
    pub(super) fn make(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn check(&self) -> io::Result<()> {
        match self.0.load(Ordering::Acquire) {
            true => Err(io::ErrorKind::ConnectionReset.into()),
            false => Ok(()),
        }
    }
}

impl Listener for CuttableListener {
    type Io = Cuttable;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Cuttable, SocketAddr) {
        // axum's own accept loop: it survives errors such as too many open files.
        let (stream, address) = Listener::accept(&mut self.listener).await;
        // Small answers must not wait for the client's delayed acknowledgement; where that
        // cannot be set they are late, not wrong.
        drop(stream.set_nodelay(true));
        self.open.change(|count| *count += 1);
        (Cuttable { stream, cut: Cut::default(), open: self.open.clone() }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Connected<IncomingStream<'_, CuttableListener>> for Cut {
    fn connect_info(stream: IncomingStream<'_, CuttableListener>) -> Self {
        stream.io().cut.clone()
    }
}

impl Drop for Cuttable {
    fn drop(&mut self) {
        if self.cut.check().is_err() {
            // Without lingering, closing sends RST and not FIN; where that cannot be set the
            // connection still closes without an answer.
            drop(self.stream.set_zero_linger());
        }
        self.open.change(|count| *count -= 1);
    }
}

impl AsyncRead for Cuttable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.cut.check()?;
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Cuttable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.cut.check()?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.cut.check()?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A shutdown would send FIN, and the client would see an orderly end.
        self.cut.check()?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
