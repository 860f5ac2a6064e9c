//! Enqueue: check everything, pick an engine and a shard, and let the shard's writer decide about the key.

mod fields;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use fields::check_fields;
pub(super) use fields::check_key;
pub use fields::is_name;
use flowork_api_types::{
    BatchId, EngineId, JobId, Timestamp,
    error::FieldError,
    job::{EnqueueRequest, Job, PAYLOAD_BYTES_MAX},
};
use flowork_sqlite::StoreError;
use serde_json::Value;

use super::Caller;
use crate::{
    engines::{Engines, Host},
    kind::nearest,
    store::{EnqueueOutcome, NewJob},
};

/// The queue of a job that names none.
const DEFAULT_QUEUE: &str = "default";
/// The priority of a job that names none.
const DEFAULT_PRIORITY: u16 = 100;
/// The attempts of a job that names none.
const DEFAULT_ATTEMPTS_MAX: u16 = 3;
/// What a caller that meets a drain should wait.
const DRAIN_RETRY_AFTER: Duration = Duration::from_secs(5);

/// An enqueue that was accepted.
#[derive(Clone, Debug)]
pub struct Enqueued {
    /// The job.
    pub job: Job,
    /// It was enqueued before, with the same key and body.
    pub replayed: bool,
}

/// Why an enqueue was refused. Nothing was stored.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EnqueueError {
    /// No engine knows the kind.
    #[error("there is no job kind {kind:?}")]
    UnknownKind {
        /// As it was asked for.
        kind: String,
        /// Kinds that read like it.
        nearest: Vec<String>,
    },
    /// The payload does not meet the kind's schema.
    #[error("the payload does not fit the kind {kind}")]
    InvalidPayload {
        /// The kind.
        kind: String,
        /// Each thing that is wrong.
        errors: Vec<FieldError>,
    },
    /// A field of the request is out of range.
    #[error("the request has fields that are not valid")]
    InvalidFields {
        /// Each thing that is wrong.
        errors: Vec<FieldError>,
    },
    /// The payload is longer than jobs may carry.
    #[error("the payload has {bytes} bytes; at most {max} are allowed")]
    PayloadTooLarge {
        /// Its length as JSON.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The idempotency key is empty, too long or not printable ASCII.
    #[error("the idempotency key {reason}")]
    InvalidIdempotencyKey {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The key was used before for another request.
    #[error("the idempotency key was used before, with another body, for {original}")]
    IdempotencyKeyReused {
        /// The job it was used for.
        original: JobId,
    },
    /// The request names an engine that is not there.
    #[error("there is no engine {engine_id}")]
    UnknownEngine {
        /// As it was asked for.
        engine_id: EngineId,
    },
    /// Another open job of the caller has the unique key.
    #[error("{holder} is open and has this unique key")]
    UniqueKeyHeld {
        /// The job that has it.
        holder: JobId,
    },
    /// The engine that was named does not run the kind, or no engine that runs it is up.
    #[error("no engine that is up and allowed runs {kind}")]
    KindUnavailable {
        /// The kind.
        kind: String,
    },
    /// The engine's queue is at its cap.
    #[error("the queue of {engine_id} is full: {depth} jobs wait, {hard_cap} may")]
    QueueFull {
        /// The engine.
        engine_id: EngineId,
        /// Jobs that wait.
        depth: u64,
        /// Jobs that may.
        hard_cap: u64,
        /// When there should be room, by the rate of the last minute.
        retry_after: Duration,
    },
    /// The node takes nothing new.
    #[error("the node is draining")]
    Draining {
        /// When to ask again.
        retry_after: Duration,
    },
    /// The store failed.
    #[error("the job could not be stored")]
    Store(#[from] StoreError),
}

impl EnqueueError {
    /// Whether the same request may be accepted later.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::KindUnavailable { .. }
                | Self::UniqueKeyHeld { .. }
                | Self::QueueFull { .. }
                | Self::Draining { .. }
                | Self::Store(_)
        )
    }
}

impl Engines {
    /// Enqueues a job, once for each idempotency key of a caller.
    ///
    /// The answer comes after the job is on disk. With a key that was used before it is the original job if the
    /// request is the same, and an error if it is not.
    ///
    /// # Errors
    /// See [`EnqueueError`]; nothing was stored.
    pub async fn enqueue(
        &self,
        caller: &Caller,
        idempotency_key: &str,
        request: EnqueueRequest,
        trace_id: String,
    ) -> Result<Enqueued, EnqueueError> {
        self.enqueue_in(caller, idempotency_key, request, trace_id, None).await
    }

    /// Enqueues a job, as part of a batch or by itself.
    pub(crate) async fn enqueue_in(
        &self,
        caller: &Caller,
        idempotency_key: &str,
        request: EnqueueRequest,
        trace_id: String,
        batch: Option<BatchId>,
    ) -> Result<Enqueued, EnqueueError> {
        check_key(idempotency_key)?;
        let body_hash = body_hash(&request);
        let payload = match self.checked_payload(&request) {
            Ok(payload) => payload,
            // It may have been valid once: meanwhile its time has passed, or the engine that runs its kind has gone.
            Err(error) => {
                let original = self.original(caller, idempotency_key, body_hash).await?;
                return match original {
                    Some(id) => self.replay(caller, id).await,
                    None => Err(error),
                };
            }
        };
        let host = self.host_for(caller, idempotency_key, &request).await?;
        let shard = host.shard_for_key(&caller.subject, idempotency_key);
        // A flood must not stand in the writer's way: only a replay may pass, and a reader knows whether it is one.
        if (self.is_draining() || host.gate().waiting() >= host.gate().waiting_max())
            && shard.find_key(Arc::clone(&caller.subject), idempotency_key.to_owned()).await?.is_none()
        {
            return Err(self.refusal(&host));
        }
        let job = NewJob {
            owner: Arc::clone(&caller.subject),
            idempotency_key: idempotency_key.to_owned(),
            body_hash,
            timeout_ms: request.timeout_ms.unwrap_or_else(|| host.timeout_ms(&request.kind)),
            payload,
            run_at: self.run_at(&request),
            queue: request.queue.map_or_else(|| DEFAULT_QUEUE.into(), Into::into),
            priority: request.priority.unwrap_or(DEFAULT_PRIORITY),
            attempts_max: request.attempts_max.unwrap_or(DEFAULT_ATTEMPTS_MAX),
            backoff: request.backoff.unwrap_or_default(),
            expires_at: request.expires_at,
            tags: request.tags,
            trace_id,
            unique_key: request.unique_key.map(Into::into),
            concurrency: request.concurrency_key.map(|key| (key.into(), request.concurrency_max.unwrap_or(1))),
            targets: self
                .kinds()
                .get(&request.kind)
                .map_or_else(Vec::new, |known| known.kind.limit_targets(&request.payload)),
            kind: request.kind.into(),
            batch,
        };
        let echo = request.payload;
        match shard.enqueue(job).await? {
            EnqueueOutcome::Created(mut row) => {
                row.payload = echo;
                Ok(Enqueued { job: row.into_job(host.id(), caller.may_act), replayed: false })
            }
            EnqueueOutcome::Replayed(id) => self.replay(caller, id).await,
            EnqueueOutcome::KeyReused(original) => Err(EnqueueError::IdempotencyKeyReused { original }),
            EnqueueOutcome::UniqueHeld(holder) => Err(EnqueueError::UniqueKeyHeld { holder }),
            EnqueueOutcome::Refused => Err(self.refusal(&host)),
        }
    }

    /// Why nothing new is taken now.
    fn refusal(&self, host: &Host) -> EnqueueError {
        if self.is_draining() { EnqueueError::Draining { retry_after: DRAIN_RETRY_AFTER } } else { host.queue_full() }
    }

    /// The job that this very request was enqueued as before.
    async fn original(
        &self,
        caller: &Caller,
        idempotency_key: &str,
        body_hash: [u8; 32],
    ) -> Result<Option<JobId>, StoreError> {
        for host in self.hosts() {
            let shard = host.shard_for_key(&caller.subject, idempotency_key);
            let found = shard.find_key(Arc::clone(&caller.subject), idempotency_key.to_owned()).await;
            if let Some((id, _)) = sound(found)?.filter(|(_, stored)| *stored == body_hash) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    async fn replay(&self, caller: &Caller, id: JobId) -> Result<Enqueued, EnqueueError> {
        let job = self.job(caller, id).await.map_err(|error| match error {
            super::query::JobLookupError::Store(error) => EnqueueError::Store(error),
            super::query::JobLookupError::NotFound { .. } | super::query::JobLookupError::Corrupt { .. } => {
                EnqueueError::IdempotencyKeyReused { original: id }
            }
        })?;
        Ok(Enqueued { job, replayed: true })
    }

    fn run_at(&self, request: &EnqueueRequest) -> Option<Timestamp> {
        let delayed = request.delay_ms.map(|delay| Timestamp(self.now().as_millis() + delay as i64));
        request.run_at.or(delayed)
    }

    /// Says what an enqueue of this request would refuse now, whoever asks and however full the queues are.
    ///
    /// # Errors
    /// [`EnqueueError::InvalidFields`], [`EnqueueError::UnknownKind`], [`EnqueueError::InvalidPayload`],
    /// [`EnqueueError::PayloadTooLarge`], [`EnqueueError::UnknownEngine`].
    pub fn check_request(&self, request: &EnqueueRequest) -> Result<(), EnqueueError> {
        self.checked_payload(request)?;
        match request.engine_id.filter(|engine_id| self.host(*engine_id).is_none()) {
            Some(engine_id) => Err(EnqueueError::UnknownEngine { engine_id }),
            None => Ok(()),
        }
    }

    /// Checks all that a request says by itself; answers its payload as text.
    fn checked_payload(&self, request: &EnqueueRequest) -> Result<Vec<u8>, EnqueueError> {
        check_fields(request, self.now())?;
        self.check_payload(request)
    }

    /// Checks the payload against its kind's schema; answers it as text.
    fn check_payload(&self, request: &EnqueueRequest) -> Result<Vec<u8>, EnqueueError> {
        let kind = &request.kind;
        let Some(checked) = self.check_kind(kind, &request.payload) else {
            let names: Vec<_> = self.list_kinds().items.into_iter().map(|kind| kind.descriptor.name).collect();
            let nearest = nearest(kind, names.iter().map(String::as_str));
            return Err(EnqueueError::UnknownKind { kind: kind.chars().take(100).collect(), nearest });
        };
        let payload = serde_json::to_vec(&request.payload).expect("a JSON value is always JSON");
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(EnqueueError::PayloadTooLarge { bytes: payload.len(), max: PAYLOAD_BYTES_MAX });
        }
        checked.map_err(|errors| EnqueueError::InvalidPayload { kind: kind.clone(), errors })?;
        Ok(payload)
    }

    /// The engine that gets the job: where the key was used before, else the one that is named, else by rendezvous
    /// hash among those that are up and run the kind; just after a start also among those that did before it. So a replay
    /// finds its original after engines came or went.
    ///
    /// An engine whose shard for the key is in quarantine stays among them, and then refuses: a key that belongs there
    /// is never taken elsewhere, and keys of other engines are not held up.
    async fn host_for(
        &self,
        caller: &Caller,
        idempotency_key: &str,
        request: &EnqueueRequest,
    ) -> Result<Arc<Host>, EnqueueError> {
        let hosts = self.hosts();
        if let [only] = hosts.as_slice()
            && request.engine_id.is_none()
        {
            return Ok(Arc::clone(only));
        }
        for host in &hosts {
            let shard = host.shard_for_key(&caller.subject, idempotency_key);
            if sound(shard.find_key(Arc::clone(&caller.subject), idempotency_key.to_owned()).await)?.is_some() {
                return Ok(Arc::clone(host));
            }
        }
        let unavailable = || EnqueueError::KindUnavailable { kind: request.kind.clone() };
        if let Some(engine_id) = request.engine_id {
            let named = hosts.into_iter().find(|host| host.id() == engine_id);
            let named = named.ok_or(EnqueueError::UnknownEngine { engine_id })?;
            return if named.runs(&request.kind) { Ok(named) } else { Err(unavailable()) };
        }
        let pick = |is_there: fn(&Host) -> bool| {
            let able = hosts.iter().filter(|host| is_there(host) && host.runs(&request.kind));
            able.max_by_key(|host| host.rank(&caller.subject, idempotency_key)).cloned()
        };
        pick(Host::is_up).or_else(|| pick(Host::is_expected)).ok_or_else(unavailable)
    }
}

/// What a shard knows of a key; nothing if it is in quarantine.
fn sound<T>(found: Result<Option<T>, StoreError>) -> Result<Option<T>, StoreError> {
    match found {
        Err(error) if error.is_quarantined() => Ok(None),
        found => found,
    }
}

/// The same for two requests that mean the same, whatever the order of their object keys.
fn body_hash(request: &EnqueueRequest) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let body = serde_json::to_value(request).expect("a request is always JSON");
    hash_value(&mut hasher, &body);
    *hasher.finalize().as_bytes()
}

fn hash_value(hasher: &mut blake3::Hasher, value: &Value) {
    match value {
        Value::Object(map) => {
            hasher.update(b"{");
            hasher.update(&(map.len() as u64).to_le_bytes());
            let mut hash_member = |(key, value): (&String, &Value)| {
                hash_text(hasher, key);
                hash_value(hasher, value);
            };
            // serde_json keeps insertion order when any crate of the build asks it to.
            if map.keys().is_sorted() {
                map.iter().for_each(&mut hash_member);
            } else {
                map.iter().collect::<BTreeMap<_, _>>().into_iter().for_each(&mut hash_member);
            }
        }
        Value::Array(items) => {
            hasher.update(b"[");
            hasher.update(&(items.len() as u64).to_le_bytes());
            for item in items {
                hash_value(hasher, item);
            }
        }
        Value::String(text) => {
            hasher.update(b"\"");
            hash_text(hasher, text);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            hasher.update(b"=");
            hash_text(hasher, &value.to_string());
        }
    }
}

fn hash_text(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(body: Value) -> EnqueueRequest {
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn requests_that_mean_the_same_have_one_hash() {
        let a: EnqueueRequest =
            serde_json::from_str(r#"{"kind":"noop","payload":{"a":1,"b":{"x":[1,2],"y":null}}}"#).unwrap();
        let b: EnqueueRequest =
            serde_json::from_str(r#"{"payload":{"b":{"y":null,"x":[1,2]},"a":1},"kind":"noop"}"#).unwrap();
        assert_eq!(body_hash(&a), body_hash(&b));
    }

    #[test]
    fn requests_that_differ_anywhere_have_different_hashes() {
        let bodies = [
            json!({"kind": "noop"}),
            json!({"kind": "noop", "payload": []}),
            json!({"kind": "noop", "payload": [[]]}),
            json!({"kind": "noop", "payload": "1"}),
            json!({"kind": "noop", "payload": 1}),
            json!({"kind": "noop", "payload": {"a": "b"}}),
            json!({"kind": "noop", "payload": {"ab": ""}}),
            json!({"kind": "noop", "priority": 1}),
            json!({"kind": "noop", "attempts_max": 1}),
            json!({"kind": "noop", "tags": ["a"]}),
        ];
        let hashes: std::collections::HashSet<_> =
            bodies.iter().cloned().map(|body| body_hash(&request(body))).collect();
        assert_eq!(hashes.len(), bodies.len());
    }
}
