//! Who is measured, and how each is started: one module a peer.

mod bullmq;
mod bunqueue;
mod graphile_worker;
mod river;

use std::{path::Path, process::Command};

use clap::ValueEnum;

use super::contender::Contender;

/// A contender by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Entrant {
    /// The engine of this tree, in process.
    Flowork,
    /// A bare group-commit loop over SQLite: the most that this disk and SQLite give.
    Floor,
    /// On Redis.
    Bullmq,
    /// On PostgreSQL.
    GraphileWorker,
    /// The same with claims and ends in batches, which a crash may repeat.
    GraphileWorkerBatched,
    /// On SQLite, in Bun.
    Bunqueue,
    /// River's Rust crate, on SQLite.
    River,
}

impl Entrant {
    /// Those of this tree, which need nothing installed.
    pub(super) const OWN: [Self; 2] = [Self::Flowork, Self::Floor];
    /// Those of others.
    pub(super) const PEERS: [Self; 5] =
        [Self::Bullmq, Self::GraphileWorker, Self::GraphileWorkerBatched, Self::Bunqueue, Self::River];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Flowork => "Flowork",
            Self::Floor => "floor",
            Self::Bullmq => "BullMQ",
            Self::GraphileWorker => "graphile-worker",
            Self::GraphileWorkerBatched => "graphile-worker, batched",
            Self::Bunqueue => "bunqueue",
            Self::River => "River (Rust)",
        }
    }

    /// Gets what it needs and starts it with files of its own below `dir`.
    ///
    /// # Errors
    /// Why it can't be measured here.
    pub(super) fn start(self, dir: &Path, shards: u16) -> anyhow::Result<Contender> {
        match self {
            Self::Flowork => own("flowork", dir, shards),
            Self::Floor => own("floor", dir, shards),
            Self::Bullmq => bullmq::start(dir),
            Self::GraphileWorker => graphile_worker::start(dir, false),
            Self::GraphileWorkerBatched => graphile_worker::start(dir, true),
            Self::Bunqueue => bunqueue::start(dir),
            Self::River => river::start(dir),
        }
    }
}

/// This very program, in a process of its own.
fn own(which: &str, dir: &Path, shards: u16) -> anyhow::Result<Contender> {
    let directory = tempfile::Builder::new().prefix(which).tempdir_in(dir)?;
    let files = directory.path().join("files");
    std::fs::create_dir(&files)?;
    let mut harness = Command::new(std::env::current_exe()?);
    harness.args(["contender", which, "--shards", &shards.to_string(), "--dir"]).arg(files);
    Contender::start(harness, Vec::new(), directory)
}
