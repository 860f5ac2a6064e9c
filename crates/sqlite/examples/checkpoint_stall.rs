//! How long commits take while the write-ahead log is emptied, next to what the disk's own fsync takes.
//!
//! Three rows, measured in one run on one directory: a bare append with fdatasync; commits whose checkpoints run in
//! between on the same thread, as SQLite does by itself; commits of this crate. Only the ratios mean something.
//!
//! `cargo run --release -p flowork-sqlite --example checkpoint_stall [DIR]`

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Result;
use flowork_sqlite::{Database, Schema, open_writer};
use rusqlite::Connection;

/// Commits of each row.
const COMMITS: usize = 4_000;
/// Rows of one commit, as a group commit has under load.
const ROWS: usize = 64;
/// Bytes of a row.
const ROW_BYTES: i64 = 1_000;
/// Where the checkpoints of the middle row run: SQLite's default.
const CHECKPOINT_EVERY: i64 = 1_000;

static SCHEMA: Schema = Schema {
    name: "bench",
    migrations: &["CREATE TABLE a (x INTEGER PRIMARY KEY, k BLOB, b BLOB) STRICT; CREATE INDEX a_k ON a (k)"],
};
const INSERT: &str = "INSERT INTO a (k, b) VALUES (randomblob(16), randomblob(?1))";

fn main() -> Result<()> {
    let directory = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = tempfile::tempdir_in(directory)?;
    let fsync = bare_fsync(&directory.path().join("bare"))?;
    let floor = percentile(&fsync, 0.99);
    report("append + fdatasync", &fsync, floor);
    // Twice, by turns: a disk that others use too is not the same from one minute to the next.
    for round in 0..2 {
        report("checkpoints in between", &in_between(&directory.path().join(format!("a{round}.db")))?, floor);
        report("checkpoints aside", &aside(&directory.path().join(format!("b{round}.db")))?, floor);
    }
    Ok(())
}

fn report(name: &str, times: &[Duration], floor: Duration) {
    let [p50, p99, p999, max] = [0.5, 0.99, 0.999, 1.0].map(|share| percentile(times, share));
    let ratio = p99.as_secs_f64() / floor.as_secs_f64();
    println!(
        "{name:24} p50 {p50:>10.1?}  p99 {p99:>10.1?}  p99.9 {p999:>10.1?}  max {max:>10.1?}  p99 / fsync p99 {ratio:.2}"
    );
}

fn percentile(times: &[Duration], share: f64) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

fn timed(mut commit: impl FnMut() -> Result<()>) -> Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(COMMITS);
    for _ in 0..COMMITS {
        let began = Instant::now();
        commit()?;
        times.push(began.elapsed());
    }
    Ok(times)
}

fn bare_fsync(path: &Path) -> Result<Vec<Duration>> {
    let mut file = File::create(path)?;
    timed(|| {
        file.write_all(&vec![1; ROWS * ROW_BYTES as usize])?;
        Ok(file.sync_data()?)
    })
}

fn in_between(path: &Path) -> Result<Vec<Duration>> {
    let connection = open_writer(path, &SCHEMA)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_EVERY)?;
    timed(|| {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        insert(&connection)?;
        Ok(connection.execute_batch("COMMIT")?)
    })
}

fn insert(connection: &Connection) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(INSERT)?;
    (0..ROWS).try_for_each(|_| insert.execute([ROW_BYTES]).map(|_| ()))
}

fn aside(path: &Path) -> Result<Vec<Duration>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let database = Database::open(path, &SCHEMA)?;
    let times = timed(|| Ok(runtime.block_on(database.write(insert))?));
    runtime.block_on(database.close());
    times
}
