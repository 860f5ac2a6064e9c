//! A stand-in for Cloudflare Access: an issuer of assertions with its set of keys, on loopback.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::AbortHandle};

/// A team with its keys; its server ends when it is dropped.
pub struct AccessIssuer {
    url: String,
    shared: Arc<Shared>,
    task: AbortHandle,
}

/// A key of a team.
#[derive(Clone)]
pub struct AccessKey {
    id: String,
    pair: Arc<RsaKeyPair>,
}

struct Shared {
    keys: Mutex<Vec<AccessKey>>,
    fetches: AtomicUsize,
    offline: AtomicBool,
}

impl AccessKey {
    /// A new key of this id.
    pub fn generate(id: &str) -> anyhow::Result<Self> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).context("no RSA key")?;
        Ok(Self { id: id.to_owned(), pair: Arc::new(pair) })
    }

    /// Signs claims under a header that may say anything.
    pub fn sign(&self, header: &Value, claims: &Value) -> anyhow::Result<String> {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let mut token = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)
            .context("the key does not sign")?;
        token.push('.');
        token.push_str(&BASE64_URL_SAFE_NO_PAD.encode(signature));
        Ok(token)
    }

    fn public(&self) -> Value {
        let public = self.pair.public_key();
        let number = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        json!({
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.id,
            "n": number(public.modulus().big_endian_without_leading_zero()),
            "e": number(public.exponent().big_endian_without_leading_zero()),
        })
    }
}

impl AccessIssuer {
    /// Starts on a free port with one key.
    pub async fn start(key: AccessKey) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared {
            keys: Mutex::new(vec![key]),
            fetches: AtomicUsize::default(),
            offline: AtomicBool::default(),
        });
        let app = Router::new().route("/cdn-cgi/access/certs", get(certs)).with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, app).await {
                eprintln!("the issuer ended: {error}");
            }
        });
        Ok(Self { url, shared, task: task.abort_handle() })
    }

    /// The team's address, which is also the issuer of its assertions.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Replaces the keys.
    pub fn set_keys(&self, keys: Vec<AccessKey>) {
        *self.shared.keys.lock().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    /// Answers 503 from now on, or no longer.
    pub fn set_offline(&self, offline: bool) {
        self.shared.offline.store(offline, Ordering::SeqCst);
    }

    /// How often the keys were asked for.
    pub fn fetches(&self) -> usize {
        self.shared.fetches.load(Ordering::SeqCst)
    }

    /// Claims that are good for the next minutes.
    pub fn claims(&self, audience: &str) -> Value {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        json!({
            "iss": self.url, "aud": [audience], "iat": now, "nbf": now, "exp": now + 300,
            "type": "app", "email": "person@example.com", "sub": "7335d417-61da-459d-899c-0a01c76a2f94",
        })
    }

    /// An assertion as the edge would send it.
    pub fn assertion(&self, key: &AccessKey, audience: &str) -> anyhow::Result<String> {
        key.sign(&json!({"alg": "RS256", "typ": "JWT", "kid": key.id}), &self.claims(audience))
    }
}

impl Drop for AccessIssuer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn certs(State(shared): State<Arc<Shared>>) -> Response {
    shared.fetches.fetch_add(1, Ordering::SeqCst);
    if shared.offline.load(Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let keys = shared.keys.lock().unwrap_or_else(PoisonError::into_inner);
    let keys: Vec<_> = keys.iter().map(AccessKey::public).collect();
    Json(json!({"keys": keys, "public_certs": []})).into_response()
}
