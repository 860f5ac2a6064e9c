//! `kill -9` while clients enqueue: what was acknowledged is there after the next start, and ends once.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use flowork_test_support::{TestHome, TestNode};
use rand::{RngExt, rngs::StdRng};

use super::{
    chance, injected,
    load::{self, Ledger, Load, Offer, Told},
    number_in, scaled, seed,
    verdict::judge,
};

/// What the clients send, whatever the node can take.
const ENQUEUES_PER_SECOND: u32 = 300;
/// After so many answers a round ends by an ordinary kill, should the chosen call not have come.
const ANSWERS_MAX: u32 = 600;
/// How soon a node must serve after a kill. In CI the machine may be busy with anything.
const SERVES_AGAIN_WITHIN: (Duration, Duration) = (Duration::from_secs(40), Duration::from_secs(5));

/// When the node dies.
enum Moment {
    /// From outside, after so many acknowledgements.
    Acknowledged(u32),
    /// By the kernel, instead of the Nth call of this name in a thread.
    Call(&'static str, String),
}

impl Moment {
    /// Half of them at a call.
    fn choose(round: u32, chance: &mut StdRng) -> Self {
        match round % 4 {
            0 | 2 => Self::Acknowledged(chance.random_range(20..150)),
            1 => Self::Call("pwrite64", number_in(chance, 1..700)),
            _ => Self::Call("fsync,fdatasync", number_in(chance, 1..60)),
        }
    }

    async fn start(&self, home: TestHome) -> Result<TestNode, Box<flowork_test_support::NotReady>> {
        match self {
            Self::Acknowledged(_) => home.try_start_under(&[], &[]).await,
            Self::Call(name, number) => {
                let (trace, inject) = (format!("trace={name}"), format!("inject={name}:signal=KILL:when={number}"));
                home.try_start_under(&injected(&trace, &inject), &[]).await
            }
        }
    }
}

/// Sums of a run, for whoever reads its output.
#[derive(Default)]
struct Sums {
    at_start: u32,
    under_load: u32,
    at_a_call: u32,
    slowest_start: Duration,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_at_any_moment_loses_no_acknowledged_job_and_finishes_none_twice() -> anyhow::Result<()> {
    let seed = seed();
    let mut chance = chance(seed);
    let mut home = TestHome::new()?;
    let mut ledger = Ledger::new();
    let mut sums = Sums::default();
    for round in 0..scaled(20, 1_000) {
        home = kill_once(home, &format!("kill-{round}"), &Moment::choose(round, &mut chance), &mut ledger, &mut sums)
            .await
            .with_context(|| format!("round {round} of seed {seed}"))?;
    }
    let Sums { at_start, under_load, at_a_call, slowest_start } = sums;
    println!(
        "{under_load} kills under load, {at_a_call} of them at a call, {at_start} during a start, slowest start \
         {slowest_start:?}"
    );
    println!("{} jobs were acknowledged", ledger.len());
    ensure!(ledger.len() > under_load as usize * 10, "too few acknowledgements to prove anything: {}", ledger.len());
    ensure!(under_load >= at_start, "most kills should have come under load");
    // Half of the rounds wait for a call, which a few may not come to.
    ensure!((at_a_call + at_start) * 4 >= under_load + at_start, "only {at_a_call} died at the chosen call");
    let bound = scaled(SERVES_AGAIN_WITHIN.0, SERVES_AGAIN_WITHIN.1);
    ensure!(slowest_start < bound, "it took {slowest_start:?} to serve again");
    let node = Arc::new(home.start().await?);
    judge(&node, &ledger).await?.check().with_context(|| format!("seed {seed}"))
}

async fn kill_once(
    home: TestHome,
    prefix: &str,
    moment: &Moment,
    ledger: &mut Ledger,
    sums: &mut Sums,
) -> anyhow::Result<TestHome> {
    let started = Instant::now();
    let node = match moment.start(home).await {
        Ok(node) => node,
        Err(not_ready) if matches!(moment, Moment::Call(..)) => {
            sums.at_start += 1;
            return Ok(not_ready.home);
        }
        Err(not_ready) => return Err(not_ready.reason),
    };
    sums.slowest_start = sums.slowest_start.max(started.elapsed());
    sums.under_load += 1;
    let (acknowledged, died_by_itself, home) = load_until(node, prefix, moment).await?;
    sums.at_a_call += u32::from(died_by_itself);
    ledger.extend(acknowledged);
    Ok(home)
}

/// Enqueues until the node is dead; answers also whether it died before it was killed from outside.
async fn load_until(node: TestNode, prefix: &str, moment: &Moment) -> anyhow::Result<(Ledger, bool, TestHome)> {
    let offer = Offer { per_second: ENQUEUES_PER_SECOND, prefix: prefix.to_owned(), body: load::small };
    let mut load = Load::start(&node, offer);
    let enough = match moment {
        Moment::Acknowledged(count) => *count,
        Moment::Call(..) => ANSWERS_MAX,
    };
    let (mut ledger, mut died) = (Ledger::new(), false);
    while (ledger.len() as u32) < enough {
        let answer = load.next().await.context("the load goes on")?;
        match answer.told {
            Told::Accepted { id } => drop(ledger.insert(answer.key, id)),
            Told::Refused { status, code, .. } => anyhow::bail!("{} was refused: {status} {code}", answer.key),
            Told::Nothing => {
                died = true;
                break;
            }
        }
    }
    let home = node.kill().await?;
    // Answers that were already on their way count: the clients have them.
    for answer in load.finish().await?.0 {
        if let Told::Accepted { id } = answer.told {
            ledger.insert(answer.key, id);
        }
    }
    Ok((ledger, died, home))
}

/// The negative control: from some call on, the kernel tells the node that it wrote, and writes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_writes_reach_nothing_fails_the_same_check() -> anyhow::Result<()> {
    let lies = injected("trace=pwrite64", "inject=pwrite64:retval=4096:when=200+");
    let node = TestHome::new()?.start_under(&lies, &[]).await?;
    let (ledger, _, home) = load_until(node, "lie", &Moment::Acknowledged(300)).await?;
    ensure!(!ledger.is_empty(), "it acknowledged nothing, so this proves nothing");
    let node = Arc::new(home.start().await?);
    let verdict = judge(&node, &ledger).await?;
    ensure!(!verdict.lost.is_empty(), "{} jobs that were never written are all there", ledger.len());
    Ok(())
}
