//! The public keys of a Cloudflare Access team: fetched when one is missing, at most once a minute, and kept.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use jsonwebtoken::{
    DecodingKey,
    jwk::{AlgorithmParameters, Jwk, KeyAlgorithm, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;
use tokio::{sync::Mutex, time::Instant};

/// Below the team's address.
const CERTS_PATH: &str = "/cdn-cgi/access/certs";
/// How long to wait between two tries, whatever came of the first: made-up key ids must not become a flood there.
const FETCH_PAUSE: Duration = Duration::from_mins(1);
/// After this long the keys are fetched again, so that one that the team has dropped stops to work.
const KEYS_AGE_MAX: Duration = Duration::from_hours(1);
/// How long a fetch may take; requests with an unknown key wait for it.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// A team has two or three keys of some 2 KiB with their certificates.
const ANSWER_BYTES_MAX: usize = 64 << 10;
const KEYS_MAX: usize = 32;
/// base64url of 2,048 bits.
const MODULUS_CHARS_MIN: usize = 342;

type KeySet = HashMap<String, Arc<DecodingKey>>;

/// The keys of one team.
pub(super) struct TeamKeys {
    url: String,
    known: RwLock<Arc<KeySet>>,
    /// Held while fetching, so that one request fetches for all.
    last_fetch: Mutex<Option<Instant>>,
    /// Made on first use: loading root certificates takes milliseconds that a start does not have.
    client: OnceLock<reqwest::Client>,
}

/// The team's address can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the https:// address of a Cloudflare Access team")]
pub(crate) struct AccessSetUpError(String);

#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("the team's keys can't be fetched")]
    Http(#[from] reqwest::Error),
    #[error("the answer is longer than {ANSWER_BYTES_MAX} bytes")]
    TooLong,
    #[error("the answer is no set of keys")]
    NoSet(#[from] serde_json::Error),
    #[error("the answer has no key that can be used")]
    NoKeys,
}

/// A member of the set is read only if it is of a form we know, so that a new kind of key does not hide the others.
#[derive(Deserialize)]
struct AnsweredSet {
    keys: Vec<Value>,
}

impl TeamKeys {
    pub(super) fn new(issuer: &str) -> Result<Self, AccessSetUpError> {
        let url = reqwest::Url::parse(issuer).map_err(|_| AccessSetUpError(issuer.to_owned()))?;
        let host = url.host_str().unwrap_or_default();
        // Without TLS anybody on the way could hand out keys; on this machine there is no way.
        let is_here = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        let is_origin = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && !host.is_empty();
        if !is_origin || !(url.scheme() == "https" || (url.scheme() == "http" && is_here)) {
            return Err(AccessSetUpError(issuer.to_owned()));
        }
        Ok(Self {
            url: format!("{issuer}{CERTS_PATH}"),
            known: RwLock::default(),
            last_fetch: Mutex::default(),
            client: OnceLock::new(),
        })
    }

    /// The key of this id.
    pub(super) async fn find(&self, key_id: &str) -> Option<Arc<DecodingKey>> {
        if let Some(key) = self.known(key_id) {
            // Whoever comes first after an hour fetches; all others go on with what is known.
            if let Ok(mut last_fetch) = self.last_fetch.try_lock()
                && last_fetch.is_none_or(|last| last.elapsed() >= KEYS_AGE_MAX)
            {
                self.fetch(&mut last_fetch).await;
                return self.known(key_id);
            }
            return Some(key);
        }
        let mut last_fetch = self.last_fetch.lock().await;
        // Somebody may have fetched it while we waited.
        if let Some(key) = self.known(key_id) {
            return Some(key);
        }
        if last_fetch.is_none_or(|last| last.elapsed() >= FETCH_PAUSE) {
            self.fetch(&mut last_fetch).await;
        }
        self.known(key_id)
    }

    fn known(&self, key_id: &str) -> Option<Arc<DecodingKey>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(key_id).cloned()
    }

    /// Replaces the keys; keeps those that are there if that fails.
    async fn fetch(&self, last_fetch: &mut Option<Instant>) {
        *last_fetch = Some(Instant::now());
        match self.ask().await {
            Ok(keys) => *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys),
            Err(error) => {
                let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                tracing::warn!(%error, source, "keys of Cloudflare Access stay as they are");
            }
        }
    }

    async fn ask(&self) -> Result<KeySet, FetchError> {
        let client = match self.client.get() {
            Some(client) => client,
            None => {
                let client = reqwest::Client::builder()
                    .no_proxy()
                    .redirect(reqwest::redirect::Policy::none())
                    .timeout(FETCH_TIMEOUT)
                    .pool_max_idle_per_host(0)
                    .build()?;
                self.client.get_or_init(|| client)
            }
        };
        let mut answer = client.get(&self.url).send().await?.error_for_status()?;
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await? {
            if body.len() + piece.len() > ANSWER_BYTES_MAX {
                return Err(FetchError::TooLong);
            }
            body.extend_from_slice(&piece);
        }
        read_set(&body)
    }

    /// Knows the keys of an answer of the team, as if it had just asked; says how many it can use.
    pub(super) async fn know(&self, answer: &[u8]) -> Option<usize> {
        let keys = read_set(answer).ok()?;
        let count = keys.len();
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        *self.last_fetch.lock().await = Some(Instant::now());
        Some(count)
    }
}

/// The keys of an answer that can be used.
fn read_set(answer: &[u8]) -> Result<KeySet, FetchError> {
    let set: AnsweredSet = serde_json::from_slice(answer)?;
    let keys: KeySet = set.keys.into_iter().take(KEYS_MAX).filter_map(usable).collect();
    if keys.is_empty() { Err(FetchError::NoKeys) } else { Ok(keys) }
}

/// A key for RS256 signatures with its id.
fn usable(key: Value) -> Option<(String, Arc<DecodingKey>)> {
    let key: Jwk = serde_json::from_value(key).ok()?;
    let common = &key.common;
    let is_ours = common.key_algorithm.is_none_or(|algorithm| algorithm == KeyAlgorithm::RS256)
        && common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature);
    let AlgorithmParameters::RSA(rsa) = &key.algorithm else { return None };
    if !is_ours || rsa.n.trim_end_matches('=').len() < MODULUS_CHARS_MIN {
        return None;
    }
    let id = common.key_id.clone().filter(|id| !id.is_empty())?;
    Some((id, Arc::new(DecodingKey::from_jwk(&key).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_over_tls_or_from_this_machine() {
        for good in ["https://team.cloudflareaccess.com", "http://127.0.0.1:4000", "http://[::1]:4000"] {
            assert!(TeamKeys::new(good).is_ok(), "{good}");
        }
        for bad in
            ["http://team.cloudflareaccess.com", "team.cloudflareaccess.com", "https://a.example/x", "ftp://a", ""]
        {
            assert!(TeamKeys::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_strong_keys_for_rs256_signatures_are_usable() {
        let key = |change: &dyn Fn(&mut Value)| {
            let mut key = serde_json::json!({
                "kty": "RSA", "kid": "1", "use": "sig", "alg": "RS256", "n": "v".repeat(341) + "w", "e": "AQAB",
            });
            change(&mut key);
            usable(key).is_some()
        };
        assert!(key(&|_| {}));
        assert!(key(&|key| key["alg"] = Value::Null));
        assert!(!key(&|key| key["alg"] = "RS512".into()));
        assert!(!key(&|key| key["alg"] = "HS256".into()));
        assert!(!key(&|key| key["use"] = "enc".into()));
        assert!(!key(&|key| key["kid"] = "".into()));
        assert!(!key(&|key| key["n"] = "v".repeat(171).into()), "1,024 bits");
        assert!(!key(&|key| {
            *key = serde_json::json!({"kty": "oct", "kid": "1", "alg": "HS256", "k": "c2VjcmV0"});
        }));
    }
}
