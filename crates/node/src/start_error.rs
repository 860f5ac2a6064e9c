//! Why a node did not start, and what to do about it.

use std::net::{IpAddr, SocketAddr};

use crate::{config::Place, data_dir::DataDirError, instance_lock::LockError, logs::LogError, port::PortHolder};

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
        /// Where `listen` was set, if this is that address and not another one of the node's.
        listen: Option<Place>,
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
            Self::PortTaken { holder, address, listen } => Some(hint_of_taken(holder, *address, listen.as_ref())),
            Self::Logs(LogError::Filter { .. }) => Some("log = \"info\" is a good value (FLOWORK_LOG)".to_owned()),
            Self::Egress(_) => Some("each is a host name or an IP address, with or without a port".to_owned()),
            _ => None,
        }
    }

    /// Whether somebody else has what the node needs: its data directory or its port.
    pub fn is_taken(&self) -> bool {
        matches!(self, Self::PortTaken { .. } | Self::Lock(LockError::Held { .. }))
    }

    /// Where the node could serve on a port that the system picks, which `config.toml` could then keep: nobody set
    /// another one over that file, and nobody outside of this machine was told the port that is taken.
    pub fn can_serve_elsewhere(&self) -> Option<IpAddr> {
        match self {
            Self::PortTaken { address, listen: Some(Place::Default | Place::File { .. }), .. }
                if address.ip().is_loopback() =>
            {
                Some(address.ip())
            }
            _ => None,
        }
    }

    /// Whether the port is taken by another account's Flowork, which this account can neither open nor stop.
    pub fn is_taken_by_another_account(&self) -> bool {
        matches!(self, Self::PortTaken { holder: PortHolder { is_flowork: true, is_of_another_account: true, .. }, .. })
    }
}

fn hint_of_taken(holder: &PortHolder, address: SocketAddr, listen: Option<&Place>) -> String {
    let elsewhere = format!("listen elsewhere: --listen {} takes a free port", SocketAddr::new(address.ip(), 0));
    match (&holder.process, holder.is_flowork) {
        (_, true) if holder.is_of_another_account => {
            let why = match listen {
                Some(Place::Default) => {
                    "Flowork serves there unless told otherwise, and each account needs a port of its own"
                }
                _ => "each account needs a port of its own",
            };
            format!("{why}; {elsewhere}")
        }
        (_, true) => format!("open that one with its own `flowork link`, or {elsewhere}"),
        _ if holder.is_of_another_account => elsewhere,
        (Some((_, pid)), false) => format!("stop pid {pid}, or {elsewhere}"),
        (None, false) => format!("stop it, or {elsewhere}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(address: &str, listen: Option<Place>, is_flowork: bool, is_of_another_account: bool) -> StartError {
        let holder = PortHolder { process: None, is_flowork, is_of_another_account };
        StartError::PortTaken { address: address.parse().unwrap(), holder, listen }
    }

    #[test]
    fn port_of_another_accounts_flowork_is_explained_and_its_link_is_not_offered() {
        let error = taken("127.0.0.1:7717", Some(Place::Default), true, true);
        assert_eq!(error.to_string(), "127.0.0.1:7717 is used by the Flowork of another account of this machine");
        let hint = error.hint().unwrap();
        assert!(hint.contains("unless told otherwise") && hint.contains("--listen 127.0.0.1:0"), "{hint}");
        assert!(!hint.contains("flowork link") && !hint.contains("stop"), "{hint}");
        assert!(error.is_taken_by_another_account());
        let own = taken("[::1]:7717", Some(Place::Default), true, false);
        let hint = own.hint().unwrap();
        assert!(hint.contains("flowork link") && hint.contains("--listen [::1]:0"), "{hint}");
        assert!(!own.is_taken_by_another_account());
    }

    #[test]
    fn another_port_will_do_only_where_nobody_outside_depends_on_it() {
        let file = Place::File { path: "config.toml".into(), line: 1 };
        let check = |address: &str, listen: Option<Place>, expected: bool| {
            let error = taken(address, listen.clone(), false, false);
            assert_eq!(error.can_serve_elsewhere().is_some(), expected, "{address} set by {listen:?}");
        };
        check("127.0.0.1:7717", Some(Place::Default), true);
        check("127.0.0.1:4000", Some(file.clone()), true);
        check("127.0.0.1:4000", Some(Place::Flag("--listen")), false);
        check("127.0.0.1:4000", Some(Place::Env("FLOWORK_LISTEN")), false);
        check("127.0.0.1:4000", None, false);
        check("192.0.2.1:4000", Some(file), false);
    }
}
