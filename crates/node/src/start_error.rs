//! Why a node did not start, and what to do about it.

use std::net::SocketAddr;

use crate::{data_dir::DataDirError, instance_lock::LockError, logs::LogError, port::PortHolder};

/// Why a node did not start. Nothing of it runs any more.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// Another node has the data directory.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The logs cannot be written.
    #[error(transparent)]
    Logs(#[from] LogError),
    /// Another program has the port.
    #[error("{address} is used by {holder}")]
    PortTaken {
        /// The address.
        address: SocketAddr,
        /// Who has it.
        holder: PortHolder,
    },
    /// The address cannot be listened on for another reason.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: flowork_gateway::BindError,
    },
    /// The vault cannot be opened.
    #[error("the vault cannot be opened")]
    Vault(#[source] flowork_vault::OpenError),
    /// The vault does not give or take a secret.
    #[error("a secret cannot be read from the vault")]
    Secret(#[source] flowork_vault::VaultError),
    /// The keys that sign tokens can't be had.
    #[error("the node's signing keys cannot be had")]
    Key(#[source] flowork_tokens::OpenKeysError),
    /// The keys of people's tokens can't be replaced, as a reset of sign-ins wants.
    #[error("the keys of tokens from before the reset cannot be replaced")]
    ResetKeys(#[source] flowork_tokens::RotateError),
    /// What a reset of sign-ins left to do can't be read or noted.
    #[error("the control store failed")]
    Reset(#[source] flowork_control::StoreError),
    /// The audit log has no key.
    #[error("the audit log cannot be used")]
    AuditKeys(#[source] crate::audit::AuditError),
    /// The audit log cannot be opened.
    #[error("the audit log cannot be opened")]
    Audit(#[source] flowork_audit::OpenError),
    /// The owner's key cannot be enrolled.
    #[error("the owner's key cannot be enrolled")]
    Enroll(#[source] flowork_control::StoreError),
    /// The control store cannot be opened.
    #[error("the control store cannot be opened")]
    Control(#[source] flowork_control::OpenError),
    /// The first engine could not be made.
    #[error("the local engine could not be made")]
    LocalEngine(#[source] flowork_control::CreateEngineError),
    /// The job stores cannot be opened.
    #[error("the job stores cannot be opened")]
    Engines(#[source] flowork_engine::OpenError),
    /// The sync sessions cannot be opened.
    #[error("the sync sessions cannot be opened")]
    Sync(#[source] flowork_sync::OpenError),
    /// A host in the configuration is none.
    #[error("egress.allow_hosts cannot be read: {0}")]
    Egress(String),
    /// A provider in the configuration is none.
    #[error("{0}")]
    Provider(String),
    /// A built-in kind of job is broken.
    #[error("a built-in job kind could not be registered: {0}")]
    Kinds(String),
    /// A thread that the start needs broke.
    #[error("a step of the start panicked")]
    Panicked(#[source] tokio::task::JoinError),
}

impl StartError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::DataDir(error) => Some(error.hint()),
            Self::Lock(error) => error.hint(),
            Self::Vault(error) => error.hint(),
            Self::Secret(error) => error.hint(),
            Self::PortTaken { holder, address } => {
                let stop = match (&holder.process, holder.is_flowork) {
                    (_, true) => "open that one with its own `flowork link`".to_owned(),
                    (Some((_, pid)), false) => format!("stop pid {pid}"),
                    (None, false) => "stop it".to_owned(),
                };
                Some(format!("{stop}, or listen elsewhere: --listen {}:0 takes a free port", address.ip()))
            }
            Self::Logs(LogError::Filter { .. }) => Some("log = \"info\" is a good value (FLOWORK_LOG)".to_owned()),
            Self::Egress(_) => Some("each is a host name or an IP address, with or without a port".to_owned()),
            _ => None,
        }
    }

    /// Whether somebody else has what the node needs: its data directory or its port.
    pub fn is_taken(&self) -> bool {
        matches!(self, Self::PortTaken { .. } | Self::Lock(LockError::Held { .. }))
    }
}
