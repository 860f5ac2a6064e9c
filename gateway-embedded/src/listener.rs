//! Accepts connections, limits them, and ends them.
//!
//! An own loop on hyper, because `axum::serve` has no header timeout and waits for ever on event streams. Each
//! connection is a tracked task that ends by itself, by a timeout, or by one of two signals: `stopping` (answer what is
//! in flight, say goodbye on event streams, take nothing new) and, at the deadline, `cutting` (close the socket).
//!
//! There are two listeners: one for this machine, and one, if the owner wants it, for a tunnel. Each has its own loop
//! (`accept`) and its own room for connections (`room`), so that strangers can't starve the local window.

mod accept;
mod exchange;
mod refusal;
mod room;
mod seat;
mod socket;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpSocket},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    accept::{Shared, accept},
    room::Room,
};
use crate::{
    app::{App, BODY_UNIT_BYTES, GatewayState},
    auth::{door::Door, member_list, rotation, tickets::Tickets},
    edge::{
        access::{Access, AccessSetUpError},
        admission::Admission,
        allow_list::{AllowList, AllowLists, public_url},
        audit::AuditedRoutes,
        client::Ingress,
    },
    options::GatewayOptions,
    router::{self, Permissions},
    sockets::Sockets,
    sse::seats::Streams,
};

/// What the system may hold of an answer that the client has not read; connections have it from their listener. Some
/// systems take megabytes by themselves and ask for more only when a third of that is read, so that a client on a slow
/// line looked like one that does not read at all. They also are memory that a client could use up.
const SEND_BUFFER_BYTES: u32 = 32 << 10;
/// Connections that wait to be accepted; the system may have a lower bound of its own.
const BACKLOG: u32 = 4_096;

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
    /// The owner did not say that other machines may reach the node.
    #[error("{address} is reachable from other machines, and nobody asked for that")]
    BeyondLoopback {
        /// Where it should have listened.
        address: SocketAddr,
    },
    /// The settings of Cloudflare Access are wrong.
    #[error(transparent)]
    Access(#[from] AccessError),
}

/// Cloudflare Access can't be asked about requests.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct AccessError(AccessSetUpError);

impl BindError {
    /// The address that can't be had, where it is about one.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::AddressInUse { address, .. }
            | Self::Forbidden { address, .. }
            | Self::Other { address, .. }
            | Self::BeyondLoopback { address } => Some(*address),
            Self::Access(_) => None,
        }
    }
}

/// A gateway that has its ports and does not answer yet.
pub struct BoundGateway {
    local: Bound,
    tunnel: Option<Bound>,
    access: Option<Access>,
    options: GatewayOptions,
}

struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

/// A gateway that serves. Dropping it cuts every connection.
pub struct GatewayHandle {
    local_addr: SocketAddr,
    tunnel_addr: Option<SocketAddr>,
    tasks: TaskTracker,
    audited_calls: TaskTracker,
    app: Arc<App>,
    stopping: CancellationToken,
    cutting: CancellationToken,
}

/// How a shutdown went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// Connections that were still busy at the deadline and were cut.
    pub cut: usize,
}

/// Takes the ports.
///
/// # Errors
/// See [`BindError`].
pub async fn bind(options: GatewayOptions) -> Result<BoundGateway, BindError> {
    let local = listen(options.listen, options.beyond_loopback)?;
    let (mut tunnel, mut access) = (None, None);
    if let Some(wanted) = &options.tunnel {
        access = wanted.access.as_ref().map(Access::new).transpose().map_err(AccessError)?;
        tunnel = Some(listen(wanted.listen, options.beyond_loopback)?);
    }
    Ok(BoundGateway { local, tunnel, access, options })
}

fn listen(address: SocketAddr, beyond_loopback: bool) -> Result<Bound, BindError> {
    if !address.ip().is_loopback() && !beyond_loopback {
        return Err(BindError::BeyondLoopback { address });
    }
    let listening = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // As the standard library does: on Windows this would let another program share the port.
        #[cfg(not(windows))]
        socket.set_reuseaddr(true)?;
        socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        io::Result::Ok(Bound { listener, address })
    };
    listening().map_err(|source| bind_error(address, source))
}

impl BoundGateway {
    /// Where it listens, with the port the system picked.
    pub fn local_addr(&self) -> SocketAddr {
        self.local.address
    }

    /// Where it listens for a tunnel, if it does.
    pub fn tunnel_addr(&self) -> Option<SocketAddr> {
        self.tunnel.as_ref().map(|bound| bound.address)
    }

    /// Its address for a browser on this machine.
    pub fn base_url(&self) -> String {
        base_url(self.local.address)
    }

    /// Starts to answer. Connections that came since [`bind`] have waited and are answered now.
    pub fn serve(self, state: GatewayState) -> GatewayHandle {
        let Self { local, tunnel, access, options } = self;
        let limits = options.limits;
        let table = router::all();
        let audited_calls = TaskTracker::new();
        let (stopping, cutting, tasks) = (CancellationToken::new(), CancellationToken::new(), TaskTracker::new());
        let public_hosts = options.tunnel.map(|tunnel| tunnel.public_hosts).unwrap_or_default();
        let app = Arc::new(App {
            state,
            base_url: base_url(local.address).into(),
            public_url: public_hosts.first().map(|host| public_url(host)),
            allowed: AllowLists {
                local: AllowList::local(local.address, &options.extra_hosts, &options.extra_origins),
                tunnel: AllowList::tunnel(&public_hosts, &options.extra_origins),
            },
            admission: Admission::new(&options.rates, &limits),
            chain_ids: options.chain_ids,
            tickets: Tickets::default(),
            sockets: Sockets::new(&limits, tasks.clone(), stopping.clone()),
            streams: Streams::new(&limits),
            access,
            permissions: Permissions::new(&table.entries),
            audited: AuditedRoutes::new(&table.entries),
            audited_calls: audited_calls.clone(),
            routes: table.entries,
            document: OnceLock::new(),
            policy_changes: tokio::sync::Mutex::default(),
            door: Door::default(),
            keys_changed: tokio::sync::Notify::new(),
            body_budget: Arc::new(Semaphore::new(limits.body_bytes_in_flight_max / BODY_UNIT_BYTES)),
            limits: limits.clone(),
            resumed: tokio::sync::watch::Sender::new(()),
            stopping: stopping.clone(),
        });
        let router = router::build(table.router, &app);
        app.state.engines.set_members(app.state.control.allow_list());
        tasks.spawn(member_list::follow(Arc::clone(&app)));
        tasks.spawn(rotation::run(Arc::clone(&app)));
        let (local_addr, tunnel_addr) = (local.address, tunnel.as_ref().map(|bound| bound.address));
        let listeners = [
            (Some(local), Ingress::Local, limits.connections_max),
            (tunnel, Ingress::Tunnel, limits.tunnel_connections_max),
        ];
        for (bound, ingress, connections_max) in listeners {
            let Some(Bound { listener, .. }) = bound else { continue };
            let shared = Shared {
                router: router.clone(),
                app: Arc::clone(&app),
                tasks: tasks.clone(),
                cutting: cutting.clone(),
                ingress,
                room: Room::new(connections_max, limits.connections_per_address_max),
            };
            tasks.spawn(accept(listener, shared));
        }
        GatewayHandle { local_addr, tunnel_addr, tasks, audited_calls, app, stopping, cutting }
    }
}

impl GatewayHandle {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Where it listens for a tunnel, if it does.
    pub fn tunnel_addr(&self) -> Option<SocketAddr> {
        self.tunnel_addr
    }

    /// Its address for a browser on this machine.
    pub fn base_url(&self) -> String {
        base_url(self.local_addr)
    }

    /// Something that looks at everything that depends on time, once the machine has slept.
    pub fn waker(&self) -> Waker {
        Waker(Arc::downgrade(&self.app))
    }

    /// Takes no new connections, lets what is in flight answer, ends event streams with `bye`, and cuts at the deadline
    /// whatever is left.
    pub async fn shutdown(self, deadline: Duration) -> Shutdown {
        self.stopping.cancel();
        self.tasks.close();
        let mut cut = 0;
        if tokio::time::timeout(deadline, self.tasks.wait()).await.is_err() {
            cut = self.tasks.len();
            self.cutting.cancel();
            self.tasks.wait().await;
        }
        // What they did must be in the audit log before it closes.
        self.audited_calls.close();
        if tokio::time::timeout(deadline, self.audited_calls.wait()).await.is_err() {
            tracing::error!(calls = self.audited_calls.len(), "calls did not end; the audit log closes without them");
        }
        Shutdown { cut }
    }
}

/// Looks at everything of a gateway that depends on time. Cheap to clone; keeps nothing alive.
#[derive(Clone)]
pub struct Waker(Weak<App>);

impl Waker {
    /// The machine has slept, or its clock was set: streams end whose tokens have run out meanwhile, sockets are asked
    /// whether anybody is there, and keys are replaced that should have been.
    pub fn resumed(&self) {
        let Some(app) = self.0.upgrade() else { return };
        app.resumed.send_replace(());
        app.sockets.look_after_all();
        app.keys_changed.notify_one();
    }
}

impl Drop for GatewayHandle {
    fn drop(&mut self) {
        self.stopping.cancel();
        self.cutting.cancel();
    }
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
