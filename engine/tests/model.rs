//! One external engine against a plain model: random operations, and after each the two must agree.

use std::{collections::BTreeMap, time::Duration};

use flowork_api_types::{
    JobId, Timestamp,
    engine::{FinishAnswer, RenewOutcome},
    job::{AttemptOutcome, JobState},
};
use flowork_engine::{Engines, jobs::act::ActionError};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};

use crate::support::{
    Home, claim, completed, counts, enqueue, failed, finish, job, owner, pass, renew, request, seed, trace, within,
};

const SEQUENCES: u64 = 240;
const STEPS: usize = 50;
const LEASE_MS: i64 = 30_000;
const BACKOFF_MS: i64 = 1_000;

#[derive(Clone, Debug)]
struct ModelJob {
    state: JobState,
    priority: u16,
    run_at: i64,
    attempt: u16,
    attempts_max: u16,
    epoch: u32,
    lease_until: i64,
    expires_at: Option<i64>,
    cancel_requested: bool,
    history: Vec<(u16, u32, AttemptOutcome)>,
}

impl ModelJob {
    fn end_attempt(&mut self, outcome: AttemptOutcome) {
        self.history.push((self.attempt, self.epoch, outcome));
    }

    fn lose_lease(&mut self) {
        self.end_attempt(AttemptOutcome::LeaseExpired);
        self.state = if self.cancel_requested {
            JobState::Cancelled
        } else if self.attempt < self.attempts_max {
            JobState::Queued
        } else {
            JobState::Failed
        };
    }

    fn pass_to(&mut self, now: i64) {
        let waits = matches!(self.state, JobState::Scheduled | JobState::Queued);
        if waits && self.attempt == 0 && self.expires_at.is_some_and(|at| at <= now) {
            self.state = JobState::Expired;
        } else if self.state == JobState::Scheduled && self.run_at <= now {
            self.state = JobState::Queued;
        } else if self.state == JobState::Leased && self.lease_until <= now {
            self.lose_lease();
        }
    }

    fn holds(&self, epoch: u32) -> bool {
        self.state == JobState::Leased && self.epoch == epoch
    }

    fn renew(&mut self, epoch: u32, now: i64) -> RenewOutcome {
        if !self.holds(epoch) {
            return RenewOutcome::LeaseLost;
        }
        self.lease_until = now + LEASE_MS;
        if self.cancel_requested { RenewOutcome::CancelRequested } else { RenewOutcome::Renewed }
    }

    fn finish(&mut self, epoch: u32, ending: Ending, now: i64) -> FinishAnswer {
        if !self.holds(epoch) {
            let before = self.history.iter().find(|(_, of, _)| *of == epoch).map(|(_, _, outcome)| *outcome);
            let repeated = match before {
                Some(AttemptOutcome::Completed) => ending == Ending::Completes,
                Some(AttemptOutcome::Failed | AttemptOutcome::Cancelled) => ending != Ending::Completes,
                _ => false,
            };
            return if repeated { FinishAnswer::Accepted } else { FinishAnswer::LeaseLost };
        }
        let retries = ending == Ending::FailsForNow && self.attempt < self.attempts_max;
        let (outcome, state) = match ending {
            Ending::Completes => (AttemptOutcome::Completed, JobState::Completed),
            _ if self.cancel_requested => (AttemptOutcome::Cancelled, JobState::Cancelled),
            _ if retries => (AttemptOutcome::Failed, JobState::Scheduled),
            _ => (AttemptOutcome::Failed, JobState::Failed),
        };
        if state == JobState::Scheduled {
            self.run_at = now + BACKOFF_MS * (1 << (self.attempt - 1));
        }
        self.end_attempt(outcome);
        self.state = state;
        FinishAnswer::Accepted
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Completes,
    FailsForNow,
    FailsForGood,
}

struct Run {
    home: Home,
    engines: Engines,
    chance: StdRng,
    jobs: BTreeMap<JobId, ModelJob>,
    requests: Vec<(String, Value, JobId)>,
    /// Every lease there ever was.
    leases: Vec<(JobId, u32)>,
}

impl Run {
    fn now(&self) -> i64 {
        self.home.clock.now().as_millis()
    }

    async fn step(&mut self) {
        match self.chance.random_range(0..100) {
            0..22 => self.enqueue().await,
            22..26 => self.replay().await,
            26..48 => self.claim().await,
            48..56 => self.renew().await,
            56..76 => self.finish().await,
            76..82 => self.cancel().await,
            82..87 => self.requeue().await,
            87..97 => self.pass().await,
            _ => self.reopen().await,
        }
        let count = |state| self.jobs.values().filter(|job| job.state == state).count() as u64;
        let expected = (count(JobState::Scheduled), count(JobState::Queued), count(JobState::Leased));
        assert_eq!(counts(&self.engines, self.home.spec.id), expected, "scheduled, queued, leased");
    }

    async fn enqueue(&mut self) {
        let now = self.now();
        let (priority, attempts_max) = (self.chance.random_range(0..3), self.chance.random_range(1..4));
        let delay_ms = *[0, 0, 500, 5_000].choose(&mut self.chance).unwrap();
        let expires_at = self.chance.random_bool(0.2).then(|| now + self.chance.random_range(1..8_000));
        let body = json!({
            "kind": "x",
            "priority": priority,
            "attempts_max": attempts_max,
            "run_at": Timestamp(now + delay_ms),
            "expires_at": expires_at.map(Timestamp),
            "backoff": {"initial_ms": BACKOFF_MS, "factor": 2.0, "jitter": false},
        });
        let key = format!("k{}", self.jobs.len());
        let id = enqueue(&self.engines, &key, body.clone()).await.summary.id;
        let state = if delay_ms > 0 { JobState::Scheduled } else { JobState::Queued };
        let job = ModelJob {
            state,
            priority,
            run_at: now + delay_ms,
            attempt: 0,
            attempts_max,
            epoch: 0,
            lease_until: 0,
            expires_at,
            cancel_requested: false,
            history: Vec::new(),
        };
        assert!(self.jobs.last_key_value().is_none_or(|(last, _)| *last < id), "ids rise");
        self.jobs.insert(id, job);
        self.requests.push((key, body, id));
    }

    async fn replay(&mut self) {
        let Some((key, body, id)) = self.requests.choose(&mut self.chance).cloned() else { return };
        let answer = self.engines.enqueue(&owner(), &key, request(body), trace()).await.unwrap();
        assert_eq!((answer.replayed, answer.job.summary.id), (true, id));
    }

    async fn claim(&mut self) {
        let (now, max) = (self.now(), self.chance.random_range(1..4));
        let mut ready: Vec<_> = self.jobs.iter_mut().filter(|(_, job)| job.state == JobState::Queued).collect();
        ready.sort_by_key(|(id, job)| (job.priority, job.run_at, **id));
        let mut expected = Vec::new();
        for (id, job) in ready.into_iter().take(max as usize) {
            job.state = JobState::Leased;
            job.attempt += 1;
            job.epoch += 1;
            job.lease_until = now + LEASE_MS;
            expected.push((*id, job.attempt, job.epoch));
        }
        let claimed = claim(&self.engines, self.home.spec.id, max).await;
        let claimed: Vec<_> = claimed.into_iter().map(|job| (job.id, job.attempt, job.epoch)).collect();
        assert_eq!(claimed, expected);
        self.leases.extend(claimed.into_iter().map(|(id, _, epoch)| (id, epoch)));
    }

    /// A lease that is held, or one that was.
    fn any_lease(&mut self) -> Option<(JobId, u32)> {
        let recent = self.leases.len().saturating_sub(4);
        let from = if self.chance.random_bool(0.7) { recent } else { 0 };
        self.leases[from..].choose(&mut self.chance).copied()
    }

    async fn renew(&mut self) {
        let Some((id, epoch)) = self.any_lease() else { return };
        let now = self.now();
        let expected = self.jobs.get_mut(&id).unwrap().renew(epoch, now);
        assert_eq!(renew(&self.engines, self.home.spec.id, id, epoch).await, expected, "{id} {epoch}");
    }

    async fn finish(&mut self) {
        let Some((id, epoch)) = self.any_lease() else { return };
        let endings = [Ending::Completes, Ending::FailsForNow, Ending::FailsForNow, Ending::FailsForGood];
        let ending = *endings.choose(&mut self.chance).unwrap();
        let now = self.now();
        let expected = self.jobs.get_mut(&id).unwrap().finish(epoch, ending, now);
        let item = match ending {
            Ending::Completes => completed(id, epoch, json!(epoch)),
            Ending::FailsForNow => failed(id, epoch, true),
            Ending::FailsForGood => failed(id, epoch, false),
        };
        assert_eq!(finish(&self.engines, self.home.spec.id, item).await, expected, "{id} {epoch} {ending:?}");
    }

    fn any_job(&mut self) -> Option<JobId> {
        let ids: Vec<_> = self.jobs.keys().copied().collect();
        ids.choose(&mut self.chance).copied()
    }

    async fn cancel(&mut self) {
        let Some(id) = self.any_job() else { return };
        let job = self.jobs.get_mut(&id).unwrap();
        let answer = self.engines.cancel(&owner(), id).await;
        match job.state {
            JobState::Leased => job.cancel_requested = true,
            JobState::Scheduled | JobState::Queued => job.state = JobState::Cancelled,
            ended => {
                assert!(matches!(answer, Err(ActionError::InvalidState { state, .. }) if state == ended), "{answer:?}");
                return;
            }
        }
        assert_eq!(answer.unwrap().summary.state, job.state);
    }

    async fn requeue(&mut self) {
        let Some(id) = self.any_job() else { return };
        let now = self.now();
        let job = self.jobs.get_mut(&id).unwrap();
        let answer = self.engines.requeue(&owner(), id).await;
        if matches!(job.state, JobState::Failed | JobState::Cancelled | JobState::Expired) {
            assert_eq!(answer.unwrap().summary.state, JobState::Queued);
            let fresh = ModelJob { state: JobState::Queued, run_at: now, attempt: 0, ..job.clone() };
            *job = ModelJob { expires_at: None, cancel_requested: false, ..fresh };
        } else {
            let state_now = job.state;
            assert!(matches!(answer, Err(ActionError::InvalidState { state, .. }) if state == state_now), "{answer:?}");
        }
    }

    async fn pass(&mut self) {
        let ms = *[1, 400, 1_000, 4_000, 15_000, 31_000].choose(&mut self.chance).unwrap();
        pass(&self.home, &self.engines, Duration::from_millis(ms)).await;
        let now = self.now();
        self.jobs.values_mut().for_each(|job| job.pass_to(now));
    }

    async fn reopen(&mut self) {
        within(self.engines.clone().shutdown()).await;
        self.engines = self.home.open().await;
        let lease_until = self.now() + LEASE_MS;
        for job in self.jobs.values_mut().filter(|job| job.state == JobState::Leased) {
            job.lease_until = lease_until;
        }
    }

    /// Everything that can be seen of every job.
    async fn compare(&self) {
        for (&id, model) in &self.jobs {
            let seen = job(&self.engines, id).await;
            let summary = seen.summary;
            assert_eq!((summary.state, summary.attempt), (model.state, model.attempt), "{id}");
            assert_eq!(summary.run_at.as_millis(), model.run_at, "{id}");
            assert_eq!(summary.cancel_requested, model.cancel_requested, "{id}");
            assert_eq!(summary.finished_at.is_some(), model.state.is_final(), "{id}");
            let leased = model.state == JobState::Leased;
            assert_eq!(summary.lease_expires_at, leased.then_some(Timestamp(model.lease_until)), "{id}");
            let result = (model.state == JobState::Completed).then(|| json!(model.epoch));
            assert_eq!(seen.result, result, "{id}: the result of the attempt that counts");
            let attempts = self.engines.attempts(&owner(), id).await.unwrap();
            let mut expected: Vec<_> =
                model.history.iter().map(|&(attempt, epoch, outcome)| (attempt, epoch, Some(outcome))).collect();
            expected.extend(leased.then_some((model.attempt, model.epoch, None)));
            let attempts: Vec<_> = attempts.iter().map(|one| (one.attempt, one.epoch, one.outcome)).collect();
            assert_eq!(attempts, expected, "{id}");
            assert!(attempts.is_sorted_by(|a, b| a.1 < b.1), "{id}: epochs rise strictly");
        }
    }
}

async fn sequence(seed: u64) {
    let mut home = Home::external(1);
    home.cap = 1_000;
    let engines = home.open().await;
    let chance = StdRng::seed_from_u64(seed);
    let mut run = Run { home, engines, chance, jobs: BTreeMap::new(), requests: Vec::new(), leases: Vec::new() };
    for step in 0..STEPS {
        run.step().await;
        if step % 10 == 9 {
            run.compare().await;
        }
    }
    within(run.engines.shutdown()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_operations_agree_with_a_plain_model() {
    let base = seed();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..SEQUENCES {
        if tasks.len() == 8 {
            tasks.join_next().await.unwrap().unwrap();
        }
        tasks.spawn(sequence(base.wrapping_add(n)));
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}
