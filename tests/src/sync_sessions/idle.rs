//! What sessions cost while nobody does anything.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, ensure};
use flowork_test_support::{TestHome, TestNode};
use serde_json::json;
use tokio::task::JoinSet;

use super::{client, post, session, session_id};

/// Sessions whose time runs.
const SESSIONS: usize = 1_000;
/// Clients that make them.
const MAKERS: usize = 16;
/// How long the node is watched at a time.
const WATCH: Duration = Duration::from_secs(2);
/// Ticks of a hundredth of a second that a node may work meanwhile.
const TICKS_MAX: u64 = 1;
/// Times that threads of it may wake up meanwhile: one that looks at the clock now and then is found out.
const WAKEUPS_MAX: u64 = 4;
/// A node has something to do after a burst; one that always has is never found to be quiet.
const LOOKS: usize = 20;

/// What the kernel says of a process. Source: proc(5).
#[derive(Debug)]
struct Usage {
    ticks: u64,
    /// Times that each thread had waited and went on.
    wakeups: BTreeMap<String, u64>,
}

impl Usage {
    fn of(node: &TestNode) -> anyhow::Result<Self> {
        let process = format!("/proc/{}", node.pid().context("it runs")?);
        let stat = std::fs::read_to_string(format!("{process}/stat"))?;
        // The name in parentheses may hold anything; what follows is counted from the third field.
        let fields: Vec<_> = stat.rsplit(')').next().context("no fields")?.split_whitespace().collect();
        let ticks = |place: usize| fields.get(place).and_then(|field| field.parse::<u64>().ok()).context("no ticks");
        let mut wakeups = BTreeMap::new();
        for thread in std::fs::read_dir(format!("{process}/task"))? {
            let thread = thread?;
            // One that has ended meanwhile wakes up no more.
            let Ok(status) = std::fs::read_to_string(thread.path().join("status")) else { continue };
            let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            let count = count.and_then(|count| count.trim().parse().ok()).context("no count")?;
            wakeups.insert(thread.file_name().to_string_lossy().into_owned(), count);
        }
        Ok(Self { ticks: ticks(11)? + ticks(12)?, wakeups })
    }

    /// Ticks and wake-ups since.
    fn since(&self, before: &Self) -> (u64, u64) {
        let woke = |(thread, count): (&String, &u64)| count - before.wakeups.get(thread).copied().unwrap_or(0);
        (self.ticks - before.ticks, self.wakeups.iter().map(woke).sum())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_run_cost_nothing_until_their_time_is_over() -> anyhow::Result<()> {
    let node = TestHome::new()?.start().await?;
    let mut makers = JoinSet::new();
    for maker in 0..MAKERS {
        let (url, token) = (node.url().to_owned(), node.token().to_owned());
        makers.spawn(async move {
            let client = client();
            for number in (maker..SESSIONS).step_by(MAKERS) {
                // From most of a day to the whole of one, each of its own.
                let body =
                    session(number, &json!({"sync_mode": "global", "total_time_ms": 86_400_000 - number * 1_000}));
                let start = format!("/v1/sessions/{}/start", session_id(number));
                for (path, body) in [("/v1/sessions", &body), (start.as_str(), &json!({}))] {
                    let answer = post(&client, (&url, &token), path, body).await.context("no answer")?;
                    ensure!(answer.0.is_success(), "{answer:?}");
                }
            }
            anyhow::Ok(())
        });
    }
    while let Some(made) = makers.join_next().await {
        made??;
    }
    let mut seen = Vec::new();
    for _ in 0..LOOKS {
        let before = Usage::of(&node)?;
        tokio::time::sleep(WATCH).await;
        let (ticks, wakeups) = Usage::of(&node)?.since(&before);
        if ticks <= TICKS_MAX && wakeups <= WAKEUPS_MAX {
            return Ok(());
        }
        seen.push((ticks, wakeups));
    }
    anyhow::bail!("ticks and wake-ups in {WATCH:?} each, with nothing to do: {seen:?}")
}
