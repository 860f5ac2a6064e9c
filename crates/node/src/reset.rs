//! Signing everybody out while no node runs: the way back in on the machine itself.

use flowork_api_types::Timestamp;
use flowork_control::{AccessReset, ControlStore, PairingCode, StoreError};
use serde_json::json;

use crate::{Config, DataDir, DataDirError, InstanceLock, LockError, audit};

/// Why nobody was signed out.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    /// The data directory can't be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// A node runs, and only that one may write its files.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The control store can't be opened.
    #[error("the control store cannot be opened")]
    Open(#[source] flowork_control::OpenError),
    /// The control store failed.
    #[error("the control store failed")]
    Store(#[from] StoreError),
}

/// What a reset came to.
#[derive(Debug)]
pub struct Reset {
    /// What it took away.
    pub removed: AccessReset,
    /// Where the node will serve, as far as that is known: port 0 is another one at each start.
    pub url: Option<String>,
    /// Signs the owner in once, when the node runs again.
    pub pairing: PairingCode,
}

impl Reset {
    /// The link that signs the owner in once the node runs, if it is known where.
    pub fn link(&self) -> Option<String> {
        self.url.as_ref().map(|url| flowork_gateway::pairing_url(url, self.pairing.code.expose()))
    }
}

/// Ends every session and every unused link, and makes a link for the owner.
///
/// # Errors
/// See [`ResetError`].
pub async fn reset_access(config: &Config, forget_devices: bool, now: Timestamp) -> Result<Reset, ResetError> {
    let data_dir = DataDir::prepare(&config.data_dir)?;
    let _lock = InstanceLock::take(data_dir.path(), now)?;
    let control = ControlStore::open(&data_dir.control_db()).await.map_err(ResetError::Open)?;
    let reset = reset(&control, forget_devices, now).await;
    control.close().await;
    let (removed, pairing) = reset?;
    let listen = config.gateway.listen;
    let url = (listen.port() != 0).then(|| format!("http://{listen}"));
    Ok(Reset { removed, url, pairing })
}

async fn reset(
    control: &ControlStore,
    forget_devices: bool,
    now: Timestamp,
) -> Result<(AccessReset, PairingCode), StoreError> {
    let removed = control.reset_access(forget_devices, now).await?;
    let detail = json!({"ended_sessions": removed.ended_sessions, "removed_keys": removed.removed_keys});
    audit::owe(control, "session.reset", detail, now).await?;
    Ok((removed, control.create_pairing_code(now).await?))
}
