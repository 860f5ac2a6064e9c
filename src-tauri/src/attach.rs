//! Asking a node that already runs on the same data for a link that signs this window in.
//!
//! The right to ask comes from the vault, as for every program of the owner: being on the same machine gives none.

use std::time::Duration;

use flowork_api_types::auth::{PairingLink, Role};
use flowork_node::Config;
use flowork_node::access::{AccessError, TokenSigner};

/// Long enough for one request on the same machine, even a busy one.
const ANSWER_WAIT: Duration = Duration::from_secs(5);
/// The token is used once, at once.
const TOKEN_TTL: Duration = Duration::from_mins(1);

/// Why a running node gave no link.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttachError {
    /// This program has no right to ask.
    #[error("Flowork runs already, and this window cannot sign in to it")]
    Access(#[source] AccessError),
    /// It does not answer, or not as a node does.
    #[error("Flowork runs already (pid {pid}, {url}) and does not answer")]
    Unreachable {
        /// Its process.
        pid: u32,
        /// Where it should be.
        url: String,
        /// What happened.
        #[source]
        source: reqwest::Error,
    },
    /// Reading the vault broke.
    #[error("reading the vault broke off")]
    Panicked(#[source] tokio::task::JoinError),
}

impl AttachError {
    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Access(error) => error.hint(),
            Self::Unreachable { pid, .. } => Some(format!("end pid {pid}, then try again")),
            Self::Panicked(_) => None,
        }
    }
}

/// Gets a one-time link from the node that runs at `url`.
pub(crate) async fn link(config: &Config, url: &str, pid: u32) -> Result<String, AttachError> {
    let config = config.clone();
    // A keychain may ask the person first, so it must not hold up the window.
    let signing = tokio::task::spawn_blocking(move || TokenSigner::open(&config)?.sign(Role::Owner, TOKEN_TTL));
    let token = signing.await.map_err(AttachError::Panicked)?.map_err(AttachError::Access)?;
    let unreachable = |source| AttachError::Unreachable { pid, url: url.to_owned(), source };
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(ANSWER_WAIT)
        .build()
        .map_err(unreachable)?;
    let request = client.post(format!("{}/v1/auth/links", url.trim_end_matches('/'))).bearer_auth(token);
    let answer = request.send().await.and_then(reqwest::Response::error_for_status).map_err(unreachable)?;
    Ok(answer.json::<PairingLink>().await.map_err(unreachable)?.url)
}
