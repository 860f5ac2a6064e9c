//! What every request can reach. Built once, when the gateway starts to serve.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock, RwLock},
};

use axum::body::Bytes;
use flowork_api_types::{Timestamp, node::Notice};
use flowork_audit::Audit;
use flowork_control::ControlStore;
use flowork_engine::{Clock, Engines};
use flowork_schedules::Schedules;
use flowork_sync::Sessions;
use flowork_tokens::TokenKeys;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    auth::{door::Door, tickets::Tickets},
    edge::{access::Access, admission::Admission, allow_list::AllowLists, audit::AuditedRoutes},
    options::Limits,
    router::{Permissions, RouteEntry},
    sockets::Sockets,
    sse::seats::Streams,
};

/// The parts of the node that the gateway serves.
#[derive(Clone)]
pub struct GatewayState {
    /// Jobs and who runs them.
    pub engines: Engines,
    /// What is enqueued when.
    pub schedules: Schedules,
    /// Who is active and how much time is left, for many clients at once.
    pub sync: Sessions,
    /// Members, sign-in sessions, pairing codes, engine tokens.
    pub control: ControlStore,
    /// Who did what.
    pub audit: Audit,
    /// Signs and checks tokens.
    pub tokens: TokenKeys,
    /// For what is stored; access tokens go by the wall clock.
    pub clock: Clock,
    /// What `GET /v1/status` tells.
    pub node: NodeFacts,
}

/// Facts about the process.
#[derive(Clone, Debug)]
pub struct NodeFacts {
    /// The node's version.
    pub version: String,
    /// Its data directory.
    pub data_dir: PathBuf,
    /// Where secrets are kept: `keychain` or `file`.
    pub vault: String,
    /// When it started.
    pub started_at: Timestamp,
    /// What a person should know; may change while running.
    pub notices: Arc<RwLock<Vec<Notice>>>,
}

/// Request bodies are accounted for in units of this many bytes.
pub(crate) const BODY_UNIT_BYTES: usize = 1 << 10;

/// [`GatewayState`] and what the gateway itself adds.
pub(crate) struct App {
    pub(crate) state: GatewayState,
    /// `http://127.0.0.1:7717`
    pub(crate) base_url: Arc<str>,
    /// `https://node.example.com`, if there is a tunnel.
    pub(crate) public_url: Option<Arc<str>>,
    pub(crate) limits: Limits,
    pub(crate) allowed: AllowLists,
    pub(crate) admission: Admission,
    /// Chains whose accounts may sign in; never empty.
    pub(crate) chain_ids: Vec<u64>,
    /// What opens streams in browsers.
    pub(crate) tickets: Tickets,
    /// WebSockets of sync sessions.
    pub(crate) sockets: Sockets,
    /// How many event streams there are, and whose.
    pub(crate) streams: Streams,
    /// Asked about every request of the tunnel's listener.
    pub(crate) access: Option<Access>,
    pub(crate) permissions: Permissions,
    pub(crate) routes: Vec<RouteEntry>,
    pub(crate) audited: AuditedRoutes,
    /// Calls that run to their end, whoever waits for them.
    pub(crate) audited_calls: TaskTracker,
    /// The OpenAPI document as JSON, made when it is first asked for.
    pub(crate) document: OnceLock<Bytes>,
    pub(crate) body_budget: Arc<Semaphore>,
    /// Held while a policy is stored and put in force, so that both happen in one order.
    pub(crate) policy_changes: tokio::sync::Mutex<()>,
    /// Held by calls that make a way in, and shut by those that close all of them.
    pub(crate) door: Door,
    /// Told when there is a new key, for the timer of the keys.
    pub(crate) keys_changed: Notify,
    /// Tells when the machine has slept: what goes by a timer looks at the clock.
    pub(crate) resumed: watch::Sender<()>,
    /// Fires when the gateway stops: long polls answer, event streams say goodbye.
    pub(crate) stopping: CancellationToken,
}

pub(crate) type AppState = Arc<App>;
