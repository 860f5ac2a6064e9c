//! Getting to a node: starting one, or finding the one that has the data directory already.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use flowork_node::access::{AccessError, TokenSigner};
use flowork_node::{Config, Flags, Holder, InstanceLock, LockError, Node, NodeHandle, StartError};
use flowork_shell::{ClientError, Hosting, NodeClient};
use tauri::Url;

use crate::failure::Failure;

/// How long a node that is just being started by another process may take until it serves.
const SERVES_WITHIN: Duration = Duration::from_secs(10);
/// Between two looks at whether it does.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A node that can be shown.
pub(crate) struct Hosted {
    /// Asks it things.
    pub(crate) client: NodeClient,
    /// Whose it is.
    pub(crate) hosting: Hosting,
    /// The node, where this app started it. One that was found running is not this app's to stop.
    pub(crate) node: Option<NodeHandle>,
    /// The folder with its logs.
    pub(crate) logs: PathBuf,
}

/// Why a node that runs cannot be shown.
#[derive(Debug, thiserror::Error)]
enum AttachError {
    /// This program has no right to ask.
    #[error("Flowork runs already, and this window cannot sign in to it")]
    Access(#[source] AccessError),
    /// It does not answer, or not as a node does.
    #[error("Flowork runs already (pid {pid}, {url}), and this window cannot show it")]
    Unreachable {
        /// Its process.
        pid: u32,
        /// Where it should be.
        url: String,
        /// What happened.
        #[source]
        source: ClientError,
    },
    /// It says that it is nowhere.
    #[error("Flowork runs already (pid {pid}) and says that it serves at {url:?}")]
    Nowhere {
        /// Its process.
        pid: u32,
        /// What it says.
        url: String,
        /// Why that is nowhere.
        #[source]
        source: <Url as FromStr>::Err,
    },
    /// Reading the vault broke.
    #[error("reading the vault broke off")]
    Panicked(#[source] tokio::task::JoinError),
}

impl AttachError {
    /// What to do about it.
    fn hint(&self) -> Option<String> {
        match self {
            Self::Access(error) => error.hint(),
            Self::Unreachable { pid, source: ClientError::Unreachable { .. }, .. } | Self::Nowhere { pid, .. } => {
                Some(format!("end pid {pid}, then try again"))
            }
            Self::Unreachable { source, .. } => source.hint(),
            Self::Panicked(_) => None,
        }
    }
}

/// Starts a node, or attaches to the one that runs on the same data directory.
pub(crate) async fn start_or_attach(flags: &Flags) -> Result<Hosted, Failure> {
    let config = Config::load(flags).map_err(|error| Failure::new(&error, error.hint(), None))?;
    let logs = config.data_dir.join("logs");
    let fail = |error: StartError| Failure::of_start(&error, logs.clone());
    let error = match Node::start(config.clone()).await {
        Ok(node) => return own(node, &config.data_dir, logs).await,
        Err(error) => error,
    };
    let StartError::Lock(LockError::Held { holder, .. }) = &error else { return Err(fail(error)) };
    match serving(&config.data_dir, holder.clone()).await {
        Some(Holder { pid, url: Some(url), .. }) => {
            attach_to(flags, &url, pid).await.map_err(|unattached| unattached.failure)
        }
        // It ended meanwhile.
        None => own(Node::start(config.clone()).await.map_err(fail)?, &config.data_dir, logs).await,
        Some(_) => Err(fail(error)),
    }
}

/// Why the app is not attached to a node.
pub(crate) struct Unattached {
    pub(crate) failure: Failure,
    /// It may go better a moment later. Where a person has said no, or has to mend something first, it does not.
    pub(crate) may_pass: bool,
}

/// Attaches to a node that serves, and never starts one.
pub(crate) async fn attach_to(flags: &Flags, url: &str, pid: u32) -> Result<Hosted, Unattached> {
    let config = Config::load(flags).map_err(|error| {
        let failure = Failure::new(&error, error.hint(), None);
        Unattached { failure, may_pass: false }
    })?;
    let logs = config.data_dir.join("logs");
    match attach(&config, url, pid).await {
        Ok(client) => Ok(Hosted { client, hosting: Hosting::Service { pid }, node: None, logs }),
        Err(error) => {
            let may_pass = matches!(error, AttachError::Unreachable { .. });
            Err(Unattached { failure: Failure::new(&error, error.hint(), Some(logs)), may_pass })
        }
    }
}

/// Waits until the node that has the data directory serves; `None` when it has ended.
async fn serving(data_dir: &Path, holder: Option<Holder>) -> Option<Holder> {
    let mut found = holder;
    let deadline = tokio::time::Instant::now() + SERVES_WITHIN;
    while found.as_ref().is_none_or(|holder| holder.url.is_none()) && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(LOOK_AGAIN).await;
        match InstanceLock::find(data_dir) {
            Ok(None) => return None,
            Ok(holder) => found = holder,
            Err(error) => tracing::debug!(%error, "the lock of the running node cannot be read"),
        }
    }
    found
}

async fn own(node: NodeHandle, data_dir: &Path, logs: PathBuf) -> Result<Hosted, Failure> {
    let client =
        Url::parse(node.url()).map_err(|error| Failure::new(&error, None, Some(logs.clone()))).and_then(|url| {
            NodeClient::new(url, Arc::new(node.signer()))
                .map(|client| client.only_while_held(data_dir, std::process::id()))
                .map_err(|error| Failure::new(&error, error.hint(), Some(logs.clone())))
        });
    match client {
        Ok(client) => Ok(Hosted { client, hosting: Hosting::Own, node: Some(node), logs }),
        Err(failure) => {
            node.stop().await;
            Err(failure)
        }
    }
}

/// Makes a client of a node that runs, and has it answer once.
async fn attach(config: &Config, url: &str, pid: u32) -> Result<NodeClient, AttachError> {
    let address = Url::parse(url).map_err(|source| AttachError::Nowhere { pid, url: url.to_owned(), source })?;
    let (config, data_dir) = (config.clone(), config.data_dir.clone());
    // A keychain may ask the person first, so it must not hold up anything else.
    let opening = tokio::task::spawn_blocking(move || TokenSigner::open(&config));
    let signer = opening.await.map_err(AttachError::Panicked)?.map_err(AttachError::Access)?;
    let unreachable = |source| AttachError::Unreachable { pid, url: url.to_owned(), source };
    let client = NodeClient::new(address, Arc::new(signer)).map_err(unreachable)?;
    let client = client.only_while_held(&data_dir, pid);
    client.status().await.map_err(unreachable)?;
    Ok(client)
}
