//! A gateway for one test, and a client for it.

use std::{
    path::Path,
    sync::{Arc, RwLock},
    time::Duration,
};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
};
use flowork_api_types::{Timestamp, auth::Role, engine::EngineLocation};
use flowork_audit::{Audit, AuditKey, AuditOptions, KEY_BYTES, PersonalSignatures};
use flowork_control::ControlStore;
use flowork_engine::{Clock, EngineSpec, Engines, EnginesOptions, KindRegistry};
use flowork_gateway::{GatewayHandle, GatewayOptions, GatewayState, NodeFacts, TokenKeys};
use flowork_schedules::Schedules;
use flowork_sync::{Sessions, SyncOptions};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

/// Far longer than anything here takes; only a hang reaches it.
pub(crate) const HANG: Duration = Duration::from_secs(20);

pub(crate) struct Gateway {
    pub(crate) url: String,
    pub(crate) handle: Option<GatewayHandle>,
    pub(crate) state: GatewayState,
    pub(crate) key: Vec<u8>,
    pub(crate) client: reqwest::Client,
    pub(crate) owner: String,
    _directory: tempfile::TempDir,
}

/// A log with a key of its own.
pub(crate) async fn open_audit(path: &Path) -> Audit {
    let options = AuditOptions {
        path: path.to_owned(),
        key: AuditKey::from_secret(&[7; KEY_BYTES]).unwrap(),
        expected: false,
        retention: Duration::from_hours(24 * 90),
        now: Arc::new(flowork_engine::clock::wall_now),
        uptime: Arc::new(|| Duration::ZERO),
        signatures: Arc::new(PersonalSignatures),
        tell: Arc::new(|trouble| panic!("{trouble:?}")),
    };
    Audit::open(options).await.unwrap()
}

/// An answer, read whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut GatewayOptions)) -> Self {
        Self::start_on(Clock::System, change).await
    }

    /// What is stored goes by this clock; access tokens go by the machine's.
    pub(crate) async fn start_on(clock: Clock, change: impl FnOnce(&mut GatewayOptions)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let control = ControlStore::open(&directory.path().join("control.db")).await.unwrap();
        let local = control.create_engine("local", EngineLocation::Local, 2, clock.now()).await.unwrap().record;
        let kinds = KindRegistry::default();
        flowork_engine::kinds::register(&kinds).unwrap();
        let engines = Engines::open(
            EnginesOptions {
                shards_dir: directory.path().join("shards"),
                engines: vec![EngineSpec {
                    id: local.id,
                    slot: local.slot,
                    name: local.name,
                    location: local.location,
                    shards: local.shards,
                }],
                workers: 2,
                autoscale: None,
                draining: false,
                queue_hard_cap: 10_000,
                clock: clock.clone(),
                retention: flowork_engine::Retention::default(),
            },
            kinds,
        )
        .await
        .unwrap();
        let key = new_key();
        let tokens = TokenKeys::from_pkcs8(&key).unwrap();
        let owner = tokens.sign_access("owner", Role::Owner, None, Duration::from_mins(15));
        let node = NodeFacts {
            version: "1.2.3".to_owned(),
            data_dir: directory.path().to_owned(),
            vault: "file".to_owned(),
            started_at: Timestamp(0),
            notices: Arc::new(RwLock::default()),
        };
        let schedules = Schedules::start(control.clone(), engines.clone(), clock.clone());
        let audit = open_audit(&directory.path().join("audit.db")).await;
        let sync = SyncOptions::new(&directory.path().join("sync.db"), clock.clone());
        let sync = Sessions::open(sync, engines.events().clone()).await.unwrap();
        let state = GatewayState { engines, schedules, sync, control, audit, tokens, clock, node };
        let mut options = GatewayOptions::new("127.0.0.1:0".parse().unwrap());
        change(&mut options);
        let bound = flowork_gateway::bind(options).await.unwrap();
        let url = bound.base_url();
        let handle = Some(bound.serve(state.clone()));
        let client = reqwest::Client::builder().no_proxy().timeout(HANG).build().unwrap();
        Self { url, handle, state, key, client, owner, _directory: directory }
    }

    /// A request without credentials.
    pub(crate) fn plain(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// A request of the owner.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.plain(method, path).bearer_auth(&self.owner)
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    /// A token of somebody with a role, without a session.
    pub(crate) fn token(&self, subject: &str, role: Role) -> String {
        self.state.tokens.sign_access(subject, role, None, Duration::from_mins(15))
    }

    /// Enqueues and gives the job.
    pub(crate) async fn enqueue(&self, key: &str, body: Value) -> Value {
        let answer = read(self.post("/v1/jobs").header("Idempotency-Key", key).json(&body)).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
        answer.json()
    }

    /// Signs a browser in, as its GUI does.
    pub(crate) async fn sign_in(&self) -> Value {
        let link = read(self.post("/v1/auth/links")).await.json();
        let (_, code) = link["url"].as_str().unwrap().split_once("/#pair=").expect("the code is in the fragment");
        let answer = read(self.plain(Method::POST, "/v1/auth/pair").json(&serde_json::json!({"code": code}))).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {:?}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The error's code; every error has the whole envelope.
    pub(crate) fn code(&self) -> String {
        let body = self.json();
        let error = body["error"].as_object().expect("an envelope");
        let mut names: Vec<_> = error.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["code", "details", "hint", "message", "request_id"]);
        assert_eq!(error["request_id"], self.header("x-request-id"), "the header says the same");
        assert!(!error["message"].as_str().unwrap().is_empty());
        error["code"].as_str().unwrap().to_owned()
    }
}

/// Sends a request and reads the answer.
pub(crate) async fn read(request: RequestBuilder) -> Answer {
    let response: Response = request.send().await.unwrap();
    Answer { status: response.status(), headers: response.headers().clone(), text: response.text().await.unwrap() }
}

pub(crate) fn new_key() -> Vec<u8> {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    der.as_ref().to_vec()
}
