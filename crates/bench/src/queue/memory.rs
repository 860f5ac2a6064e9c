//! Memory of the processes that hold a queue. Source: proc(5).

use anyhow::Context;

/// MiB that these processes and their children hold. Pages that several share, as PostgreSQL's do, count once.
pub(super) fn held(processes: &[u32]) -> anyhow::Result<f64> {
    let mut kib = 0;
    for process in with_children(processes) {
        // A child may end while it is looked at.
        let Ok(rollup) = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")) else { continue };
        kib += rollup
            .lines()
            .find_map(|line| line.strip_prefix("Pss:"))
            .and_then(|rest| rest.split_whitespace().next())
            .context("no Pss")?
            .parse::<u64>()?;
    }
    Ok(kib as f64 / 1024.0)
}

/// These processes and everything below them.
pub(super) fn with_children(processes: &[u32]) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let process = entry.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            // The name in parentheses may hold anything; the parent is the second field behind it.
            Some((process, stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()?))
        })
        .collect();
    let mut family = processes.to_vec();
    let mut index = 0;
    while let Some(&parent) = family.get(index) {
        family.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(process, _)| *process));
        index += 1;
    }
    family
}
