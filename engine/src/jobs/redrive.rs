//! Asking for many ended jobs again: the dead letters of a bad day.

use std::{collections::HashMap, sync::Arc};

use flowork_api_types::{
    JobId, ShardNumber, Timestamp,
    error::FieldError,
    job::{JobState, RequeueAnswer, RequeueRequest},
};
use flowork_sqlite::StoreError;

use super::{Caller, enqueue::is_name};
use crate::{
    engines::Engines,
    store::{DeadFilter, ListFilter, Lookup, Shard},
};

/// Jobs in one call where it names no number.
const JOBS_DEFAULT: u32 = 1_000;
/// Jobs in one call at the most.
const JOBS_MAX: u32 = 10_000;
/// Ids a call may name.
const IDS_MAX: usize = 1_000;
/// Jobs that come back in one transaction.
const JOBS_AT_ONCE: usize = 200;

/// Why a redrive was refused. Nothing changed, or what came back before the store failed stays so.
#[derive(Debug, thiserror::Error)]
pub enum RedriveError {
    /// The request has fields that are not valid.
    #[error("the request has fields that are not valid")]
    InvalidFields {
        /// Each thing that is wrong.
        errors: Vec<FieldError>,
    },
    /// The store failed.
    #[error("the jobs could not be asked for again")]
    Store(#[from] StoreError),
}

impl Engines {
    /// Brings ended jobs back, those that are named or all that match, and keeps where they were.
    ///
    /// Newest first; a job that was brought back is not found again, so a call can be repeated until nothing is left.
    /// Jobs of kinds that the caller may not enqueue (`may_enqueue`) are skipped, and take no room in the limit: they
    /// would be found by every call.
    ///
    /// # Errors
    /// See [`RedriveError`].
    pub async fn requeue_many(
        &self,
        caller: &Caller,
        request: RequeueRequest,
        may_enqueue: impl Fn(&str) -> bool + Send + Sync,
    ) -> Result<RequeueAnswer, RedriveError> {
        check(&request)?;
        let to_queue: Option<Arc<str>> = request.to_queue.as_deref().map(Into::into);
        match &request.ids {
            Some(ids) => self.requeue_named(caller, ids, to_queue, &may_enqueue).await,
            None => self.requeue_matching(caller, &request, to_queue, &may_enqueue).await,
        }
    }

    async fn requeue_named(
        &self,
        caller: &Caller,
        ids: &[JobId],
        to_queue: Option<Arc<str>>,
        may_enqueue: &(impl Fn(&str) -> bool + Sync),
    ) -> Result<RequeueAnswer, RedriveError> {
        let mut requeued = 0;
        let mut shards: HashMap<ShardNumber, Vec<JobId>> = HashMap::new();
        for id in ids {
            shards.entry(id.shard()).or_default().push(*id);
        }
        for ids in shards.into_values() {
            let Some((_, shard)) = self.shard_of(ids[0]) else { continue };
            let ids = of_open_kinds(&shard, caller, ids, may_enqueue).await?;
            requeued += shard.requeue_many(ids, caller.actor(), to_queue.clone()).await?;
        }
        Ok(RequeueAnswer { requeued, skipped: ids.len() as u64 - requeued, more: false })
    }

    async fn requeue_matching(
        &self,
        caller: &Caller,
        request: &RequeueRequest,
        to_queue: Option<Arc<str>>,
        may_enqueue: &(impl Fn(&str) -> bool + Sync),
    ) -> Result<RequeueAnswer, RedriveError> {
        let mut answer = RequeueAnswer { requeued: 0, skipped: 0, more: false };
        let mut left = request.limit.unwrap_or(JOBS_DEFAULT) as usize;
        for host in self.hosts() {
            for shard in host.shards() {
                let mut below = Some(i64::MAX);
                while let Some(below_key) = below {
                    if left == 0 {
                        answer.more = true;
                        return Ok(answer);
                    }
                    let page = shard.find_dead(filter(caller, request, below_key, left)).await?;
                    let found = page.jobs.len();
                    let open = page.jobs.into_iter().filter(|(_, kind)| may_enqueue(kind));
                    let ids: Vec<_> = open.map(|(id, _)| id).collect();
                    let asked = ids.len();
                    let requeued = shard.requeue_many(ids, caller.actor(), to_queue.clone()).await?;
                    answer.requeued += requeued;
                    answer.skipped += found as u64 - requeued;
                    left = left.saturating_sub(asked);
                    below = page.go_on_below;
                }
            }
        }
        Ok(answer)
    }
}

/// Those of the caller's jobs whose kinds they may enqueue. A job's kind never changes.
async fn of_open_kinds(
    shard: &Shard,
    caller: &Caller,
    ids: Vec<JobId>,
    may_enqueue: &(impl Fn(&str) -> bool + Sync),
) -> Result<Vec<JobId>, StoreError> {
    let mut open = Vec::with_capacity(ids.len());
    for id in ids {
        if matches!(shard.lookup(id, caller.actor()).await?, Lookup::Found(job) if may_enqueue(&job.kind)) {
            open.push(id);
        }
    }
    Ok(open)
}

fn filter(caller: &Caller, request: &RequeueRequest, below_key: i64, left: usize) -> DeadFilter {
    let after = |at: Timestamp| JobId::first_key_at(at.as_millis().saturating_add(1).max(0));
    DeadFilter {
        list: ListFilter {
            state: Some(request.state.unwrap_or(JobState::Failed)),
            kind: request.kind.clone(),
            queue: request.queue.clone(),
            tag: request.tag.clone(),
            owner: (!caller.sees_all).then(|| caller.subject.to_string()),
            from_key: request.created_after.map_or(0, after),
            below_key,
            limit: JOBS_AT_ONCE.min(left),
        },
        error_code: request.error_code.clone(),
    }
}

fn check(request: &RequeueRequest) -> Result<(), RedriveError> {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, message: String| errors.push(FieldError { field: field.to_owned(), message });
    if matches!(request.state, Some(state) if !state.is_final() || state == JobState::Completed) {
        wrong("/state", "only failed, cancelled and expired jobs can be asked for again".to_owned());
    }
    if let Some(limit) = request.limit.filter(|limit| !(1..=JOBS_MAX).contains(limit)) {
        wrong("/limit", format!("{limit} is not between 1 and {JOBS_MAX}"));
    }
    if request.to_queue.as_deref().is_some_and(|queue| !is_name(queue)) {
        wrong("/to_queue", "a queue's name has 1 to 64 letters, digits, dots, dashes or underscores".to_owned());
    }
    if let Some(ids) = &request.ids {
        let only_ids =
            RequeueRequest { ids: Some(ids.clone()), to_queue: request.to_queue.clone(), ..Default::default() };
        if ids.len() > IDS_MAX {
            wrong("/ids", format!("names {} jobs; at most {IDS_MAX} are allowed", ids.len()));
        }
        if *request != only_ids {
            wrong("/ids", "name jobs or say which match, not both".to_owned());
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(RedriveError::InvalidFields { errors }) }
}
