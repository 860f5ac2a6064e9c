//! What the disk allows: one small write after another, each made durable.

use std::{fs::File, io::Write, path::Path, time::Instant};

use hdrhistogram::Histogram;

/// Writes that tell how fast they are, and how slow the slowest in a hundred.
pub(crate) const WRITES: u32 = 2_000;
/// A page of SQLite.
const PAGE_BYTES: usize = 4_096;

/// How fast the disk makes writes durable.
pub(crate) struct Fsync {
    pub(crate) per_second: f64,
    /// Microseconds.
    pub(crate) latency: Histogram<u64>,
}

/// Measures `fdatasync` after each page of a growing file, as a write-ahead log does.
pub(crate) fn measure(directory: &Path, writes: u32) -> anyhow::Result<Fsync> {
    let path = directory.join("fsync");
    let mut file = File::create(&path)?;
    let page = [7_u8; PAGE_BYTES];
    let mut latency = Histogram::new(3)?;
    let started = Instant::now();
    for _ in 0..writes {
        let before = Instant::now();
        file.write_all(&page)?;
        file.sync_data()?;
        latency.record(before.elapsed().as_micros() as u64)?;
    }
    let per_second = f64::from(writes) / started.elapsed().as_secs_f64();
    std::fs::remove_file(path)?;
    Ok(Fsync { per_second, latency })
}
