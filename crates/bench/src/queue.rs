//! The job queue, in process.

mod latency;
mod node;
mod throughput;

use std::path::PathBuf;

use clap::Args;
use hdrhistogram::Histogram;

use crate::disk;

/// What to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// Where to put the files: on the disk that is to be measured, not in memory.
    #[arg(long, default_value = "target/bench")]
    dir: PathBuf,
    /// Shard files.
    #[arg(long, default_value_t = 1)]
    shards: u16,
    /// Jobs each line enqueues and runs.
    #[arg(long, default_value_t = 20_000)]
    jobs: u64,
    /// Jobs measured one by one while nothing else happens.
    #[arg(long, default_value_t = 1_000)]
    idle_jobs: u64,
}

/// Clients that enqueue at once.
const CLIENTS: [u64; 3] = [1, 64, 512];
/// Workers that claim and finish.
const WORKERS: [u32; 3] = [1, 8, 32];

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    std::fs::create_dir_all(&options.dir)?;
    let directory = tempfile::tempdir_in(&options.dir)?;
    let fsync = disk::measure(directory.path())?;
    println!("disk: {:.0} fsync/s, {}", fsync.per_second, percentiles(&fsync.latency));
    println!("queue: {} shard(s), synchronous=FULL, {} jobs a line", options.shards, options.jobs);
    println!();
    println!("{:<32} {:>12} {:>14}   latency of one call", "", "jobs/s", "jobs per fsync");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    for clients in CLIENTS {
        // One client waits for each fsync; it needs fewer jobs to be measured as well.
        let jobs = if clients == 1 { (options.jobs / 10).max(1) } else { options.jobs };
        let line = runtime.block_on(throughput::enqueue(directory.path(), options.shards, clients, jobs))?;
        print_line(&format!("enqueue, {clients} client(s)"), &line, fsync.per_second);
    }
    for workers in WORKERS {
        let jobs = if workers == 1 { (options.jobs / 5).max(1) } else { options.jobs };
        let line = runtime.block_on(throughput::claim_and_finish(directory.path(), options.shards, workers, jobs))?;
        print_line(&format!("claim + finish, {workers} worker(s)"), &line, fsync.per_second);
    }
    let latency = runtime.block_on(latency::idle(directory.path(), options.shards, options.idle_jobs))?;
    println!();
    println!("enqueue -> worker runs, idle: {}", percentiles(&latency));
    Ok(())
}

/// One line of the table.
pub(crate) struct Line {
    per_second: f64,
    /// Microseconds a call, where calls are measured.
    latency: Option<Histogram<u64>>,
}

fn print_line(name: &str, line: &Line, fsyncs_per_second: f64) {
    let ratio = line.per_second / fsyncs_per_second;
    let latency = line.latency.as_ref().map(percentiles).unwrap_or_default();
    println!("{name:<32} {:>12.0} {ratio:>14.2}   {latency}", line.per_second);
}

fn percentiles(microseconds: &Histogram<u64>) -> String {
    let ms = |quantile| microseconds.value_at_quantile(quantile) as f64 / 1e3;
    format!("p50 {:.2} ms, p95 {:.2} ms, p99 {:.2} ms, max {:.2} ms", ms(0.5), ms(0.95), ms(0.99), ms(1.0))
}
