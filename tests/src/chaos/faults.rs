//! Calls to the kernel that fail: nothing is acknowledged that is not there, and the node recovers by itself.
//!
//! The load makes every kind of commit: enqueues, claims, finishes and, by large payloads, checkpoints. Which of them a
//! fault hits follows from the number of the call; the steps between two faults share no factor with the number of
//! calls in a commit, so that over a run they land everywhere.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use flowork_test_support::{TestHome, TestNode};
use rand::{RngExt, rngs::StdRng};
use tokio::time::timeout;

use super::{
    chance, injected,
    load::{self, Ledger, Load, Offer, Told},
    number_in, scaled, seed,
    verdict::judge,
};

/// What the clients send, in CI and at full scale: a busy machine must keep up, or what piles up is judged for minutes.
const ENQUEUES_PER_SECOND: (u32, u32) = (80, 250);
/// Acknowledgements without a refusal after which the node counts as recovered.
const RECOVERED_AFTER: usize = 60;
/// How soon that must be once the faults have ended; very generous in CI.
const RECOVERS_WITHIN: (Duration, Duration) = (Duration::from_secs(90), Duration::from_secs(30));

/// More calls than any thread makes during a start.
const SPARED_MAX: u32 = 4_000;

/// One way to fail.
struct Fault {
    call: &'static str,
    error: &'static str,
    /// Calls a thread may make before the first fault.
    spared: u32,
    /// The last call that may fail.
    last: u32,
    step: u32,
}

impl Fault {
    fn inject(&self, first: u32) -> String {
        let Self { call, error, last, step, .. } = self;
        format!("inject={call}:error={error}:when={first}..{}+{step}", first + last)
    }
}

/// How many of the faults are of writes; they come first.
const WRITES: usize = 3;

const FAULTS: &[Fault] = &[
    Fault { call: "fsync,fdatasync", error: "EIO", spared: 6, last: 30, step: 7 },
    Fault { call: "pwrite64", error: "EIO", spared: 40, last: 400, step: 97 },
    Fault { call: "pwrite64", error: "ENOSPC", spared: 40, last: 400, step: 89 },
    Fault { call: "pread64", error: "EIO", spared: 10, last: 60, step: 7 },
    Fault { call: "openat", error: "EMFILE", spared: 1, last: 20, step: 3 },
    Fault { call: "accept4", error: "EMFILE", spared: 3, last: 30, step: 1 },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failing_calls_cause_no_false_acknowledgement_and_pass() -> anyhow::Result<()> {
    let seed = seed();
    let mut chance = chance(seed);
    for round in 0..scaled(1, 60) {
        // Where a fault strikes by the scheduler's whim is for the long run to explore.
        for fault in &FAULTS[..scaled(WRITES, FAULTS.len())] {
            let spared = fault.spared + chance.random_range(0..fault.step.max(scaled(2, 20)));
            let what = || format!("{}, round {round} of seed {seed}", fault.inject(spared));
            survive(fault, spared).await.with_context(what)?;
        }
    }
    Ok(())
}

async fn survive(fault: &Fault, spared: u32) -> anyhow::Result<()> {
    let (node, inject) = start_under(fault, spared).await?;
    let (ledger, refused) = load_until_recovered(&node).await?;
    println!("{inject}: {} acknowledged, {refused} refused", ledger.len());
    let home = node.kill().await?;
    let node = Arc::new(home.start().await?);
    judge(&node, &ledger).await?.check()
}

/// Starts a node that is going to meet a fault under load. One that meets it before may refuse to start; at the
/// next try the fault comes later.
async fn start_under(fault: &Fault, mut spared: u32) -> anyhow::Result<(TestNode, String)> {
    let trace = format!("trace={}", fault.call);
    loop {
        let inject = fault.inject(spared);
        // The files are made before: a start that makes them has a test of its own.
        let home = TestHome::new()?.start().await?.kill().await?;
        match home.try_start_under(&injected(&trace, &inject), &[]).await {
            Ok(node) => return Ok((node, inject)),
            Err(not_ready) if spared > SPARED_MAX => return Err(not_ready.reason.context(inject)),
            Err(_) => {}
        }
        println!("{inject}: it met the fault in its start");
        spared *= 2;
    }
}

/// Enqueues until so many in a row were accepted; answers how many were not.
async fn load_until_recovered(node: &TestNode) -> anyhow::Result<(Ledger, u32)> {
    let offer = Offer {
        per_second: scaled(ENQUEUES_PER_SECOND.0, ENQUEUES_PER_SECOND.1),
        prefix: "fault".to_owned(),
        body: load::large,
    };
    let mut load = Load::start(node, offer);
    let mut ledger = Ledger::new();
    let recovered = async {
        let (mut in_a_row, mut refused) = (0, 0);
        // As many in all, so that the faults have had their turn.
        while in_a_row < RECOVERED_AFTER || ledger.len() < 3 * RECOVERED_AFTER {
            let answer = load.next().await.context("the load goes on")?;
            let fine = match answer.told {
                Told::Accepted { id } => {
                    let read = in_a_row % 10 != 0 || node.get(&format!("/v1/jobs/{id}")).await.is_ok();
                    ledger.insert(answer.key, id);
                    read
                }
                // What fails for a moment is not damaged, and nobody should have to repair it.
                Told::Refused { code, .. } if code == "SHARD_QUARANTINED" => {
                    anyhow::bail!("a fault that passes has put the shard in quarantine for good")
                }
                _ => false,
            };
            in_a_row = if fine { in_a_row + 1 } else { 0 };
            refused += u32::from(!fine);
        }
        anyhow::Ok(refused)
    };
    let refused = timeout(scaled(RECOVERS_WITHIN.0, RECOVERS_WITHIN.1), recovered);
    let refused = refused.await.context("the node did not recover from the faults")??;
    for answer in load.finish().await?.0 {
        if let Told::Accepted { id } = answer.told {
            ledger.insert(answer.key, id);
        }
    }
    Ok((ledger, refused))
}

/// A node that meets a fault while it makes or migrates its files either starts or says why, and the next start works.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_during_a_start_leaves_files_that_the_next_start_opens() -> anyhow::Result<()> {
    let seed = seed();
    let mut chance = chance(seed);
    for round in 0..scaled(6, 400) {
        let (call, error, number) = start_fault(round, &mut chance);
        let (trace, inject) = (format!("trace={call}"), format!("inject={call}:error={error}:when={number}"));
        let what = format!("{inject}, round {round} of seed {seed}");
        let home = match TestHome::new()?.try_start_under(&injected(&trace, &inject), &[]).await {
            Ok(node) => node.kill().await?,
            Err(not_ready) => not_ready.home,
        };
        let node = home.start().await.with_context(|| what.clone())?;
        let job = node.run_job("noop", serde_json::json!({"key": "after"})).await.with_context(|| what.clone())?;
        ensure!(job["state"] == "completed", "{what}: {job}");
    }
    Ok(())
}

fn start_fault(round: u32, chance: &mut StdRng) -> (&'static str, &'static str, String) {
    match round % 3 {
        0 => ("pwrite64", "EIO", number_in(chance, 1..45)),
        1 => ("fsync,fdatasync", "EIO", number_in(chance, 1..9)),
        _ => ("openat", "EMFILE", number_in(chance, 1..80)),
    }
}

/// The negative control: the same failures, but the node is told that it wrote.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_that_are_hidden_from_the_node_fail_the_same_check() -> anyhow::Result<()> {
    let lies = injected("trace=pwrite64", "inject=pwrite64:retval=4096:when=200+97");
    let node = TestHome::new()?.start_under(&lies, &[]).await?;
    let offer = Offer {
        per_second: scaled(ENQUEUES_PER_SECOND.0, ENQUEUES_PER_SECOND.1),
        prefix: "hidden".to_owned(),
        body: load::large,
    };
    let mut load = Load::start(&node, offer);
    let mut ledger = Ledger::new();
    while ledger.len() < 2 * RECOVERED_AFTER {
        match load.next().await.context("the load goes on")? {
            load::Answer { key, told: Told::Accepted { id }, .. } => drop(ledger.insert(key, id)),
            // It may notice when it reads what it believes to have written; what it acknowledged before is enough.
            _ => break,
        }
    }
    ensure!(!ledger.is_empty(), "it acknowledged nothing, so this proves nothing");
    let home = node.kill().await?;
    load.finish().await?;
    match home.try_start_under(&[], &[]).await {
        Ok(node) => {
            let verdict = judge(&Arc::new(node), &ledger).await?;
            ensure!(!verdict.is_clean(), "jobs that were not written are all there");
        }
        Err(not_ready) => println!("it did not even start: {:#}", not_ready.reason),
    }
    Ok(())
}
