//! What engines over HTTP do: claim, renew, finish, release, heartbeat. Local workers use the same shards, in [`pool`](crate::pool).

use std::{collections::HashMap, sync::Arc, time::Duration};

use flowork_api_types::{
    EngineId, JobId, ShardNumber,
    engine::{
        CLAIM_JOBS_MAX, ClaimAnswer, ClaimRequest, ClaimedJob, EngineLocation, FinishAnswer, FinishAnswerItem,
        FinishAnswerList, FinishItem, FinishOutcome, FinishRequest, HeartbeatAnswer, HeartbeatRequest, Lease,
        ReleaseRequest, RenewAnswer, RenewAnswerItem, RenewOutcome, RenewRequest,
    },
    error::FieldError,
    job::{JobError, WAIT_MS_MAX},
    kind::KindDescriptor,
};
use flowork_sqlite::StoreError;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::bounds::{cut_error, cut_lines, cut_progress};
use crate::{
    engines::{Engines, Host},
    store::{Budget, ClaimKinds, Claimed, Claimer, FinishRow, Grant, RenewRow},
};

/// Leases one renewal or release may name.
const LEASES_MAX: usize = 1_024;
/// A result, in bytes of JSON.
pub const RESULT_BYTES_MAX: usize = 1 << 20;
/// Kinds an engine may say it runs.
const KINDS_MAX: usize = 256;

/// Why an engine's call was refused. Nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum EngineCallError {
    /// No such engine.
    #[error("there is no engine {engine_id}")]
    UnknownEngine {
        /// As it was asked for.
        engine_id: EngineId,
    },
    /// The request has fields that are not valid.
    #[error("the request has fields that are not valid")]
    Invalid {
        /// Each thing that is wrong.
        errors: Vec<FieldError>,
    },
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl Engines {
    /// Waits for jobs, at most `wait_ms`, and answers as soon as one is there.
    ///
    /// When whoever asked goes away first, what was claimed for them is released at once. A node that was opened to run
    /// nothing has no jobs for anybody, as one that drains.
    ///
    /// # Errors
    /// See [`EngineCallError`].
    pub async fn claim(&self, engine_id: EngineId, request: ClaimRequest) -> Result<ClaimAnswer, EngineCallError> {
        let host = self.host(engine_id).ok_or(EngineCallError::UnknownEngine { engine_id })?;
        if !(1..=CLAIM_JOBS_MAX).contains(&request.max) {
            return Err(invalid("/max", format!("{} is not between 1 and {CLAIM_JOBS_MAX}", request.max)));
        }
        if request.wait_ms > WAIT_MS_MAX {
            return Err(invalid("/wait_ms", format!("{} is more than {WAIT_MS_MAX}", request.wait_ms)));
        }
        host.check_serves()?;
        let deadline = Instant::now() + Duration::from_millis(request.wait_ms);
        if self.is_for_recovery() && host.location() == EngineLocation::External {
            // Waits nevertheless, so that nobody asks again and again.
            let _ = timeout_at(deadline, self.stopping().cancelled()).await;
            return Ok(ClaimAnswer { jobs: Vec::new() });
        }
        let (sender, receiver) = oneshot::channel();
        self.spawn(claim_until(host, request, deadline, self.stopping(), sender));
        let delivery = receiver.await.map_err(|_| StoreError::Closed)??;
        Ok(ClaimAnswer { jobs: delivery.accept().into_iter().map(to_wire).collect() })
    }

    /// Renews leases, and stores what their attempts report.
    ///
    /// # Errors
    /// See [`EngineCallError`].
    pub async fn renew(&self, engine_id: EngineId, request: RenewRequest) -> Result<RenewAnswer, EngineCallError> {
        let host = self.host(engine_id).ok_or(EngineCallError::UnknownEngine { engine_id })?;
        if request.jobs.len() > LEASES_MAX {
            return Err(invalid("/jobs", format!("more than {LEASES_MAX} leases")));
        }
        // A job of another engine's shard is not this engine's to hold.
        let mut items: Vec<_> =
            request.jobs.iter().map(|item| RenewAnswerItem { id: item.id, outcome: RenewOutcome::LeaseLost }).collect();
        let mut shards: HashMap<ShardNumber, (Vec<usize>, Vec<RenewRow>)> = HashMap::new();
        for (index, item) in request.jobs.into_iter().enumerate() {
            let (progress, logs) = (item.progress.map(cut_progress), cut_lines(item.logs));
            let row = RenewRow { id: item.id, epoch: item.epoch, progress, logs, extend: true };
            let (indexes, rows) = shards.entry(item.id.shard()).or_default();
            indexes.push(index);
            rows.push(row);
        }
        for (number, (indexes, rows)) in shards {
            let Some(shard) = host.shard(number) else { continue };
            for (index, outcome) in std::iter::zip(indexes, kept(shard.renew(rows).await)?) {
                items[index].outcome = outcome;
            }
        }
        Ok(RenewAnswer { items })
    }

    /// Ends attempts.
    ///
    /// # Errors
    /// See [`EngineCallError`].
    pub async fn finish(
        &self,
        engine_id: EngineId,
        request: FinishRequest,
    ) -> Result<FinishAnswerList, EngineCallError> {
        let host = self.host(engine_id).ok_or(EngineCallError::UnknownEngine { engine_id })?;
        if request.results.len() > CLAIM_JOBS_MAX as usize {
            return Err(invalid("/results", format!("more than {CLAIM_JOBS_MAX} results")));
        }
        let mut items: Vec<_> = request
            .results
            .iter()
            .map(|item| FinishAnswerItem { id: item.id, outcome: FinishAnswer::LeaseLost })
            .collect();
        let mut shards: HashMap<ShardNumber, (Vec<usize>, Vec<FinishRow>)> = HashMap::new();
        for (index, item) in request.results.into_iter().enumerate() {
            let (indexes, rows) = shards.entry(item.id.shard()).or_default();
            indexes.push(index);
            rows.push(to_row(index, item)?);
        }
        for (number, (indexes, rows)) in shards {
            let Some(shard) = host.shard(number) else { continue };
            for (index, outcome) in std::iter::zip(indexes, kept(shard.finish(rows, None).await)?) {
                items[index].outcome = outcome;
            }
        }
        Ok(FinishAnswerList { items })
    }

    /// Gives leases back unused: the jobs are ready again at once, and the attempts do not count. A lease that the
    /// engine does not hold is left alone.
    ///
    /// # Errors
    /// See [`EngineCallError`].
    pub async fn release(&self, engine_id: EngineId, request: ReleaseRequest) -> Result<(), EngineCallError> {
        let host = self.host(engine_id).ok_or(EngineCallError::UnknownEngine { engine_id })?;
        if request.jobs.len() > LEASES_MAX {
            return Err(invalid("/jobs", format!("more than {LEASES_MAX} leases")));
        }
        let mut shards: HashMap<ShardNumber, Vec<(JobId, u32)>> = HashMap::new();
        for Lease { id, epoch } in request.jobs {
            shards.entry(id.shard()).or_default().push((id, epoch));
        }
        for (number, items) in shards {
            let Some(shard) = host.shard(number) else { continue };
            kept(shard.release(items, None).await.map(|()| Vec::<()>::new()))?;
        }
        Ok(())
    }

    /// Takes the kinds that an engine elsewhere named before the node started. They hold until it names its kinds again; it
    /// is not up before that, but a job of theirs is taken for it if nobody else runs it.
    pub fn recall_kinds(&self, engine_id: EngineId, kinds: Vec<KindDescriptor>) {
        if let Some(host) = self.host(engine_id) {
            host.recall(kinds);
        }
    }

    /// Takes an engine's report of itself; answers what the node wants of it.
    ///
    /// # Errors
    /// See [`EngineCallError`].
    pub fn heartbeat(
        &self,
        engine_id: EngineId,
        request: HeartbeatRequest,
    ) -> Result<HeartbeatAnswer, EngineCallError> {
        let host = self.host(engine_id).ok_or(EngineCallError::UnknownEngine { engine_id })?;
        if request.kinds.len() > KINDS_MAX {
            return Err(invalid("/kinds", format!("more than {KINDS_MAX} kinds")));
        }
        let members = self.members().unless(request.members_version);
        host.heard(request, self.now()).map_err(|reason| invalid("/kinds", reason))?;
        self.events().publish(None, flowork_api_types::event::Event::EnginesChanged);
        let desired_workers = self.wanted().desired_workers(engine_id);
        Ok(HeartbeatAnswer { drain: self.keeps_from_claiming(), desired_workers, members })
    }
}

/// Leases of a shard in quarantine count as lost: nothing about them can be stored, and what the engine says of its
/// other jobs must not wait for a repair.
fn kept<T>(outcome: Result<Vec<T>, StoreError>) -> Result<Vec<T>, StoreError> {
    match outcome {
        Err(error) if error.is_quarantined() => Ok(Vec::new()),
        outcome => outcome,
    }
}

fn invalid(field: &str, message: String) -> EngineCallError {
    EngineCallError::Invalid { errors: vec![FieldError { field: field.to_owned(), message }] }
}

/// Registers with every shard of the engine, takes what comes first, and closes the account: what was granted by then
/// is delivered or released, never forgotten.
async fn claim_until(
    host: Arc<Host>,
    request: ClaimRequest,
    deadline: Instant,
    stopping: CancellationToken,
    mut reply: oneshot::Sender<Result<Delivery, StoreError>>,
) {
    let budget = Arc::new(Budget::new(u64::from(request.max)));
    let (sink, mut grants) = mpsc::unbounded_channel::<Grant>();
    let registered = futures_util::future::try_join_all(host.shards().map(|shard| {
        let claimed = shard.claim(Claimer {
            budget: Arc::clone(&budget),
            kinds: request.kinds.clone().map_or(ClaimKinds::All, ClaimKinds::Only),
            sink: sink.clone(),
        });
        async { kept(claimed.await.map(|()| Vec::<()>::new())) }
    }));
    let registered = registered.await;
    drop(sink);
    let mut delivery = Delivery { host, jobs: Vec::new() };
    let jobs = &mut delivery.jobs;
    while registered.is_ok() && jobs.is_empty() {
        tokio::select! {
            biased;
            grant = timeout_at(deadline, grants.recv()) => match grant {
                Ok(Some(grant)) => jobs.extend(grant),
                Ok(None) | Err(_) => break,
            },
            () = reply.closed() => break,
            () = stopping.cancelled() => break,
        }
    }
    budget.close();
    while (jobs.len() as u64) < budget.taken() {
        match grants.recv().await {
            Some(grant) => jobs.extend(grant),
            None => break,
        }
    }
    // A shard that failed does not take away what the others gave.
    let answer = if jobs.is_empty() { registered.map(|_| delivery) } else { Ok(delivery) };
    // Whoever asked may have gone; then the delivery is dropped, and its jobs are ready again.
    let _ = reply.send(answer);
}

/// Claimed jobs on their way to whoever asked. Those that nobody accepts are released: the asker can go away at any
/// moment, also after the answer was sent and before it was looked at.
struct Delivery {
    host: Arc<Host>,
    jobs: Vec<Claimed>,
}

impl Delivery {
    fn accept(mut self) -> Vec<Claimed> {
        std::mem::take(&mut self.jobs)
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        for job in &self.jobs {
            if let Some(shard) = self.host.shard(job.id.shard()) {
                // Sent with the call; if the store fails, the lease runs out.
                drop(shard.release(vec![(job.id, job.epoch)], None));
            }
        }
    }
}

fn to_wire(job: Claimed) -> ClaimedJob {
    ClaimedJob {
        id: job.id,
        kind: job.kind,
        created_by: job.owner,
        payload: serde_json::from_slice(&job.payload).expect("a checked payload is the JSON that was stored"),
        attempt: job.attempt,
        epoch: job.epoch,
        lease_expires_at: job.lease_expires_at,
        timeout_ms: job.timeout_ms,
        // The parent span is the job's own; its id is the low half of the job's id.
        traceparent: format!("00-{}-{:016x}-01", job.trace_id, job.id.tail() as u64),
    }
}

fn to_row(index: usize, item: FinishItem) -> Result<FinishRow, EngineCallError> {
    let outcome = match item.outcome {
        FinishOutcome::Completed => {
            let result = item.result.unwrap_or(serde_json::Value::Null);
            let result = serde_json::to_vec(&result).expect("a JSON value is always JSON");
            if result.len() > RESULT_BYTES_MAX {
                let message = format!("the result has {} bytes; at most {RESULT_BYTES_MAX} are kept", result.len());
                return Err(invalid(&format!("/results/{index}/result"), message));
            }
            Ok(result)
        }
        FinishOutcome::Failed => Err(item.error.map_or_else(no_reason, cut_error)),
    };
    Ok(FinishRow {
        id: item.id,
        epoch: item.epoch,
        outcome,
        retryable: item.retryable.unwrap_or(true),
        retry_after: item.retry_after_ms.map(Duration::from_millis),
        throttle: item.throttle.map(|throttle| (throttle.target, Duration::from_millis(throttle.wait_ms))),
        progress: item.progress.map(cut_progress),
        logs: cut_lines(item.logs),
    })
}

fn no_reason() -> JobError {
    JobError { code: "FAILED".to_owned(), message: "the engine gave no reason".to_owned(), hint: None, details: None }
}
