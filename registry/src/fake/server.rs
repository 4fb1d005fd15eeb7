//! The HTTP server around the [`World`]: recording, faults, delivery.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{Method, Response};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::sync::oneshot;

use super::answer::Answer;
use super::call::Call;
use super::connection::{Cut, CuttableListener, OpenConnections};
use super::fault::Fault;
use super::gate::Gate;
use super::record::{AuthorizationKind, Ticket};
use super::world::World;
use crate::apply::chain;

/// The world, shared by the server's thread and the test's.
pub(super) type Shared = Arc<Mutex<World>>;

/// The world, whatever a panicking test left of it.
pub(super) fn lock(shared: &Shared) -> MutexGuard<'_, World> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves until `stopped` fires or its sender is gone; then all connections are closed.
pub(super) fn run(
    listener: TcpListener,
    shared: Shared,
    open: OpenConnections,
    stopped: oneshot::Receiver<Infallible>,
) -> io::Result<()> {
    // axum's accept loop sleeps where there are no file descriptors left, hence the timer.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let listener = CuttableListener::new(listener, open);
        let app = Router::new().fallback(serve).with_state(shared);
        let app = app.into_make_service_with_connect_info::<Cut>();
        tokio::select! {
            served = axum::serve(listener, app) => served,
            _ = stopped => Ok(()),
        }
    })
}

async fn serve(
    State(shared): State<Shared>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let authorization = parts.headers.get("authorization");
    let authorization = authorization.map(|value| value.to_str().unwrap_or_default());
    let (ticket, fault) = {
        let mut world = lock(&shared);
        let kind = AuthorizationKind::of(authorization);
        let ticket = world.log.begin(parts.method.as_str(), path, kind);
        (ticket, world.faults.strike(parts.method.as_str(), path))
    };
    if matches!(fault, Some(Fault::Reset)) {
        return reset(&cut);
    }
    let limit = match fault {
        Some(Fault::CutUpload(bytes) | Fault::Hold { bytes, .. }) => bytes,
        _ => usize::MAX,
    };
    let mut stream = body.into_data_stream();
    let Some(body) = read(&shared, ticket, &mut stream, limit).await else {
        // The client went away in the middle; what is answered reaches nobody.
        return reset(&cut);
    };
    if matches!(fault, Some(Fault::Stall)) {
        return std::future::pending().await;
    }
    let call = Call::new(parts.method, &parts.uri, parts.headers, body);
    if let Some(Fault::Hold { reached, .. }) = &fault {
        lock(&shared).receive_part(&call);
        // A test that does not wait any more needs no message.
        let _ = reached.send(());
        // The rest is received by nobody; but that the client is gone shows only to who reads.
        while let Some(chunk) = stream.next().await {
            if chunk.is_err() {
                return reset(&cut);
            }
        }
        return std::future::pending().await;
    }
    if matches!(fault, Some(Fault::CutUpload(_))) {
        lock(&shared).receive_part(&call);
        return reset(&cut);
    }
    let answer = act_and_keep(&shared, &call, fault.as_ref()).await;
    if matches!(fault, Some(Fault::AnswerLost)) {
        return reset(&cut);
    }
    let (response, status, bytes) = deliver(answer, &call.method, fault.as_ref());
    if let Some(record) = lock(&shared).log.record(ticket) {
        record.status = Some(status);
        record.response_bytes = bytes;
    }
    response
}

/// The body up to `limit`, counted as it comes; `None` when it ends too early.
async fn read(
    shared: &Shared,
    ticket: Ticket,
    stream: &mut BodyDataStream,
    limit: usize,
) -> Option<Bytes> {
    let mut whole = Vec::new();
    while let Some(chunk) = stream.next().await {
        whole.extend_from_slice(&chunk.ok()?);
        if let Some(record) = lock(shared).log.record(ticket) {
            record.body_bytes = whole.len() as u64;
        }
        if whole.len() >= limit {
            whole.truncate(limit);
            break;
        }
    }
    Some(whole.into())
}

/// The answer, given once what it says is kept where it is to be kept.
async fn act_and_keep(shared: &Shared, call: &Call, fault: Option<&Fault>) -> Answer {
    let directory = lock(shared).directory.clone();
    let Some(directory) = directory.filter(|_| !call.method.is_safe()) else {
        return act(&mut lock(shared), call, fault);
    };
    let _turn = directory.turn().await;
    let (answer, changes) = {
        let mut world = lock(shared);
        let answer = act(&mut world, call, fault);
        (answer, std::mem::take(&mut world.changes))
    };
    for change in changes {
        if let Err(error) = directory.keep(change).await {
            return Answer::error(500, "UNKNOWN", &format!("failed to {}", chain(&error)));
        }
    }
    answer
}

/// The answer, with what the fault does to it short of the connection.
fn act(world: &mut World, call: &Call, fault: Option<&Fault>) -> Answer {
    match fault {
        Some(Fault::Answer(answer)) => return answer.clone(),
        Some(Fault::ExpireTokens) => world.tokens.expire(),
        Some(Fault::Retag { repository, tag, digest }) => {
            world.content(repository).tags.insert(tag.clone(), digest.clone());
        }
        _ => {}
    }
    let answer = match fault {
        Some(Fault::Rewrite) => world.answer(&call.with_line_end()),
        _ => world.answer(call),
    };
    match fault {
        Some(Fault::WrongDigestHeader) => {
            answer.with("Docker-Content-Digest", format!("sha256:{}", "0".repeat(64)))
        }
        Some(Fault::MissingDigestHeader) => answer.without("Docker-Content-Digest"),
        Some(Fault::SetHeader(name, value)) => answer.with(name, value),
        Some(Fault::WrongBytes) => answer.with_wrong_byte(),
        Some(Fault::ShortLength) => answer.without_last_byte(),
        _ => answer,
    }
}

/// The response, its status, and how many bytes of body it puts on the wire.
fn deliver(answer: Answer, method: &Method, fault: Option<&Fault>) -> (Response<Body>, u16, u64) {
    let bytes = answer.bytes().clone();
    let (status, size) = (answer.status(), bytes.len());
    let has_body = *method != Method::HEAD && size > 0;
    let whole = |answer: Answer| answer.with("Content-Length", size.to_string());
    match fault {
        Some(Fault::Truncate) if size > 0 => {
            let sent = if has_body { size / 2 } else { 0 };
            let body = truncated(bytes.slice(..size / 2));
            (whole(answer).into_response(body), status, sent as u64)
        }
        Some(Fault::Trickle(first, gate)) if has_body => {
            let body = trickling(&bytes, *first, gate.clone());
            (whole(answer).into_response(body), status, size as u64)
        }
        _ => {
            let sent = if has_body { size } else { 0 };
            (answer.into_response(Body::from(bytes)), status, sent as u64)
        }
    }
}

/// A body whose first bytes come at once, and the others when the gate is open.
fn trickling(bytes: &Bytes, first: usize, gate: Gate) -> Body {
    let at = first.min(bytes.len());
    let (first, rest) = (bytes.slice(..at), bytes.slice(at..));
    let first = stream::iter([first]).filter(|bytes| std::future::ready(!bytes.is_empty()));
    let rest = stream::once(async move {
        gate.pass().await;
        rest
    });
    Body::from_stream(first.chain(rest).map(Ok::<_, Infallible>))
}

/// A body that breaks off after `sent`: hyper then closes the connection.
fn truncated(sent: Bytes) -> Body {
    let mut sent = Some(sent).filter(|sent| !sent.is_empty());
    let mut waited = false;
    Body::from_stream(stream::poll_fn(move |cx| {
        if let Some(bytes) = sent.take() {
            return Poll::Ready(Some(Ok(bytes)));
        }
        if !waited {
            // One turn for hyper to put what it has on the wire: an error drops its buffer.
            waited = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::UnexpectedEof))))
    }))
}

/// Ends the connection with a reset: the response is never written.
fn reset(cut: &Cut) -> Response<Body> {
    cut.make();
    Response::new(Body::empty())
}

#[cfg(test)]
mod tests;
