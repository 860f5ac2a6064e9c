//! Looking: one job, waiting for its end, lists, attempts, logs.

use std::time::Duration;

use flowork_api_types::{
    EngineId, JobId,
    event::Event,
    job::{Attempt, Job, JobList, ListJobsQuery, LogList},
};
use flowork_sqlite::StoreError;
use tokio::time::{Instant, timeout_at};

use super::Caller;
use crate::{
    engines::{Engines, Host},
    store::{ListFilter, Lookup, Shard},
};

/// Jobs on a page that asks for no other number.
const PAGE_JOBS: u32 = 50;
/// Jobs on a page at the most.
const PAGE_JOBS_MAX: u32 = 200;
/// Log lines on a page at the most.
const PAGE_LINES_MAX: u32 = 1_000;

/// Why a job can't be shown.
#[derive(Debug, thiserror::Error)]
pub enum JobLookupError {
    /// No such job, or none that the caller may see.
    #[error("there is no job {job_id}")]
    NotFound {
        /// As it was asked for.
        job_id: JobId,
    },
    /// What was read is not what was stored.
    #[error("the {what} of {job_id} is damaged on the disk")]
    Corrupt {
        /// The job.
        job_id: JobId,
        /// `payload` or `result`.
        what: &'static str,
    },
    /// The store failed.
    #[error("the job could not be read")]
    Store(#[from] StoreError),
}

/// Why jobs can't be listed.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The cursor is not one that a page gave.
    #[error("the cursor is not valid")]
    InvalidCursor,
    /// The limit is out of range.
    #[error("the limit {limit} is not between 1 and {PAGE_JOBS_MAX}")]
    InvalidLimit {
        /// As it was asked for.
        limit: u32,
    },
    /// No such engine.
    #[error("there is no engine {engine_id}")]
    UnknownEngine {
        /// As it was asked for.
        engine_id: EngineId,
    },
    /// The store failed.
    #[error("the jobs could not be read")]
    Store(#[from] StoreError),
}

impl Engines {
    /// One job, whole.
    ///
    /// # Errors
    /// See [`JobLookupError`].
    pub async fn job(&self, caller: &Caller, id: JobId) -> Result<Job, JobLookupError> {
        let (host, shard) = self.shard_of(id).ok_or(JobLookupError::NotFound { job_id: id })?;
        match shard.lookup(id, caller.actor()).await? {
            Lookup::Found(row) => Ok(row.into_job(host.id(), caller.may_act)),
            Lookup::NotFound => Err(JobLookupError::NotFound { job_id: id }),
            Lookup::Corrupt { what } => Err(JobLookupError::Corrupt { job_id: id, what }),
        }
    }

    /// One job, once it has ended or `wait` is over.
    ///
    /// # Errors
    /// See [`JobLookupError`].
    pub async fn wait(&self, caller: &Caller, id: JobId, wait: Duration) -> Result<Job, JobLookupError> {
        let deadline = Instant::now() + wait;
        // Listen before looking, so that an end in between is not missed.
        let mut feed = self.events().subscribe(None);
        loop {
            let job = self.job(caller, id).await?;
            if job.summary.state.is_final() {
                return Ok(job);
            }
            loop {
                let Ok(Some((_, envelope))) = timeout_at(deadline, feed.next()).await else {
                    return self.job(caller, id).await;
                };
                match envelope.event {
                    Event::JobChanged { job_id, state, .. } if job_id == id && state.is_final() => break,
                    Event::Resync => break,
                    _ => {}
                }
            }
        }
    }

    /// Jobs that the caller may see, newest first.
    ///
    /// # Errors
    /// See [`ListError`].
    pub async fn list_jobs(&self, caller: &Caller, query: ListJobsQuery) -> Result<JobList, ListError> {
        let limit = query.limit.unwrap_or(PAGE_JOBS);
        if !(1..=PAGE_JOBS_MAX).contains(&limit) {
            return Err(ListError::InvalidLimit { limit });
        }
        let below_key = match &query.cursor {
            None => i64::MAX,
            Some(cursor) => cursor.parse::<JobId>().map_err(|_| ListError::InvalidCursor)?.key(),
        };
        let hosts = match query.engine_id {
            None => self.hosts(),
            Some(engine_id) => vec![self.host(engine_id).ok_or(ListError::UnknownEngine { engine_id })?],
        };
        let filter = ListFilter {
            state: query.state,
            kind: query.kind,
            queue: query.queue,
            tag: query.tag,
            owner: (!caller.sees_all).then(|| caller.subject.to_string()),
            from_key: query.created_after.map_or(0, |at| JobId::first_key_at(at.as_millis().saturating_add(1).max(0))),
            below_key,
            limit: limit as usize,
        };
        list(&hosts, &filter, caller.may_act).await.map_err(ListError::from)
    }

    /// A job's attempts, oldest first.
    ///
    /// # Errors
    /// See [`JobLookupError`].
    pub async fn attempts(&self, caller: &Caller, id: JobId) -> Result<Vec<Attempt>, JobLookupError> {
        let (_, shard) = self.shard_of(id).ok_or(JobLookupError::NotFound { job_id: id })?;
        shard.attempts(id, caller.actor()).await?.ok_or(JobLookupError::NotFound { job_id: id })
    }

    /// Lines of a job's log after number `after_seq`, oldest first, at most 1,000.
    ///
    /// # Errors
    /// See [`JobLookupError`].
    pub async fn logs(
        &self,
        caller: &Caller,
        id: JobId,
        after_seq: u64,
        limit: u32,
    ) -> Result<LogList, JobLookupError> {
        let limit = limit.clamp(1, PAGE_LINES_MAX);
        let (_, shard) = self.shard_of(id).ok_or(JobLookupError::NotFound { job_id: id })?;
        let items = shard.logs(id, caller.actor(), after_seq, limit).await?;
        let items = items.ok_or(JobLookupError::NotFound { job_id: id })?;
        let full = items.len() == limit as usize;
        let next_cursor = items.last().filter(|_| full).map(|line| line.seq.to_string());
        Ok(LogList { items, next_cursor })
    }
}

/// Merges a page from all shards. Only rows that every shard has read down to may be shown, or a page would skip some.
async fn list(hosts: &[std::sync::Arc<Host>], filter: &ListFilter, may_act: bool) -> Result<JobList, StoreError> {
    let shards: Vec<(EngineId, &Shard)> =
        hosts.iter().flat_map(|host| host.shards().map(|shard| (host.id(), shard))).collect();
    let pages = futures_util::future::try_join_all(shards.iter().map(|(engine_id, shard)| async move {
        match shard.list(filter.clone()).await {
            Ok(page) => Ok(Some((*engine_id, page))),
            // This very read may have met the damage.
            Err(error) if error.is_quarantined() => Ok(None),
            Err(error) => Err(error),
        }
    }));
    let pages: Vec<_> = pages.await?.into_iter().flatten().collect();
    let complete_from = pages.iter().filter_map(|(_, page)| page.complete_from).max();
    let mut rows: Vec<_> = pages
        .into_iter()
        .flat_map(|(engine_id, page)| page.rows.into_iter().map(move |row| (engine_id, row)))
        .filter(|(_, row)| complete_from.is_none_or(|from| row.id.key() >= from))
        .collect();
    rows.sort_unstable_by_key(|(_, row)| std::cmp::Reverse((row.id.key(), row.id.tail())));
    let cut = cut_between_keys(&rows, filter.limit);
    let more = rows.len() > cut;
    rows.truncate(cut);
    let next_key = match (more, complete_from) {
        (true, _) => rows.last().map(|(_, row)| row.id.key()),
        (false, from) => from,
    };
    Ok(JobList {
        items: rows.into_iter().map(|(engine_id, row)| row.into_summary(engine_id, may_act)).collect(),
        next_cursor: next_key.map(|key| JobId::from_key_and_tail(key, i64::MIN).to_string()),
        partial: hosts.iter().any(|host| host.is_partial()),
    })
}

/// Where to cut a page: the cursor names a key, and jobs of two shards may share one, so a page may get a few rows
/// longer but never ends between two of the same key.
fn cut_between_keys(rows: &[(EngineId, crate::store::JobRow)], limit: usize) -> usize {
    let mut cut = rows.len().min(limit);
    while cut > 0 && cut < rows.len() && rows[cut].1.id.key() == rows[cut - 1].1.id.key() {
        cut += 1;
    }
    cut
}
