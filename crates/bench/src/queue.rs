//! The job queue beside others, on one disk in one run: who is measured, with what, and the tables of it.

mod contender;
mod durability;
mod entrants;
mod http;
mod install;
mod memory;
mod plan;
mod report;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clap::Args;
use entrants::Entrant;
use plan::{Figures, Plan, Row};
use report::Report;

use crate::disk;

/// The most that one line may take, beyond which a contender is given up.
const LINE_MAX: Duration = Duration::from_mins(2);

/// What to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// Measure the queues of others too; what is missing of them is got from npm, crates.io and Debian.
    #[arg(long)]
    peers: bool,
    /// Measure only this one, beside Flowork; may be given more than once.
    #[arg(long, value_enum, value_name = "PEER")]
    only: Vec<Entrant>,
    /// A look at whether everything works, in two minutes; its figures say little.
    #[arg(long)]
    quick: bool,
    /// Where to put the files: on the disk that is to be measured, not in memory.
    #[arg(long, default_value = "target/bench")]
    dir: PathBuf,
    /// Shard files of Flowork.
    #[arg(long, default_value_t = 1)]
    shards: u16,
    /// The `flowork` that is measured over HTTP.
    #[arg(long, default_value = "target/release/flowork")]
    program: PathBuf,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    std::fs::create_dir_all(&options.dir)?;
    let plan = if options.quick { Plan::QUICK } else { Plan::FULL };
    let started = Instant::now();
    let before = disk::measure(&options.dir, disk::WRITES)?;
    let mut contenders = Vec::new();
    let mut http = Err("it was not asked for".to_owned());
    for entrant in entrants(options) {
        eprintln!("{:>4} s: {}", started.elapsed().as_secs(), entrant.name());
        let found = measure(entrant, &options.dir, options.shards, plan).map_err(|error| format!("{error:#}"));
        contenders.push((entrant, found));
        if entrant == Entrant::Flowork {
            http = http::measure(&options.program, &options.dir, plan).map_err(|error| format!("{error:#}"));
        }
    }
    let after = disk::measure(&options.dir, disk::WRITES)?;
    eprintln!("{:>4} s: done", started.elapsed().as_secs());
    println!("{}", Report { plan, disk: [before, after], contenders, http }.markdown());
    Ok(())
}

fn entrants(options: &Options) -> Vec<Entrant> {
    if !options.only.is_empty() {
        let others = options.only.iter().copied().filter(|entrant| *entrant != Entrant::Flowork);
        return std::iter::once(Entrant::Flowork).chain(others).collect();
    }
    let peers: &[Entrant] = if options.peers { &Entrant::PEERS } else { &[] };
    Entrant::OWN.iter().chain(peers).copied().collect()
}

fn measure(entrant: Entrant, dir: &Path, shards: u16, plan: Plan) -> anyhow::Result<Figures> {
    let mut contender = entrant.start(dir, shards)?;
    // Others may use the disk too: so each run of a contender says what it met.
    let met = disk::measure(dir, disk::WRITES / 4)?;
    let mut figures = plan::measure(&mut contender, plan, entrant == Entrant::Flowork)?;
    figures.rows.insert(Row::Disk, met.per_second);
    Ok(figures)
}
