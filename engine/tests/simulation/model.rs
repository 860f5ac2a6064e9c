//! The queue as one would explain it to a person: a list of jobs, and rules about which may start.

use std::collections::BTreeMap;

use flowork_api_types::{
    JobId,
    engine::{FinishAnswer, RenewOutcome},
    job::JobState,
    limit::{LimitRule, LimitTarget},
};
use flowork_engine::{Engines, jobs::enqueue::EnqueueError};
use rand::{RngExt, rngs::StdRng};
use serde_json::{Value, json};

use crate::support::{owner, request, trace};

pub(super) const LEASE_MS: i64 = 30_000;
const BACKOFF_MS_MAX: u64 = 20_000;
/// Few enough that jobs meet at them.
const KEYS: u32 = 4;

#[derive(Clone, Debug)]
pub(super) struct SimulatedJob {
    pub(super) state: JobState,
    pub(super) attempt: u16,
    attempts_max: u16,
    epoch: u32,
    run_at: i64,
    lease_until: i64,
    expires_at: Option<i64>,
    initial_ms: u64,
    unique_key: Option<String>,
    concurrency: Option<(String, u32)>,
    /// How each epoch ended that ended by a word of its worker.
    ended: BTreeMap<u32, bool>,
}

#[derive(Default)]
pub(super) struct Model {
    jobs: BTreeMap<JobId, SimulatedJob>,
    limits: BTreeMap<String, u32>,
}

/// Adds keys to what a job asks for.
pub(super) fn add_keys(body: &mut Value, chance: &mut StdRng) {
    if chance.random_bool(0.25) {
        body["unique_key"] = json!(format!("unique {}", chance.random_range(0..KEYS)));
    }
    if chance.random_bool(0.4) {
        body["concurrency_key"] = json!(format!("tenant {}", chance.random_range(0..KEYS)));
        body["concurrency_max"] = json!(chance.random_range(1..4));
    }
}

impl Model {
    /// Enqueues, and expects a refusal where another open job has the unique key.
    pub(super) async fn enqueue(&mut self, engines: &Engines, key: &str, body: Value, now: i64, initial_ms: u64) {
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let unique_key = text("unique_key");
        let holder = self
            .jobs
            .iter()
            .find(|(_, job)| !job.state.is_final() && unique_key.is_some() && job.unique_key == unique_key);
        let holder = holder.map(|(id, _)| *id);
        let answer = engines.enqueue(&owner(), key, request(body.clone()), trace()).await;
        let enqueued = match (answer, holder) {
            (Err(EnqueueError::UniqueKeyHeld { holder: found }), Some(holder)) => {
                assert_eq!(found, holder, "{key}");
                return;
            }
            (Ok(enqueued), None) => enqueued,
            (answer, holder) => panic!("{key}: {answer:?}, and the unique key is held by {holder:?}"),
        };
        let delay_ms = body["delay_ms"].as_i64().unwrap_or(0);
        let expires_at = enqueued.job.summary.expires_at.map(flowork_api_types::Timestamp::as_millis);
        let job = SimulatedJob {
            state: if delay_ms > 0 { JobState::Scheduled } else { JobState::Queued },
            attempt: 0,
            attempts_max: enqueued_u16(&body, "attempts_max"),
            epoch: 0,
            run_at: now + delay_ms,
            lease_until: 0,
            expires_at,
            initial_ms,
            unique_key,
            concurrency: text("concurrency_key").map(|key| (key, u32::from(enqueued_u16(&body, "concurrency_max")))),
            ended: BTreeMap::new(),
        };
        assert!(self.jobs.insert(enqueued.job.summary.id, job).is_none(), "{key} has an id of its own");
    }

    pub(super) fn jobs(&self) -> impl Iterator<Item = (JobId, &SimulatedJob)> {
        self.jobs.iter().map(|(id, job)| (*id, job))
    }

    /// Scheduled, queued, leased.
    pub(super) fn counts(&self) -> (u64, u64, u64) {
        let count = |state| self.jobs.values().filter(|job| job.state == state).count() as u64;
        (count(JobState::Scheduled), count(JobState::Queued), count(JobState::Leased))
    }

    pub(super) fn is_over(&self) -> bool {
        self.counts() == (0, 0, 0)
    }

    /// The next moment at which something happens by itself.
    pub(super) fn next_due(&self) -> Option<i64> {
        let due = self.jobs.values().filter_map(|job| match job.state {
            JobState::Scheduled => Some(job.run_at),
            JobState::Leased => Some(job.lease_until),
            JobState::Queued => job.expires_at.filter(|_| job.attempt == 0),
            _ => None,
        });
        due.min()
    }

    pub(super) fn pass_to(&mut self, now: i64) {
        for job in self.jobs.values_mut() {
            let waits = matches!(job.state, JobState::Scheduled | JobState::Queued);
            if waits && job.attempt == 0 && job.expires_at.is_some_and(|at| at <= now) {
                job.state = JobState::Expired;
            } else if job.state == JobState::Scheduled && job.run_at <= now {
                job.state = JobState::Queued;
            } else if job.state == JobState::Leased && job.lease_until <= now {
                job.state = if job.attempt < job.attempts_max { JobState::Queued } else { JobState::Failed };
            }
        }
    }

    /// Leases start over with the node.
    pub(super) fn reopened(&mut self, now: i64) {
        for job in self.jobs.values_mut().filter(|job| job.state == JobState::Leased) {
            job.lease_until = now + LEASE_MS;
        }
    }

    /// Draws limits on concurrency keys and on the kind, some of them none.
    pub(super) fn draw_limits(&mut self, chance: &mut StdRng) {
        self.limits.clear();
        for number in 0..KEYS {
            if chance.random_bool(0.3) {
                self.limits.insert(format!("key:tenant {number}"), chance.random_range(1..3));
            }
        }
        if chance.random_bool(0.3) {
            self.limits.insert("kind:x".to_owned(), chance.random_range(1..5));
        }
    }

    pub(super) fn rules(&self) -> Vec<LimitRule> {
        let rule = |(target, concurrency): (&String, &u32)| LimitRule {
            target: target.parse::<LimitTarget>().expect("the targets of the model are right"),
            concurrency: Some(*concurrency),
            rate: None,
        };
        self.limits.iter().map(rule).collect()
    }

    fn running(&self, key: Option<&str>) -> u32 {
        let counts = |job: &&SimulatedJob| {
            let mine = key.is_none() || job.concurrency.as_ref().map(|(name, _)| name.as_str()) == key;
            job.state == JobState::Leased && mine
        };
        self.jobs.values().filter(counts).count() as u32
    }

    /// Why a job may not start now.
    fn held_back(&self, job: &SimulatedJob) -> Option<String> {
        if let Some(bound) = self.limits.get("kind:x")
            && self.running(None) >= *bound
        {
            return Some(format!("the kind runs {bound} times"));
        }
        let (key, own) = job.concurrency.as_ref()?;
        let bound = self.limits.get(&format!("key:{key}")).unwrap_or(own).min(own);
        (self.running(Some(key)) >= *bound).then(|| format!("{key} runs {bound} times"))
    }

    /// A worker got a job: it must have been one that may start.
    pub(super) fn claimed(&mut self, id: JobId, attempt: u16, epoch: u32, now: i64) {
        let job = self.jobs.get(&id).unwrap_or_else(|| panic!("{id} was claimed and never enqueued"));
        assert_eq!(job.state, JobState::Queued, "{id} was claimed");
        assert!(job.run_at <= now, "{id} was claimed before its time");
        assert_eq!(self.held_back(job), None, "{id} was claimed");
        assert_eq!((attempt, epoch), (job.attempt + 1, job.epoch + 1), "{id}");
        let job = self.jobs.get_mut(&id).expect("it was found above");
        job.state = JobState::Leased;
        job.attempt = attempt;
        job.epoch = epoch;
        job.lease_until = now + LEASE_MS;
    }

    /// A worker got nothing: nothing may have been ready that no rule holds back.
    pub(super) fn nothing_to_claim(&self, now: i64) {
        let ready = self
            .jobs
            .iter()
            .find(|(_, job)| job.state == JobState::Queued && job.run_at <= now && self.held_back(job).is_none());
        assert!(ready.is_none(), "{ready:?} could start and was not given out; limits {:?}", self.limits);
    }

    fn holder(&mut self, id: JobId, epoch: u32) -> Option<&mut SimulatedJob> {
        self.jobs.get_mut(&id).filter(|job| job.state == JobState::Leased && job.epoch == epoch)
    }

    pub(super) fn renew(&mut self, id: JobId, epoch: u32, now: i64) -> RenewOutcome {
        let Some(job) = self.holder(id, epoch) else { return RenewOutcome::LeaseLost };
        job.lease_until = now + LEASE_MS;
        RenewOutcome::Renewed
    }

    pub(super) fn complete(&mut self, id: JobId, epoch: u32) -> FinishAnswer {
        self.end(id, epoch, true, JobState::Completed)
    }

    /// The state after it, and when it is tried again, come with [`after_failure`](Self::after_failure).
    pub(super) fn fail(&mut self, id: JobId, epoch: u32, for_good: bool) -> FinishAnswer {
        let last = |job: &SimulatedJob| for_good || job.attempt >= job.attempts_max;
        let state = match self.jobs.get(&id) {
            Some(job) if !last(job) => JobState::Scheduled,
            _ => JobState::Failed,
        };
        self.end(id, epoch, false, state)
    }

    fn end(&mut self, id: JobId, epoch: u32, well: bool, state: JobState) -> FinishAnswer {
        if let Some(job) = self.holder(id, epoch) {
            job.state = state;
            job.run_at = i64::MAX;
            job.ended.insert(epoch, well);
            return FinishAnswer::Accepted;
        }
        let repeated = self.jobs.get(&id).is_some_and(|job| job.ended.get(&epoch) == Some(&well));
        if repeated { FinishAnswer::Accepted } else { FinishAnswer::LeaseLost }
    }

    /// Takes over when a failed job is tried again: anywhere in its jitter, and no later.
    pub(super) fn after_failure(&mut self, id: JobId, state: JobState, run_at: i64, now: i64) {
        let job = self.jobs.get_mut(&id).expect("it was enqueued");
        if job.run_at != i64::MAX {
            return;
        }
        if job.state == JobState::Scheduled {
            let longest = (job.initial_ms << (job.attempt - 1)).min(BACKOFF_MS_MAX) as i64;
            assert!((now..=now + longest).contains(&run_at), "{id} is tried again after {} ms", run_at - now);
            assert!(matches!(state, JobState::Scheduled | JobState::Queued), "{id} is {state}");
            job.state = state;
        }
        job.run_at = run_at;
    }
}

fn enqueued_u16(body: &Value, name: &str) -> u16 {
    body[name].as_u64().and_then(|value| u16::try_from(value).ok()).expect("the simulation wrote it")
}
