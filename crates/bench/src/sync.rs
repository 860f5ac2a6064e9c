//! Sync sessions as people use them: a node, thousands of running sessions, a WebSocket on each, and switches at a
//! steady rate that waits for nobody.
//!
//! The load comes from this process, the node is another; both share the cores. A switch counts from when it should
//! have been sent, so a stall is paid for by every switch that it holds up.

mod expiry;
mod load;
mod machine;
mod open_files;
mod pace;
mod sockets;
mod table;

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
use expiry::{Expiring, NodeClock};
use table::{Goal, durations, figure, row};

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
const SINGLE: usize = 500;
/// Files of this process besides a socket for each session.
const OTHER_FILES: usize = 300;

/// Sessions whose time runs out while nobody does anything, and as many more during the switches.
const EXPIRING: usize = 300;
/// Over how long, while nobody does anything.
const EXPIRING_IN: Duration = Duration::from_secs(6);
/// Fewer sessions would leave none to switch beside those whose time runs out.
const SESSIONS_MIN: usize = 10;

/// Promised.
const ALONE: Goal = Goal { p50: Some(0.5), p99: None, max: None };
const SWITCH: Goal = Goal { p50: Some(2.0), p99: Some(10.0), max: None };
const DELIVERY: Goal = Goal { p50: None, p99: Some(20.0), max: None };
const TIME: Goal = Goal { p50: None, p99: Some(2.0), max: None };
const EXPIRY: Goal = Goal { p50: None, p99: Some(20.0), max: Some(20.0) };
/// Promised, of a session with its socket.
const SESSION_KIB: f64 = 30.0;

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let sessions = SESSIONS_MIN..=SESSIONS_MAX;
    ensure!(sessions.contains(&options.sessions), "this takes {SESSIONS_MIN} to {SESSIONS_MAX} sessions");
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
    table::begin();
    let alone = load::alone(&node.address, token, SINGLE).await?;
    durations("switch of a single session", ALONE, &alone);

    // The last ones are those whose time runs out.
    let (count, expiring) = (options.sessions, EXPIRING.min(options.sessions / 3));
    let (switched, idle) = (count - 2 * expiring, count - expiring);
    let in_peace = Expiring { sessions: switched..idle, spread: EXPIRING_IN };
    let under_load = Expiring { sessions: idle..count, spread: Duration::from_secs(options.seconds.into()) };
    let second_ms = |session| in_peace.time_ms(session).or(under_load.time_ms(session)).unwrap_or(load::DAY_MS);
    let sessions = load::make(&node.address, token, (0..count).map(second_ms).collect()).await?;
    let clock = NodeClock::read(&node.address, token).await?;
    let (usage, _) = watch(node).await?;
    row(&format!("{count} running sessions, nobody there"), "no CPU", &figure(&usage.text, usage.cpu_ticks == 0));

    let other = (options.program.clone(), options.dir.clone());
    let empty = tokio::task::spawn_blocking(move || load::resident_of_a_fresh_node(&other.0, &other.1));
    let empty = empty.await?.context("measuring a node without sessions")?;
    let sockets = sockets::open(&node.address, token, &sessions).await?;
    let (usage, full) = watch(node).await?;
    row(&format!("{count} sockets on them, nobody speaks"), "pings only", &usage.text);
    let each = full.resident_kib.saturating_sub(empty) as f64 / count as f64;
    let memory = figure(&format!("{each:.1} KiB"), each <= SESSION_KIB);
    row("memory of a session with its socket", &format!("≤ {SESSION_KIB} KiB"), &memory);

    in_peace.begin(&node.address, token, &sessions).await?;
    let late = in_peace.lateness(&clock, &sockets).await?;
    durations("from the instant at which time runs out to its socket, nobody speaks", EXPIRY, &late);

    under_load.begin(&node.address, token, &sessions).await?;
    let load = load::Load { rate: options.rate, seconds: options.seconds };
    let outcome = load.run(&node.address, token, &sessions[..switched], &sockets).await?;
    durations(&format!("switch at {}/s, {count} sessions and sockets", options.rate), SWITCH, &outcome.switches);
    let late = under_load.lateness(&clock, &sockets).await?;
    // Of those that run out each is told of the switch before, too.
    let told: Vec<_> = outcome.switched.iter().copied().chain((switched..count).map(|_| 2)).collect();
    let delivered = sockets.finish(&told).await?;
    durations("from the switch to its socket", DELIVERY, &delivered.latency);
    durations("from the instant at which time runs out to its socket, meanwhile", EXPIRY, &late);
    durations("`GET /v1/time` meanwhile", TIME, &outcome.times);
    durations("a byte to a thread and back meanwhile, without the node", Goal::default(), &outcome.machine);
    let met = delivered.lost == 0 && delivered.disordered == 0;
    let lost = format!("{} lost, {} out of order, of {}", delivered.lost, delivered.disordered, delivered.expected);
    row("states", "0 lost or out of order", &figure(&lost, met));
    ensure!(met, "states did not arrive as they should");
    Ok(())
}

/// What a node used for a while.
struct Used {
    cpu_ticks: u64,
    text: String,
}

/// What a node uses while nobody asks for anything.
async fn watch(node: &node::Running) -> anyhow::Result<(Used, Usage)> {
    tokio::time::sleep(SETTLE).await;
    let before = node.usage()?;
    tokio::time::sleep(WATCH).await;
    let after = node.usage()?;
    let cpu_ticks = after.cpu_ticks - before.cpu_ticks;
    let wakeups = after.wakeups.saturating_sub(before.wakeups);
    let text = format!("{cpu_ticks} CPU ticks, {wakeups} wake-ups in {} s", WATCH.as_secs());
    Ok((Used { cpu_ticks, text }, after))
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
