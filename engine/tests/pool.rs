//! The worker pool over a source that does what a test says. Time stands still but for what the pool waits for.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use flowork_api_types::{
    engine::{Lease, RenewOutcome},
    job::LogLevel,
};
use flowork_engine::{
    JobContext, KindRegistry,
    pool::{Assigned, AttemptEnd, JobSource, Payload, Pool, Slot, Workers},
    store::LEASE,
};
use serde_json::{Value, json};
use tokio::{
    sync::{Notify, Semaphore, watch},
    time::{Instant, sleep},
};

use super::support::{register, within};

/// What becomes of one renewal.
#[derive(Clone, Copy, Debug)]
enum Renew {
    Works,
    Fails,
    /// The answer comes after so long.
    Late(Duration),
    Hangs,
}

/// How an attempt ended, as its source heard it.
#[derive(Clone, Debug, PartialEq)]
enum Ended {
    Completed(Value, Vec<String>),
    Failed(String),
    Released,
}

/// A source that gives the jobs it was given.
#[derive(Default)]
struct Script {
    jobs: Mutex<VecDeque<(Lease, &'static str)>>,
    came: Notify,
    ended: watch::Sender<Vec<(u32, Ended)>>,
    /// What becomes of each renewal; of those past the last one, what becomes of that.
    renewals: Mutex<Vec<Renew>>,
    renewed: AtomicU32,
}

impl Script {
    /// Adds a job; it is told from others by its epoch.
    fn give(&self, epoch: u32, kind: &'static str) {
        let id = "job_01930c5ea2f07a3c8000000000000000".parse().unwrap();
        self.jobs.lock().unwrap().push_back((Lease { id, epoch }, kind));
        self.came.notify_one();
    }

    fn hear(&self, lease: Lease, ended: Ended) {
        self.ended.send_modify(|all| all.push((lease.epoch, ended)));
    }

    async fn ends(&self, count: usize) -> Vec<(u32, Ended)> {
        let mut ended = self.ended.subscribe();
        let mut all = within(ended.wait_for(|all| all.len() >= count)).await.unwrap().clone();
        all.sort_by_key(|(epoch, _)| *epoch);
        all
    }
}

impl JobSource for Script {
    async fn feed(&self, workers: &Workers<Self>) {
        loop {
            while !self.jobs.lock().unwrap().is_empty()
                && let Some(slot) = workers.take_slots(1).pop()
            {
                let (lease, kind) = self.jobs.lock().unwrap().pop_front().unwrap();
                let job = Assigned {
                    lease,
                    kind: kind.to_owned(),
                    created_by: "owner".to_owned(),
                    payload: Payload::Value(json!(lease.epoch)),
                    attempt: 1,
                    timeout: Duration::from_hours(1),
                    lease_until: Instant::now() + LEASE,
                };
                workers.start(job, slot);
            }
            tokio::select! {
                () = self.came.notified() => {}
                () = workers.closed().cancelled() => return,
            }
        }
    }

    fn look_again(&self) {
        self.came.notify_one();
    }

    async fn renew(&self, workers: &Workers<Self>, extend: bool) {
        let renewals = workers.attempts().take_renewals(extend);
        let number = self.renewed.fetch_add(1, Ordering::SeqCst) as usize;
        let sent = Instant::now();
        let answer = {
            let script = self.renewals.lock().unwrap();
            script.get(number).or(script.last()).copied().unwrap_or(Renew::Works)
        };
        match answer {
            Renew::Works => {}
            Renew::Fails => return workers.attempts().put_back(renewals),
            Renew::Late(wait) => sleep(wait).await,
            Renew::Hangs => std::future::pending().await,
        }
        let outcomes = renewals.iter().map(|renewal| (renewal.lease, RenewOutcome::Renewed));
        workers.attempts().settle(extend.then_some(sent), outcomes.collect::<Vec<_>>());
        workers.attempts().delivered(&renewals);
    }

    async fn finish(&self, workers: &Workers<Self>, end: AttemptEnd, slot: Slot) {
        let (_, logs) = workers.attempts().last_words(end.lease).await;
        self.hear(
            end.lease,
            match end.outcome {
                Ok(result) => {
                    let lines = logs.into_iter().map(|line| line.message).collect();
                    Ended::Completed(serde_json::from_slice(&result).unwrap(), lines)
                }
                Err(failure) => Ended::Failed(failure.error.code),
            },
        );
        drop(slot);
    }

    async fn release(&self, _: &Workers<Self>, lease: Lease, _: Slot) {
        self.hear(lease, Ended::Released);
    }
}

/// Kinds that end when a test says so, when they are told to stop, or after some time.
struct World {
    kinds: KindRegistry,
    gate: Arc<Semaphore>,
    /// When each attempt of `stubborn` was told to stop.
    stopped: watch::Sender<Vec<Instant>>,
}

impl World {
    fn new() -> Self {
        let (kinds, gate, stopped) = (KindRegistry::default(), Arc::new(Semaphore::new(0)), watch::Sender::default());
        let world = Self { kinds, gate, stopped };
        let gate = Arc::clone(&world.gate);
        register(&world.kinds, "gated", move |context| {
            let gate = Arc::clone(&gate);
            Box::pin(async move {
                gate.acquire().await.unwrap().forget();
                Ok(context.payload)
            })
        });
        let stopped = world.stopped.clone();
        register(&world.kinds, "endless", move |context: JobContext| {
            let stopped = stopped.clone();
            Box::pin(async move {
                context.cancel.cancelled().await;
                stopped.send_modify(|all| all.push(Instant::now()));
                Err(flowork_engine::JobFailure::retryable("STOPPED", "told to stop"))
            })
        });
        // The second one does not end at the very moment at which leases are renewed.
        for (name, seconds) in [("ten_seconds", 10), ("nine_seconds", 9)] {
            register(&world.kinds, name, move |context| {
                Box::pin(async move {
                    context.reporter.log(LogLevel::Info, "begin");
                    sleep(Duration::from_secs(seconds)).await;
                    context.reporter.log(LogLevel::Info, "end");
                    Ok(context.payload)
                })
            });
        }
        world
    }

    fn start(&self, workers: u32, renewals: &[Renew]) -> Pool<Script> {
        let script = Script { renewals: Mutex::new(renewals.to_vec()), ..Script::default() };
        Pool::start(script, self.kinds.clone(), workers)
    }
}

/// Waits until so many jobs run.
async fn until_running(pool: &Pool<Script>, count: u32) {
    while pool.workers().running() != count {
        sleep(Duration::from_millis(1)).await;
    }
}

fn source(pool: &Pool<Script>) -> &Script {
    pool.workers().source()
}

#[tokio::test(start_paused = true)]
async fn a_pool_changes_its_size_while_it_runs() {
    let world = World::new();
    let pool = world.start(2, &[]);
    (1..=7).for_each(|epoch| source(&pool).give(epoch, "gated"));
    until_running(&pool, 2).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!((pool.workers().running(), pool.workers().busy(), pool.workers().size()), (2, 2, 2));

    pool.workers().resize(4);
    until_running(&pool, 4).await;

    pool.workers().resize(1);
    assert_eq!(pool.workers().size(), 1);
    world.gate.add_permits(3);
    source(&pool).ends(3).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(pool.workers().running(), 1, "three have ended and none has begun, for there is one worker");

    world.gate.add_permits(1);
    source(&pool).ends(4).await;
    until_running(&pool, 1).await;
    pool.workers().resize(3);
    until_running(&pool, 3).await;
    world.gate.add_permits(3);
    let ends = source(&pool).ends(7).await;
    let expected: Vec<_> = (1..=7).map(|epoch| (epoch, Ended::Completed(json!(epoch), Vec::new()))).collect();
    assert_eq!(ends, expected);
    within(pool.drained()).await;
    within(pool.stop()).await;
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_stopped_at_the_end_of_its_lease_and_not_before_when_no_renewal_works() {
    for renewals in [Renew::Fails, Renew::Hangs] {
        let world = World::new();
        let pool = world.start(1, &[renewals]);
        let began = Instant::now();
        source(&pool).give(1, "endless");
        until_running(&pool, 1).await;
        let mut stopped = world.stopped.subscribe();
        stopped.wait_for(|all| !all.is_empty()).await.unwrap();
        let held = stopped.borrow()[0] - began;
        assert!(held >= LEASE && held < LEASE + Duration::from_millis(100), "{renewals:?}: {held:?}");
        within(pool.drained()).await;
        assert!(source(&pool).ended.borrow().is_empty(), "{renewals:?}: nothing of it counts any more");
        pool.workers().resize(2);
        assert_eq!(pool.workers().take_slots(2).len(), 2, "{renewals:?}: its worker is free");
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_works_keeps_the_lease_and_two_that_fail_do_not_end_it() {
    let world = World::new();
    let pool = world.start(1, &[Renew::Works, Renew::Fails, Renew::Fails, Renew::Works, Renew::Hangs]);
    let began = Instant::now();
    source(&pool).give(1, "endless");
    let mut stopped = world.stopped.subscribe();
    stopped.wait_for(|all| !all.is_empty()).await.unwrap();
    // Renewed at 10 s and at 40 s, which is the moment before the first renewal's lease ends.
    let held = stopped.borrow()[0] - began;
    assert_eq!(held.as_secs(), 4 * (LEASE.as_secs() / 3) + LEASE.as_secs(), "{held:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lease_counts_from_when_its_renewal_was_sent() {
    let world = World::new();
    let pool = world.start(1, &[Renew::Late(Duration::from_secs(15)), Renew::Hangs]);
    let began = Instant::now();
    source(&pool).give(1, "endless");
    let mut stopped = world.stopped.subscribe();
    stopped.wait_for(|all| !all.is_empty()).await.unwrap();
    let held = stopped.borrow()[0] - began;
    assert_eq!(held.as_secs(), LEASE.as_secs() / 3 + LEASE.as_secs(), "sent at 10 s and answered at 25 s: {held:?}");
}

#[tokio::test(start_paused = true)]
async fn the_time_that_workers_were_busy_counts_what_runs_and_never_goes_back() {
    let world = World::new();
    let pool = world.start(2, &[]);
    assert_eq!(pool.workers().busy_ms_total(), 0);
    source(&pool).give(1, "ten_seconds");
    source(&pool).give(2, "gated");
    until_running(&pool, 2).await;
    let mut before = pool.workers().busy_ms_total();
    for _ in 0..20 {
        sleep(Duration::from_secs(1)).await;
        let now = pool.workers().busy_ms_total();
        assert!(now >= before, "{now} after {before}");
        before = now;
    }
    // Ten of the one, and twenty of the other, which still runs.
    assert!((29_900..30_100).contains(&before), "{before}");
    world.gate.add_permits(1);
    within(pool.drained()).await;
    let ended = pool.workers().busy_ms_total();
    sleep(Duration::from_mins(1)).await;
    assert_eq!(pool.workers().busy_ms_total(), ended, "nothing runs");
}

#[tokio::test(start_paused = true)]
async fn lines_whose_renewal_fails_or_is_on_its_way_come_with_the_end_and_in_their_order() {
    // The first line is taken along soon after it comes, the second one with the end: the answer to the first report comes
    // after the job has ended, and before leases are renewed, which would take the second line along.
    const LATE: Duration = Duration::from_millis(9_300);
    for (renewal, lines) in [(Renew::Fails, vec!["begin", "end"]), (Renew::Late(LATE), vec!["end"])] {
        let world = World::new();
        let pool = world.start(1, &[renewal]);
        source(&pool).give(1, "nine_seconds");
        let ends = source(&pool).ends(1).await;
        let lines = lines.into_iter().map(str::to_owned).collect();
        assert_eq!(ends, [(1, Ended::Completed(json!(1), lines))], "{renewal:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_stops_gives_back_what_it_can_not_finish() {
    let world = World::new();
    let pool = world.start(3, &[]);
    source(&pool).give(1, "endless");
    source(&pool).give(2, "endless");
    source(&pool).give(3, "ten_seconds");
    source(&pool).give(4, "gated");
    until_running(&pool, 3).await;
    within(pool.stop()).await;
    let ends = source(&pool).ends(3).await;
    assert_eq!(ends, [(1, Ended::Released), (2, Ended::Released), (3, Ended::Released)]);
    assert_eq!(pool.workers().running(), 0);
    assert_eq!(source(&pool).jobs.lock().unwrap().len(), 1, "the fourth was never taken");
}

#[tokio::test(start_paused = true)]
async fn a_closed_pool_claims_nothing_more_and_lets_what_runs_end() {
    let world = World::new();
    let pool = world.start(2, &[]);
    source(&pool).give(1, "ten_seconds");
    until_running(&pool, 1).await;
    pool.close();
    source(&pool).give(2, "gated");
    within(pool.drained()).await;
    assert!(matches!(source(&pool).ends(1).await.as_slice(), [(1, Ended::Completed(..))]));
    assert!(pool.workers().take_slots(1).is_empty());
    within(pool.stop()).await;
}

#[tokio::test(start_paused = true)]
async fn a_cancel_of_another_claim_of_the_job_stops_nothing() {
    let world = World::new();
    let pool = world.start(1, &[]);
    source(&pool).give(5, "endless");
    until_running(&pool, 1).await;
    let id = "job_01930c5ea2f07a3c8000000000000000".parse().unwrap();
    pool.workers().attempts().cancel(id, Some(4));
    sleep(Duration::from_secs(1)).await;
    assert!(world.stopped.borrow().is_empty());
    pool.workers().attempts().cancel(id, Some(5));
    assert_eq!(source(&pool).ends(1).await, [(5, Ended::Failed("CANCELLED".to_owned()))]);
}

#[tokio::test(start_paused = true)]
async fn an_end_waits_for_reports_that_are_on_their_way_and_may_come_back() {
    let world = World::new();
    let pool = world.start(1, &[]);
    source(&pool).give(1, "ten_seconds");
    until_running(&pool, 1).await;
    let attempts = pool.workers().attempts();
    // Before the pool itself takes them.
    let taken = attempts.take_renewals(false);
    assert_eq!(taken.len(), 1);
    sleep(Duration::from_secs(20)).await;
    assert!(source(&pool).ended.borrow().is_empty(), "the job has run its ten seconds, and its first line is away");
    attempts.put_back(taken);
    let lines = vec!["begin".to_owned(), "end".to_owned()];
    assert_eq!(source(&pool).ends(1).await, [(1, Ended::Completed(json!(1), lines))]);
}
