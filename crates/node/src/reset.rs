//! Signing everybody out while no node runs: the way back in on the machine itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use flowork_api_types::{Timestamp, admin::TokenSet, member::OWNER_SUBJECT};
use flowork_audit::{Actor, Audit, Entry};
use flowork_control::{AccessReset, ControlStore, Forget, MemberKeyRecord, MemberRecord, PairingCode, StoreError};
use flowork_tokens::TokenKeys;
use serde_json::json;

use crate::{Config, DataDir, DataDirError, InstanceLock, LockError, StartError, audit};

/// The setting that says that the keys of people's and admin tokens are to be replaced at the next start. The keys are in
/// the vault, which a person may have to open, and the way back in must work without.
const KEYS_OWED: &str = "reset.keys_owed";

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
    /// The keys by which the owner can still sign in.
    pub owner_keys: Vec<MemberKeyRecord>,
    /// Who can still sign in beside the owner.
    pub members: Vec<MemberRecord>,
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

/// Ends every session and every unused link, and makes a link for the owner. Tokens of scripts, admin tokens among them,
/// end with the next start.
///
/// # Errors
/// See [`ResetError`].
pub async fn reset_access(config: &Config, forget: Forget, now: Timestamp) -> Result<Reset, ResetError> {
    let data_dir = DataDir::prepare(&config.data_dir)?;
    let _lock = InstanceLock::take(data_dir.path(), now)?;
    let control = ControlStore::open(&data_dir.control_db()).await.map_err(ResetError::Open)?;
    let reset = reset(&control, forget, now).await;
    let owner_keys = control.member_keys(OWNER_SUBJECT);
    let may_sign_in = |member: &MemberRecord| member.subject != OWNER_SUBJECT && member.disabled_at.is_none();
    let members = control.members().into_iter().filter(may_sign_in).collect();
    control.close().await;
    let (removed, pairing) = reset?;
    let listen = config.gateway.listen;
    let url = (listen.port() != 0).then(|| url_of(listen));
    Ok(Reset { removed, owner_keys, members, url, pairing })
}

/// Where a browser on this machine finds what listens there.
fn url_of(mut listen: SocketAddr) -> String {
    if listen.ip().is_unspecified() {
        let loopback: IpAddr = if listen.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
        listen.set_ip(loopback);
    }
    format!("http://{listen}")
}

async fn reset(
    control: &ControlStore,
    forget: Forget,
    now: Timestamp,
) -> Result<(AccessReset, PairingCode), StoreError> {
    // First, so that a reset that ends too early has not forgotten it.
    control.set_setting(KEYS_OWED, Some("yes")).await?;
    let removed = control.reset_access(forget, now).await?;
    let detail = json!({"ended_sessions": removed.ended_sessions, "removed_keys": removed.removed_keys});
    audit::owe(control, "session.reset", detail, now).await?;
    Ok((removed, control.create_pairing_code(now).await?))
}

/// Replaces the keys of people's and admin tokens if a reset wants that, so that none that was signed before counts any
/// more.
pub(crate) async fn replace_keys(
    control: &ControlStore,
    tokens: &TokenKeys,
    now: Timestamp,
) -> Result<bool, StartError> {
    if control.setting(KEYS_OWED).await.map_err(StartError::Reset)?.is_none() {
        return Ok(false);
    }
    let tokens = tokens.clone();
    let end = move || tokens.end_tokens_of_people(now);
    tokio::task::spawn_blocking(end).await.map_err(StartError::Panicked)?.map_err(StartError::ResetKeys)?;
    control.set_setting(KEYS_OWED, None).await.map_err(StartError::Reset)?;
    Ok(true)
}

/// Writes down that it replaced them.
pub(crate) async fn record_replaced(audit: &Audit) {
    let sets = [TokenSet::User, TokenSet::Admin].map(TokenSet::as_str);
    let detail = json!({"sets": sets, "end_old": true, "reason": "sign-ins were reset"});
    audit::record(audit, Entry::new(Actor::node(), "keys.rotate").detail(&detail)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_can_open_the_url_wherever_the_node_listens() {
        let urls = [
            ("0.0.0.0:7717", "http://127.0.0.1:7717"),
            ("[::]:7717", "http://[::1]:7717"),
            ("127.0.0.1:1", "http://127.0.0.1:1"),
        ];
        for (listen, url) in urls {
            assert_eq!(url_of(listen.parse().unwrap()), url);
        }
    }
}
