//! What being careful costs: checking a token, counting a caller, signing in.
//!
//! Tokens and counting are measured in this process, where a clock can tell microseconds, and then over HTTP at a real
//! node, as the difference between a call with a token and one without.

mod http;

use std::{
    hint::black_box,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::PathBuf,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, ensure};
use clap::Args;
use flowork_admission::{Limiter, Network, Rate};
use flowork_api_types::{Timestamp, admin::TokenSet, auth::Role};
use flowork_tokens::{KeyStore, KeyStoreError, TokenKeys};
use hdrhistogram::Histogram;
use zeroize::Zeroizing;

/// What to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// The `flowork` to start.
    #[arg(long, default_value = "target/release/flowork")]
    program: PathBuf,
    /// Where to put the data directory.
    #[arg(long, default_value = "target/bench")]
    dir: PathBuf,
    /// A look at each figure, not a measurement.
    #[arg(long)]
    quick: bool,
}

/// Addresses that somebody makes up.
const SPOOFED: u32 = 1_000_000;
/// Callers that the gateway's table tells apart; see `gateway-embedded/src/edge/admission.rs`.
const TABLE_KEYS: usize = 1 << 15;
/// Promised: a token adds at most this to a request, in the 99th percentile.
const TOKEN_MAX: Duration = Duration::from_micros(60);
/// Promised: counting a caller.
const LIMITER_MAX: Duration = Duration::from_micros(5);
/// Promised: a whole sign-in by wallet.
const SIGN_IN_MAX: Duration = Duration::from_millis(50);

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let scale = if options.quick { 10 } else { 1 };
    println!("{:<52} {:>10} {:>10} {:>10}", "", "p50", "p99", "goal p99");
    tokens(scale)?;
    limiter(scale)?;
    let measured = http::measure(&options.program, &options.dir, scale)?;
    row("GET /v1/auth/me, no token (refused)", &measured.refused, None);
    row("GET /v1/auth/me, a token that was seen before", &measured.seen, None);
    row("GET /v1/auth/me, a new token each time", &measured.new, None);
    let cost = |histogram: &Histogram<u64>| histogram.value_at_quantile(0.5).saturating_sub(measured.base());
    println!(
        "over GET /health (p50 {}): seen before +{}, new +{}",
        shown(measured.base()),
        shown(cost(&measured.seen)),
        shown(cost(&measured.new))
    );
    row("sign-in by wallet: challenge and verify", &measured.sign_in, Some(SIGN_IN_MAX));
    Ok(())
}

/// Keeps keys nowhere; they last as long as this process.
struct Nowhere;

impl KeyStore for Nowhere {
    fn load(&self, _: TokenSet) -> Result<Option<Zeroizing<Vec<u8>>>, KeyStoreError> {
        Ok(None)
    }

    fn save(&self, _: TokenSet, _: &[u8]) -> Result<(), KeyStoreError> {
        Ok(())
    }
}

fn tokens(scale: u32) -> anyhow::Result<()> {
    let now = Timestamp(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64);
    let keys = TokenKeys::open(Nowhere, now)?;
    let made: Vec<String> =
        (0..10_000 / scale).map(|_| keys.sign_access("owner", Role::Owner, None, Duration::from_mins(15))).collect();
    for (name, goal) in
        [("a token, verified for the first time", TOKEN_MAX), ("a token that was seen before", TOKEN_MAX)]
    {
        let mut times = histogram()?;
        for token in &made {
            let started = Instant::now();
            let verified = keys.verify(token, now);
            times.saturating_record(started.elapsed().as_nanos() as u64);
            ensure!(verified.is_ok(), "the token is sound");
        }
        row(name, &times, Some(goal));
    }
    let mut times = histogram()?;
    for token in &made {
        let bad = format!("{}A", &token[..token.len() - 1]);
        let started = Instant::now();
        black_box(keys.verify(&bad, now).is_ok());
        times.saturating_record(started.elapsed().as_nanos() as u64);
    }
    row("a forged token", &times, None);
    Ok(())
}

fn limiter(scale: u32) -> anyhow::Result<()> {
    let quota = std::num::NonZeroU32::new(1_200).context("a number")?;
    let limiter = Limiter::<Network>::new(Rate::per_minute(quota), TABLE_KEYS);
    let before = resident_kib()?;
    let bytes = limiter.bytes();
    let start = Instant::now();
    for (name, address) in [
        ("counting one caller", (|_| IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7))) as fn(u32) -> IpAddr),
        ("counting a new made-up address each time", |number| IpAddr::V4(Ipv4Addr::from(0x0B00_0000 + number))),
        ("counting a new made-up IPv6 network each time", |number| {
            IpAddr::V6(Ipv6Addr::from((0x2001_0db8_u128 << 96) | (u128::from(number) << 64)))
        }),
    ] {
        let mut times = histogram()?;
        for number in 0..SPOOFED / scale {
            let network = Network::from(address(number));
            let started = Instant::now();
            black_box(limiter.take(&network, start.elapsed()));
            times.saturating_record(started.elapsed().as_nanos() as u64);
        }
        row(name, &times, Some(LIMITER_MAX));
    }
    ensure!(limiter.bytes() == bytes, "the table does not grow");
    let grown = resident_kib()?.saturating_sub(before);
    println!(
        "{:<52} {:>10} (table of {} KiB; the process grew by {grown} KiB over {} addresses)",
        "memory of the limiter",
        format!("{} KiB", limiter.bytes() >> 10),
        bytes >> 10,
        2 * (SPOOFED / scale)
    );
    Ok(())
}

/// In nanoseconds, up to a minute.
fn histogram() -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, 60_000_000_000, 3)?)
}

fn row(name: &str, times: &Histogram<u64>, goal: Option<Duration>) {
    let (p50, p99) = (times.value_at_quantile(0.5), times.value_at_quantile(0.99));
    let verdict = match goal {
        Some(goal) if u128::from(p99) <= goal.as_nanos() => format!("{} met", shown(goal.as_nanos() as u64)),
        Some(goal) => format!("{} MISSED", shown(goal.as_nanos() as u64)),
        None => String::new(),
    };
    println!("{name:<52} {:>10} {:>10} {verdict:>10}", shown(p50), shown(p99));
}

fn shown(nanos: u64) -> String {
    match nanos {
        0..10_000 => format!("{:.2} µs", nanos as f64 / 1e3),
        10_000..1_000_000 => format!("{:.0} µs", nanos as f64 / 1e3),
        _ => format!("{:.1} ms", nanos as f64 / 1e6),
    }
}

/// Memory of this process; 0 where the system has no such file.
fn resident_kib() -> anyhow::Result<u64> {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return Ok(0) };
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.split_whitespace().next().context("no number")?.parse()?)
}
