//! The node's HTTP interface, as the command line uses it.

use std::time::Duration;

use flowork_api_types::auth::Role;
use flowork_node::{Config, InstanceLock, access::TokenSigner};
use reqwest::{Method, RequestBuilder, Response, redirect};
use serde::{Serialize, de::DeserializeOwned};

use crate::exit::{Exit, Failure, chain};

/// A token of ours is made for one command; a new one is made when a long command outlives it.
const TOKEN_TTL: Duration = Duration::from_mins(5);
/// A node on this machine accepts at once or not at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than the longest long poll, 30 s.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(45);

/// A running node and the right to ask it things.
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
    signer: TokenSigner,
}

impl Client {
    /// Finds the node of this data directory by its lock, and signs in with the node's own key.
    pub(crate) fn connect(config: &Config) -> Result<Self, Failure> {
        let not_running = |message: String| {
            Failure::new(Exit::Unreachable, "NODE_NOT_RUNNING", message)
                .hint("start it with `flowork serve`, or name the right --data-dir".to_owned())
        };
        let holder = InstanceLock::find(&config.data_dir)
            .map_err(|error| Failure::from_error(Exit::Failed, "LOCK", &error))?
            .ok_or_else(|| not_running(format!("no node is running with {}", config.data_dir.display())))?;
        let url = holder.url.ok_or_else(|| {
            not_running(format!("the node (pid {}) is still starting", holder.pid))
                .hint("try again in a moment".to_owned())
        })?;
        let signer = TokenSigner::open(config).map_err(|error| access_failure(&error))?;
        Ok(Self { http: http_client(&url, ANSWER_TIMEOUT)?, url, signer })
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        read(self.send(self.request(Method::GET, path)?).await?).await
    }

    pub(crate) async fn get_with<T: DeserializeOwned>(&self, path: &str, query: &impl Serialize) -> Result<T, Failure> {
        read(self.send(self.request(Method::GET, path)?.query(query)).await?).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, Failure> {
        let request = self.request(Method::POST, path)?;
        let request = if let Some(body) = body { request.json(body) } else { request };
        read(self.send(request).await?).await
    }

    pub(crate) async fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        read(self.send(self.request(Method::PUT, path)?.json(body)).await?).await
    }

    /// A call that has nothing to say and is answered with nothing.
    pub(crate) async fn post_empty(&self, path: &str) -> Result<(), Failure> {
        self.send(self.request(Method::POST, path)?).await.map(|_| ())
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<(), Failure> {
        self.send(self.request(Method::DELETE, path)?).await.map(|_| ())
    }

    pub(crate) async fn patch<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        read(self.send(self.request(Method::PATCH, path)?.json(body)).await?).await
    }

    /// A call without a body that makes a job, once for each key.
    pub(crate) async fn post_keyed<T: DeserializeOwned>(&self, path: &str, key: &str) -> Result<T, Failure> {
        read(self.send(self.request(Method::POST, path)?.header("Idempotency-Key", key)).await?).await
    }

    /// An enqueue; says whether the answer is the replay of an earlier one.
    pub(crate) async fn enqueue<T: DeserializeOwned>(
        &self,
        key: &str,
        body: &impl Serialize,
    ) -> Result<(T, bool), Failure> {
        let request = self.request(Method::POST, "/v1/jobs")?.header("Idempotency-Key", key).json(body);
        let answer = self.send(request).await?;
        let replayed = answer.headers().get("Idempotency-Replayed").is_some_and(|value| value == "true");
        Ok((read(answer).await?, replayed))
    }

    /// A stream of server-sent events; ends when the node or the caller ends it.
    pub(crate) async fn events(&self, path: &str) -> Result<Response, Failure> {
        let request = self.request(Method::GET, path)?.header("Accept", "text/event-stream");
        self.send(request.timeout(Duration::from_hours(24))).await
    }

    /// An answer of any length, piece by piece.
    pub(crate) async fn download(&self, path: &str, query: &impl Serialize) -> Result<Response, Failure> {
        let request = self.request(Method::GET, path)?.query(query);
        self.send(request.timeout(Duration::from_hours(24))).await
    }

    /// Where a WebSocket is, and a token to open it with.
    pub(crate) fn socket(&self, path: &str) -> Result<(String, String), Failure> {
        let token = self.signer.sign(Role::Owner, TOKEN_TTL).map_err(|error| access_failure(&error))?;
        Ok((format!("{}{path}", self.url.replacen("http", "ws", 1)), token))
    }

    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, Failure> {
        let token = self.signer.sign(Role::Owner, TOKEN_TTL).map_err(|error| access_failure(&error))?;
        Ok(self.http.request(method, format!("{}{path}", self.url)).bearer_auth(token))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let answer = request.send().await.map_err(|error| unreachable(&self.url, &error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let bytes = answer.bytes().await.map_err(|error| unreachable(&self.url, &error))?;
        Err(Failure::from_answer(status, &bytes))
    }
}

/// Text as one segment of a path.
pub(crate) fn path_segment(text: &str) -> String {
    let mut url = reqwest::Url::parse("http://node").expect("a URL");
    url.path_segments_mut().expect("http has a path").push(text);
    url.path().trim_start_matches('/').to_owned()
}

/// A client that goes to the host of `url` and nowhere else.
pub(crate) fn http_client(url: &str, timeout: Duration) -> Result<reqwest::Client, Failure> {
    let mut builder = reqwest::Client::builder();
    if !url.starts_with("https:") {
        // Nobody shows a certificate. To read the system's takes longer than most answers, and some systems have none.
        builder = builder.tls_certs_only([]);
    }
    builder
        .no_proxy()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(timeout)
        .user_agent(concat!("flowork/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Failure::from_error(Exit::Failed, "HTTP_CLIENT", &error))
}

pub(crate) fn unreachable(url: &str, error: &reqwest::Error) -> Failure {
    Failure::new(Exit::Unreachable, "NODE_UNREACHABLE", format!("the node at {url} gave no answer: {}", chain(error)))
}

pub(crate) fn access_failure(error: &flowork_node::access::AccessError) -> Failure {
    let exit = match error {
        flowork_node::access::AccessError::TooShort | flowork_node::access::AccessError::TooLong => Exit::Usage,
        flowork_node::access::AccessError::NoKey(_)
        | flowork_node::access::AccessError::Open(flowork_vault::OpenError::NoVault(_)) => Exit::NotFound,
        _ => Exit::Refused,
    };
    Failure::from_error(exit, "VAULT", error).hint(error.hint())
}

async fn read<T: DeserializeOwned>(answer: Response) -> Result<T, Failure> {
    let url = answer.url().to_string();
    let bytes = answer.bytes().await.map_err(|error| unreachable(&url, &error))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Failure::new(Exit::Failed, "UNEXPECTED_ANSWER", format!("the node's answer cannot be read: {error}"))
            .hint("use a `flowork` of the same version as the node".to_owned())
    })
}
