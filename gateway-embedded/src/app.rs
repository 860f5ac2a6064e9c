//! What every request can reach. Built once, when the gateway starts to serve.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock, RwLock},
};

use flowork_api_types::{Timestamp, node::Notice};
use flowork_control::ControlStore;
use flowork_engine::{Clock, Engines};
use flowork_schedules::Schedules;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{
    auth::tokens::TokenKeys,
    edge::allow_list::AllowList,
    options::Limits,
    router::{Permissions, RouteEntry},
};

/// The parts of the node that the gateway serves.
#[derive(Clone)]
pub struct GatewayState {
    /// Jobs and who runs them.
    pub engines: Engines,
    /// What is enqueued when.
    pub schedules: Schedules,
    /// Sign-in sessions, pairing codes, engine tokens.
    pub control: ControlStore,
    /// Signs and checks access tokens.
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
    pub(crate) base_url: String,
    pub(crate) limits: Limits,
    pub(crate) allowed: AllowList,
    pub(crate) permissions: Permissions,
    pub(crate) routes: Vec<RouteEntry>,
    /// The OpenAPI document as JSON, made when it is first asked for.
    pub(crate) document: OnceLock<String>,
    pub(crate) body_budget: Arc<Semaphore>,
    /// Held while a policy is stored and put in force, so that both happen in one order.
    pub(crate) policy_changes: tokio::sync::Mutex<()>,
    /// Fires when the gateway stops: long polls answer, event streams say goodbye.
    pub(crate) stopping: CancellationToken,
}

pub(crate) type AppState = Arc<App>;
