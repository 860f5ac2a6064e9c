//! The contenders that run inside this very program, each in a process of its own.

mod floor;
mod flowork;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::harness;

/// Which queue to be, and where.
#[derive(Args)]
pub(crate) struct Options {
    /// The queue.
    which: Which,
    /// Where its files go.
    #[arg(long)]
    dir: PathBuf,
    /// Shard files of Flowork.
    #[arg(long, default_value_t = 1)]
    shards: u16,
}

#[derive(Clone, Copy, ValueEnum)]
enum Which {
    /// The engine, with nothing around it.
    Flowork,
    /// The least that can be done over SQLite.
    Floor,
}

/// Answers requests until stdin ends.
pub(crate) fn run(options: Options) -> anyhow::Result<()> {
    match options.which {
        Which::Flowork => harness::serve(flowork::Flowork::new(options.dir, options.shards)),
        Which::Floor => harness::serve(floor::Floor::new(options.dir)),
    }
}
