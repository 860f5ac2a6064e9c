//! The node's HTTP surface, as the app uses it.
//!
//! The right to ask comes from the vault's key; being on the same machine gives none. Tokens are made on demand, and
//! a new one before the last one ends.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use flowork_api_types::{
    EngineId, JobId,
    auth::{PairingLink, Role},
    autoscale::Autoscaler,
    drain::{Drain, DrainRequest},
    engine::SetWorkersRequest,
    error::ErrorEnvelope,
    job::Job,
    node::Status,
};
use flowork_node::{
    InstanceLock,
    access::{AccessError, TokenSigner},
};
use reqwest::{
    Method, RequestBuilder, Response, StatusCode,
    header::{AUTHORIZATION, HeaderValue},
    redirect,
};
use serde::de::{DeserializeOwned, Error as _};
use url::Url;

/// A node on this machine accepts at once or not at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Long enough for a short request to a busy node.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Nothing for this long on an event stream means that it is gone: the node sends a sign of life every 15 s.
const SILENCE_MAX: Duration = Duration::from_mins(1);
/// How long a token lives. A token of the owner's machine cannot be taken back, so it is short; an event stream ends with
/// its token and is opened again.
const TOKEN_TTL: Duration = Duration::from_mins(5);
/// A token with less left than this is replaced, so that no request meets its end.
const TOKEN_LEFT_MIN: Duration = Duration::from_mins(1);

/// How many workers the node's own engine is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkersWish {
    /// As many as the load needs.
    ByLoad,
    /// This many, until somebody says otherwise.
    Exactly(u32),
}

/// Why a node did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is no token to ask with.
    #[error("this app cannot sign in to the node")]
    Access(#[source] AccessError),
    /// The client itself could not be made.
    #[error("the HTTP client could not be made")]
    Setup(#[source] reqwest::Error),
    /// It does not answer.
    #[error("the node at {url} does not answer")]
    Unreachable {
        /// Where it should be.
        url: Url,
        /// What happened.
        #[source]
        source: reqwest::Error,
    },
    /// Its process has the data directory no more, so whoever has its address now was told nothing.
    #[error("the node at {url} has ended")]
    Ended {
        /// Where it was.
        url: Url,
    },
    /// It answered that it will not.
    #[error("the node refused: {message}")]
    Refused {
        /// Of the answer.
        status: StatusCode,
        /// Stable, in `UPPER_SNAKE`.
        code: String,
        /// For a person.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// It answered something else than a node of this version does.
    #[error("what answers at {url} is no node of this version")]
    Unreadable {
        /// Where it is.
        url: Url,
        /// What could not be read.
        #[source]
        source: serde_json::Error,
    },
}

impl ClientError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Access(error) => error.hint(),
            Self::Setup(_) => None,
            Self::Unreachable { .. } | Self::Ended { .. } => Some("look at its log, or start it again".to_owned()),
            Self::Refused { hint, .. } => hint.clone(),
            Self::Unreadable { .. } => Some("use an app and a node of the same version".to_owned()),
        }
    }
}

/// A node, and the right to ask it things. Cheap to clone; clones share one connection pool and one token.
#[derive(Clone)]
pub struct NodeClient {
    http: reqwest::Client,
    url: Url,
    signer: Arc<TokenSigner>,
    token: Arc<Mutex<Option<Token>>>,
    owner: Option<Arc<Owner>>,
}

/// The process that has to have the data directory for the address to be the node's.
struct Owner {
    data_dir: PathBuf,
    pid: u32,
}

impl Owner {
    /// Whether it still is, and serves there. Where that cannot be read, it is not known to be.
    fn serves_at(&self, url: &Url) -> bool {
        match InstanceLock::find(&self.data_dir) {
            Ok(Some(holder)) => {
                holder.pid == self.pid
                    && holder.url.is_some_and(|its| Url::parse(&its).is_ok_and(|its| its.origin() == url.origin()))
            }
            Ok(None) => false,
            Err(error) => {
                tracing::debug!(%error, "the lock of the node cannot be read");
                false
            }
        }
    }
}

struct Token {
    text: String,
    ends: Instant,
}

impl NodeClient {
    /// Makes a client of the node that serves at `url`. Asks nothing yet.
    ///
    /// # Errors
    /// [`ClientError::Setup`]
    pub fn new(url: Url, signer: Arc<TokenSigner>) -> Result<Self, ClientError> {
        let http = reqwest::Client::builder()
            // The node speaks plain HTTP on this machine: a system without certificates is no hindrance.
            .tls_certs_only([])
            .no_proxy()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(SILENCE_MAX)
            .user_agent(concat!("flowork-desktop/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(ClientError::Setup)?;
        Ok(Self { http, url, signer, token: Arc::default(), owner: None })
    }

    /// Asks only while this process has the data directory and serves at the address: once a node has ended, anybody on the
    /// machine may take its port, and must not be sent a token.
    #[must_use]
    pub fn only_while_held(self, data_dir: &Path, pid: u32) -> Self {
        Self { owner: Some(Arc::new(Owner { data_dir: data_dir.to_owned(), pid })), ..self }
    }

    /// Where the node is.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// What the node says of itself.
    ///
    /// # Errors
    /// See [`ClientError`]; the same for all that follow.
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.get("/v1/status").await
    }

    /// How many workers it has, and why.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn autoscaler(&self) -> Result<Autoscaler, ClientError> {
        self.get("/v1/autoscaler").await
    }

    /// Makes a link that signs one window in as the owner, once.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn link(&self) -> Result<Url, ClientError> {
        let link: PairingLink = self.read(self.request(Method::POST, "/v1/auth/links")?).await?;
        Url::parse(&link.url).map_err(|error| self.unreadable(serde_json::Error::custom(error)))
    }

    /// Drains the node, or lets it work again. Unlike the drain of a stop, this one is remembered across restarts.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn set_drain(&self, on: bool, reason: Option<&str>) -> Result<Drain, ClientError> {
        let body = DrainRequest { on, reason: reason.map(str::to_owned) };
        self.read(self.request(Method::POST, "/drain")?.json(&body)).await
    }

    /// Says how many workers an engine is to have.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn set_workers(&self, engine: EngineId, wish: WorkersWish) -> Result<(), ClientError> {
        let workers = match wish {
            WorkersWish::ByLoad => None,
            WorkersWish::Exactly(workers) => Some(workers),
        };
        let request = self.request(Method::PUT, &format!("/v1/engines/{engine}/workers"))?;
        self.send(request.json(&SetWorkersRequest { workers }).timeout(ANSWER_TIMEOUT)).await.map(drop)
    }

    /// A job.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn job(&self, id: JobId) -> Result<Job, ClientError> {
        self.get(&format!("/v1/jobs/{id}")).await
    }

    /// The stream of everything that changes, from after the cursor. Silence ends it with an error.
    pub(crate) async fn events(&self, cursor: Option<&str>) -> Result<Response, ClientError> {
        let mut request = self.request(Method::GET, "/v1/events")?.header("Accept", "text/event-stream");
        if let Some(cursor) = cursor {
            request = request.header("Last-Event-ID", cursor);
        }
        self.send(request).await
    }

    /// Forgets the token, because the node did not take it.
    pub(crate) fn forget_token(&self) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.read(self.request(Method::GET, path)?).await
    }

    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, ClientError> {
        let token = self.token(Instant::now())?;
        let url = format!("{}{path}", self.url.as_str().trim_end_matches('/'));
        Ok(self.http.request(method, url).bearer_auth(token))
    }

    fn token(&self, now: Instant) -> Result<String, ClientError> {
        let mut kept = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = &*kept
            && token.ends > now + TOKEN_LEFT_MIN
        {
            return Ok(token.text.clone());
        }
        let text = self.signer.sign(Role::Owner, TOKEN_TTL).map_err(ClientError::Access)?;
        *kept = Some(Token { text: text.clone(), ends: now + TOKEN_TTL });
        Ok(text)
    }

    async fn read<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        let answer = self.send(request.timeout(ANSWER_TIMEOUT)).await?;
        let bytes = answer.bytes().await.map_err(|source| self.unreachable(source))?;
        serde_json::from_slice(&bytes).map_err(|source| self.unreadable(source))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        if self.owner.as_ref().is_some_and(|owner| !owner.serves_at(&self.url)) {
            return Err(ClientError::Ended { url: self.url.clone() });
        }
        let again = request.try_clone();
        let mut answer = request.send().await.map_err(|source| self.unreachable(source))?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            self.forget_token();
            // It may have ended while the machine slept, which the clock that it is kept by does not count.
            if let Some(again) = again {
                answer = self.send_anew(again).await?;
            }
        }
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let bytes = answer.bytes().await.map_err(|source| self.unreachable(source))?;
        let ErrorEnvelope { error } = serde_json::from_slice(&bytes).map_err(|source| self.unreadable(source))?;
        Err(ClientError::Refused { status, code: error.code, message: error.message, hint: error.hint })
    }

    /// Sends a request with another token than it was made with.
    async fn send_anew(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let mut request = request.build().map_err(ClientError::Setup)?;
        let token = format!("Bearer {}", self.token(Instant::now())?);
        let mut value = HeaderValue::try_from(token).expect("a token is letters, digits, dots, dashes and underscores");
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
        self.http.execute(request).await.map_err(|source| self.unreachable(source))
    }

    pub(crate) fn unreachable(&self, source: reqwest::Error) -> ClientError {
        // The address is in the message already, and the path says nothing to a person.
        ClientError::Unreachable { url: self.url.clone(), source: source.without_url() }
    }

    fn unreadable(&self, source: serde_json::Error) -> ClientError {
        ClientError::Unreadable { url: self.url.clone(), source }
    }
}
