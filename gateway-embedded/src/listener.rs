//! Accepts connections, limits them, and ends them.
//!
//! An own loop on hyper, because `axum::serve` has no header timeout and waits for ever on event streams. Each
//! connection is a tracked task that ends by itself, by a timeout, or by one of two signals: `stopping` (answer what is
//! in flight, say goodbye on event streams, take nothing new) and, at the deadline, `cutting` (close the socket).

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    app::{App, AppState, BODY_UNIT_BYTES, GatewayState},
    edge::allow_list::AllowList,
    idle::{Activity, Watched},
    options::{GatewayOptions, Limits},
    router::{self, Permissions},
};

/// How long to wait when the system gives no connection, as when the process has no file descriptor left.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Why the gateway can't listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process listens there.
    #[error("{address} is taken by another process")]
    AddressInUse {
        /// Where it should have listened.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system does not allow it, as for ports below 1024.
    #[error("the system does not allow listening on {address}")]
    Forbidden {
        /// Where it should have listened.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// No interface of this machine has the address, or something else is wrong with it.
    #[error("can't listen on {address}")]
    Other {
        /// Where it should have listened.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// A gateway that has its port and does not answer yet.
pub struct BoundGateway {
    listener: TcpListener,
    local_addr: SocketAddr,
    options: GatewayOptions,
}

/// A gateway that serves. Dropping it cuts every connection.
pub struct GatewayHandle {
    local_addr: SocketAddr,
    tasks: TaskTracker,
    stopping: CancellationToken,
    cutting: CancellationToken,
}

/// How a shutdown went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// Connections that were still busy at the deadline and were cut.
    pub cut: usize,
}

/// Takes the port.
///
/// # Errors
/// See [`BindError`].
pub async fn bind(options: GatewayOptions) -> Result<BoundGateway, BindError> {
    let address = options.listen;
    let listening = async {
        let listener = TcpListener::bind(address).await?;
        let local_addr = listener.local_addr()?;
        Ok((listener, local_addr))
    };
    match listening.await {
        Ok((listener, local_addr)) => Ok(BoundGateway { listener, local_addr, options }),
        Err(source) => Err(bind_error(address, source)),
    }
}

impl BoundGateway {
    /// Where it listens, with the port the system picked.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Its address for a browser on this machine.
    pub fn base_url(&self) -> String {
        base_url(self.local_addr)
    }

    /// Starts to answer. Connections that came since [`bind`] have waited and are answered now.
    pub fn serve(self, state: GatewayState) -> GatewayHandle {
        let Self { listener, local_addr, options } = self;
        let table = router::all();
        let (stopping, cutting, tasks) = (CancellationToken::new(), CancellationToken::new(), TaskTracker::new());
        let app = Arc::new(App {
            state,
            base_url: base_url(local_addr),
            allowed: AllowList::new(local_addr, &options.extra_hosts, &options.extra_origins),
            permissions: Permissions::new(&table.entries),
            routes: table.entries,
            document: OnceLock::new(),
            policy_changes: tokio::sync::Mutex::default(),
            body_budget: Arc::new(Semaphore::new(options.limits.body_bytes_in_flight_max / BODY_UNIT_BYTES)),
            limits: options.limits,
            stopping: stopping.clone(),
        });
        let router = router::build(table.router.into(), &app);
        tasks.spawn(accept(listener, router, app, tasks.clone(), cutting.clone()));
        GatewayHandle { local_addr, tasks, stopping, cutting }
    }
}

impl GatewayHandle {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Its address for a browser on this machine.
    pub fn base_url(&self) -> String {
        base_url(self.local_addr)
    }

    /// Takes no new connections, lets what is in flight answer, ends event streams with `bye`, and cuts at the deadline
    /// whatever is left.
    pub async fn shutdown(self, deadline: Duration) -> Shutdown {
        self.stopping.cancel();
        self.tasks.close();
        if tokio::time::timeout(deadline, self.tasks.wait()).await.is_ok() {
            return Shutdown { cut: 0 };
        }
        let cut = self.tasks.len();
        self.cutting.cancel();
        self.tasks.wait().await;
        Shutdown { cut }
    }
}

impl Drop for GatewayHandle {
    fn drop(&mut self) {
        self.stopping.cancel();
        self.cutting.cancel();
    }
}

async fn accept(listener: TcpListener, router: Router, app: AppState, tasks: TaskTracker, cutting: CancellationToken) {
    let free = Arc::new(Semaphore::new(app.limits.connections_max));
    let mut told = false;
    loop {
        if free.available_permits() == 0 && !told {
            tracing::warn!(connections_max = app.limits.connections_max, "no more connections; new ones have to wait");
            told = true;
        }
        let accepted = tokio::select! {
            biased;
            () = app.stopping.cancelled() => return,
            accepted = next_connection(&listener, &free) => accepted,
        };
        match accepted {
            Ok((stream, permit)) => {
                told &= free.available_permits() == 0;
                tasks.spawn(serve_connection(stream, permit, router.clone(), app.clone(), cutting.clone()));
            }
            // The client was gone before we looked.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "can't accept a connection");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

async fn next_connection(
    listener: &TcpListener,
    free: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = free.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}

async fn serve_connection(
    stream: TcpStream,
    _permit: OwnedSemaphorePermit,
    router: Router,
    app: AppState,
    cutting: CancellationToken,
) {
    // Answers are small; waiting to fill a packet would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "can't set TCP_NODELAY");
    }
    let activity = Activity::start();
    let io = TokioIo::new(Watched::new(stream, activity.clone()));
    let connection = http(&app.limits).serve_connection(io, TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                }
                return;
            }
            () = app.stopping.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            () = activity.idle_for(app.limits.idle_timeout) => {
                tracing::debug!("nothing moved on a connection; it is cut");
                return;
            }
            () = cutting.cancelled() => return,
        }
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

fn base_url(local: SocketAddr) -> String {
    let mut local = local;
    if local.ip().is_unspecified() {
        local.set_ip(match local {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("http://{local}")
}

fn bind_error(address: SocketAddr, source: io::Error) -> BindError {
    match source.kind() {
        io::ErrorKind::AddrInUse => BindError::AddressInUse { address, source },
        io::ErrorKind::PermissionDenied => BindError::Forbidden { address, source },
        _ => BindError::Other { address, source },
    }
}
