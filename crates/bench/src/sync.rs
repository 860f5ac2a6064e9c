//! Sync sessions as people use them: a node, thousands of running sessions, a WebSocket on each, and switches at a
//! steady rate that waits for nobody.
//!
//! The load comes from this process, the node is another; both share the cores. A switch counts from when it should
//! have been sent, so a stall is paid for by every switch that it holds up.

mod load;
mod open_files;
mod sockets;

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use clap::Args;
use hdrhistogram::Histogram;
use tokio::runtime::Runtime;

use flowork_api_types::session::SESSIONS_MAX;

use crate::{
    client::Client,
    node::{self, Usage},
};

/// What to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// The `flowork` to start.
    #[arg(long, default_value = "target/release/flowork")]
    program: PathBuf,
    /// Where to put the data directory.
    #[arg(long, default_value = "target/bench")]
    dir: PathBuf,
    /// Sessions that run, each with a socket.
    #[arg(long, default_value_t = 10_000)]
    sessions: usize,
    /// Switches a second.
    #[arg(long, default_value_t = 1_000)]
    rate: u32,
    /// How long switches are sent.
    #[arg(long, default_value_t = 20)]
    seconds: u32,
}

/// How long the node is left alone before anything of it counts.
const SETTLE: Duration = Duration::from_secs(3);
/// How long the idle node is watched.
const WATCH: Duration = Duration::from_secs(5);
/// Switches one after another, with nothing else to do.
const ALONE: usize = 500;
/// Files of this process besides a socket for each session.
const OTHER_FILES: usize = 300;

/// Promised, in milliseconds.
const SWITCH_P50_MS: f64 = 2.0;
const SWITCH_P99_MS: f64 = 10.0;
const DELIVERY_P99_MS: f64 = 20.0;
const ALONE_P50_MS: f64 = 0.5;
const TIME_P99_MS: f64 = 2.0;
/// Promised, of a session with its socket.
const SESSION_KIB: f64 = 30.0;

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    ensure!((1..=SESSIONS_MAX).contains(&options.sessions), "a node holds 1 to {SESSIONS_MAX} sessions");
    ensure!(options.rate > 0 && options.seconds > 0, "without switches there is nothing to measure");
    open_files::make_room(options.sessions + OTHER_FILES)?;
    std::fs::create_dir_all(&options.dir)?;
    let directory = tempfile::Builder::new().prefix("sync").tempdir_in(&options.dir)?;
    let room = (options.sessions + 1_000).to_string();
    let settings = [
        ("FLOWORK_GATEWAY_CONNECTIONS_MAX", room.as_str()),
        ("FLOWORK_GATEWAY_SOCKETS_MAX", room.as_str()),
        ("FLOWORK_SYNC_SWITCHES_PER_SECOND", "0"),
    ];
    let node = node::start(&options.program, directory.path(), &settings)?;
    let token = node::token(&options.program, directory.path())?;
    let measured = Runtime::new()?.block_on(measure(options, &node, &token));
    node::stop(node)?;
    measured
}

async fn measure(options: &Options, node: &node::Running, token: &Arc<str>) -> anyhow::Result<()> {
    println!("| what | goal | measured |\n| --- | --- | --- |");
    let alone = load::alone(&node.address, token, ALONE).await?;
    line("switch of a single session, p50", &format!("≤ {ALONE_P50_MS} ms"), &quantiles(&alone));

    let sessions = load::make(&node.address, token, options.sessions).await?;
    let (idle, _) = watch(node).await?;
    line(&format!("{} running sessions, nobody there", sessions.len()), "no CPU", &idle);

    let other = (options.program.clone(), options.dir.clone());
    let empty = tokio::task::spawn_blocking(move || load::resident_of_a_fresh_node(&other.0, &other.1));
    let empty = empty.await?.context("measuring a node without sessions")?;
    let sockets = sockets::open(&node.address, token, &sessions).await?;
    let (idle, full) = watch(node).await?;
    line(&format!("{} sockets on them, nobody speaks", sessions.len()), "pings only", &idle);
    let each = full.resident_kib.saturating_sub(empty) as f64 / sessions.len() as f64;
    line("memory of a session with its socket", &format!("≤ {SESSION_KIB} KiB"), &format!("{each:.1} KiB"));

    let load = load::Load { rate: options.rate, seconds: options.seconds };
    let outcome = load.run(&node.address, token, &sessions, &sockets).await?;
    let title = format!("switch at {}/s, {} sessions and sockets", options.rate, sessions.len());
    let goal = format!("p50 ≤ {SWITCH_P50_MS} ms, p99 ≤ {SWITCH_P99_MS} ms");
    line(&title, &goal, &quantiles(&outcome.switches));
    let delivered = sockets.finish(&outcome.switched).await?;
    line("from the switch to its socket", &format!("p99 ≤ {DELIVERY_P99_MS} ms"), &quantiles(&delivered.latency));
    line("`GET /v1/time` meanwhile", &format!("p99 ≤ {TIME_P99_MS} ms"), &quantiles(&outcome.times));
    let lost = format!("{} lost, {} out of order, of {}", delivered.lost, delivered.disordered, delivered.expected);
    line("states", "0 lost or out of order", &lost);
    ensure!(delivered.lost == 0 && delivered.disordered == 0, "states did not arrive as they should");
    Ok(())
}

/// What a node uses while nobody asks for anything.
async fn watch(node: &node::Running) -> anyhow::Result<(String, Usage)> {
    tokio::time::sleep(SETTLE).await;
    let before = node.usage()?;
    tokio::time::sleep(WATCH).await;
    let after = node.usage()?;
    let used = format!(
        "{} CPU ticks, {} wake-ups in {} s",
        after.cpu_ticks - before.cpu_ticks,
        after.wakeups.saturating_sub(before.wakeups),
        WATCH.as_secs()
    );
    Ok((used, after))
}

fn line(what: &str, goal: &str, measured: &str) {
    println!("| {what} | {goal} | {measured} |");
}

fn quantiles(microseconds: &Histogram<u64>) -> String {
    let at = |quantile| microseconds.value_at_quantile(quantile) as f64 / 1e3;
    format!(
        "p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms of {}",
        at(0.5),
        at(0.99),
        microseconds.max() as f64 / 1e3,
        microseconds.len()
    )
}

/// Microseconds, up to a minute.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("the bounds are in order")
}

/// A connection with its first request behind it.
async fn connected(address: &str, token: &Arc<str>) -> anyhow::Result<Client> {
    let mut client = Client::connect(address, token).await?;
    client.expect(200, "GET", "/v1/time", "").await?;
    Ok(client)
}
