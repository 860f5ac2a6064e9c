//! The loop that takes connections of one listener, and the task of each connection.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    exchange::Exchanges,
    refusal::Refusal,
    room::{Room, Taken},
    socket::Socket,
};
use crate::{
    app::AppState,
    edge::client::{Arrival, Ingress},
    options::Limits,
};

/// How long to wait when the system gives no connection, as when the process has no file descriptor left.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// What the connections of one listener share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) router: Router,
    pub(super) app: AppState,
    pub(super) tasks: TaskTracker,
    pub(super) cutting: CancellationToken,
    pub(super) ingress: Ingress,
    pub(super) room: Arc<Room>,
}

/// Takes connections until the gateway stops. Each listener has its own loop and its own room, so that a flood on one
/// does not keep others out of the other.
pub(super) async fn accept(listener: TcpListener, shared: Shared) {
    loop {
        let entered = tokio::select! {
            biased;
            () = shared.app.stopping.cancelled() => return,
            entered = next(&listener, &shared.room) => entered,
        };
        match entered {
            Ok(Some((stream, peer, taken))) => {
                let arrival = Arrival { peer, ingress: shared.ingress };
                shared.tasks.spawn(serve(stream, arrival, taken, shared.clone()));
            }
            Ok(None) => {}
            // The client was gone before we looked.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "can't accept a connection");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

async fn next(listener: &TcpListener, room: &Arc<Room>) -> io::Result<Option<(TcpStream, SocketAddr, Taken)>> {
    let (stream, peer) = listener.accept().await?;
    match room.enter(peer).await {
        Ok(taken) => Ok(Some((stream, peer, taken))),
        Err(_) => {
            tracing::debug!(peer = %peer.ip(), "one address has all the connections it may have");
            Ok(None)
        }
    }
}

/// Serves one connection to its end, also if it becomes a WebSocket.
async fn serve(stream: TcpStream, arrival: Arrival, taken: Taken, shared: Shared) {
    let Shared { router, app, cutting, .. } = shared;
    // Answers are small; waiting to fill a packet would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "can't set TCP_NODELAY");
    }
    let (seat, room) = (Arc::clone(&taken.seat), taken.room());
    let socket = Socket::new(stream, Arc::clone(&seat), Arc::clone(room));
    let closed = socket.closed();
    let exchanges = Exchanges::new(router, arrival, Arc::clone(&seat), Arc::clone(room));
    let mut connection = http(&app.limits).serve_connection(TokioIo::new(socket), exchanges).with_upgrades();
    let mut stopping = false;
    let ended = loop {
        tokio::select! {
            ended = &mut connection => break ended,
            () = app.stopping.cancelled(), if !stopping => {
                stopping = true;
                std::pin::Pin::new(&mut connection).graceful_shutdown();
            }
            () = seat.idle_for(app.limits.idle_timeout) => {
                tracing::debug!("nothing moved on a connection; it is cut");
                return;
            }
            () = seat.unread_for(app.limits.answer_idle_timeout) => {
                tracing::debug!("a client does not read its answer; its connection is cut");
                if let Some(parts) = connection.into_parts() {
                    forget(&parts.io.into_inner().into_stream());
                }
                return;
            }
            () = seat.cut.cancelled() => return,
            () = cutting.cancelled() => return,
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
        let refusal = Refusal::of(&error, &seat);
        if let (Some(refusal), Some(parts)) = (refusal, connection.into_parts()) {
            refusal.send(parts.io.into_inner().into_stream(), arrival.ingress == Ingress::Tunnel).await;
        }
        return;
    }
    drop(connection);
    if seat.is_upgraded() {
        tokio::select! {
            () = closed.cancelled() => {}
            () = seat.idle_for(app.limits.idle_timeout) => seat.cut.cancel(),
            () = cutting.cancelled() => seat.cut.cancel(),
        }
    }
}

/// Has the system drop what the client has not read, which it would else keep, and offer again, for minutes after the end.
fn forget(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        tracing::debug!(%error, "can't set SO_LINGER");
    }
}

fn http(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(limits.head_bytes_max)
        .max_headers(limits.headers_max)
        .keep_alive(true)
        .half_close(false);
    builder
}
