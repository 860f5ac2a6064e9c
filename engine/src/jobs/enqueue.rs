//! Enqueue: check everything, pick an engine and a shard, and let the shard's writer decide about the key.

mod fields;
pub(super) mod hash;
mod turns;

use std::{sync::Arc, time::Duration};

use fields::check_fields;
pub(super) use fields::check_key;
pub use fields::is_name;
use flowork_api_types::{
    BatchId, EngineId, JobId, Timestamp,
    error::FieldError,
    job::{EnqueueRequest, Job, PAYLOAD_BYTES_MAX},
};
use flowork_sqlite::StoreError;
use hash::body_hash;
pub(crate) use turns::KeyTurns;

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
    /// The key of a batch was used before for another one.
    #[error("the idempotency key was used before, with other jobs or another callback, for {batch_id}")]
    BatchKeyReused {
        /// The batch it was used for.
        batch_id: BatchId,
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
        /// When there should be room, by the rate at which jobs ended in the last minute.
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
        let turn = self.key_turns().wait(Arc::clone(&caller.subject), idempotency_key).await;
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
        match turn.until(shard.enqueue(job), self.tasks()).await? {
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

    /// The job that this very request was enqueued as before. A shard in quarantine is passed over: whatever is in it,
    /// nothing is enqueued here.
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

    /// The engine that gets the job: where the key was used before, else the one that [`choose`] picks. So a replay finds
    /// its original after engines came or went.
    ///
    /// While the key's shard of some engine is in quarantine, nobody knows whether the key was used there: then it counts
    /// only where it is found, and no engine takes it as a new one. Keys that lead to other shards are not held up.
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
        let mut unknown = None;
        for host in &hosts {
            let shard = host.shard_for_key(&caller.subject, idempotency_key);
            match shard.find_key(Arc::clone(&caller.subject), idempotency_key.to_owned()).await {
                Ok(Some(_)) => return Ok(Arc::clone(host)),
                Ok(None) => {}
                Err(error) if error.is_quarantined() => unknown = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        let chosen = choose(&hosts, caller, idempotency_key, request)?;
        unknown.map_or(Ok(chosen), |error| Err(error.into()))
    }
}

/// The engine for a key that is new: the one that is named, else by rendezvous hash among those that are up and run the
/// kind; just after a start also among those that did before it.
fn choose(
    hosts: &[Arc<Host>],
    caller: &Caller,
    idempotency_key: &str,
    request: &EnqueueRequest,
) -> Result<Arc<Host>, EnqueueError> {
    let unavailable = || EnqueueError::KindUnavailable { kind: request.kind.clone() };
    if let Some(engine_id) = request.engine_id {
        let named = hosts.iter().find(|host| host.id() == engine_id);
        let named = named.ok_or(EnqueueError::UnknownEngine { engine_id })?;
        return if named.runs(&request.kind) { Ok(Arc::clone(named)) } else { Err(unavailable()) };
    }
    let pick = |is_there: fn(&Host) -> bool| {
        let able = hosts.iter().filter(|host| is_there(host) && host.runs(&request.kind));
        able.max_by_key(|host| host.rank(&caller.subject, idempotency_key)).cloned()
    };
    pick(Host::is_up).or_else(|| pick(Host::is_expected)).ok_or_else(unavailable)
}

/// What a shard knows of a key; nothing if it is in quarantine.
fn sound<T>(found: Result<Option<T>, StoreError>) -> Result<Option<T>, StoreError> {
    match found {
        Err(error) if error.is_quarantined() => Ok(None),
        found => found,
    }
}
