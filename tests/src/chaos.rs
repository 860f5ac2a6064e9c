//! What must hold while things go wrong: kills, power cuts, failing disks, paused workers, floods.
//!
//! Each suite is a file here, sized for CI; `cargo xtask chaos` runs them at full scale. A run follows from a seed that
//! is printed, so a failure can be seen again. Each suite has a negative control: the same check, with the protection
//! taken away, must fail.

mod duplicates;
mod faults;
mod full_disk;
mod history;
mod in_process;
mod kills;
mod load;
mod overload;
mod power;
mod reconnects;
mod verdict;

use rand::{RngExt, SeedableRng, rngs::StdRng};

/// Whether this is the big run, by `FLOWORK_TEST_SCALE`.
fn is_full_scale() -> bool {
    std::env::var("FLOWORK_TEST_SCALE").is_ok_and(|scale| scale == "full")
}

/// A number of repetitions: one for CI, one for the big run.
fn scaled<T>(in_ci: T, full: T) -> T {
    if is_full_scale() { full } else { in_ci }
}

/// The seed of this run: from `FLOWORK_TEST_SEED`, to see a failure again, or by chance. Shown when the test fails.
fn seed() -> u64 {
    let seed =
        std::env::var("FLOWORK_TEST_SEED").ok().map_or_else(|| rand::random_range(0..1_000_000), |text| parsed(&text));
    println!("FLOWORK_TEST_SEED={seed}");
    seed
}

fn parsed(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("FLOWORK_TEST_SEED={text} is not a number"))
}

/// Everything that is left to chance in a run.
fn chance(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

/// Words before `flowork` that have the kernel treat some of its calls as `inject` says. The tracer is a grandchild, so
/// the process that was started is the node itself.
fn injected<'a>(trace: &'a str, inject: &'a str) -> Vec<&'a str> {
    let mut words = vec!["strace", "-D", "-f", "-qq"];
    if !inject.contains(":signal=") {
        // Calls that are not traced run at full speed. strace 6.1 forgets to send signals in this mode.
        words.push("--seccomp-bpf");
    }
    words.extend(["-e", "signal=none", "-o", "/dev/null", "-e", trace, "-e", inject]);
    words
}

/// The first task that fails. Those that end well are forgotten; while none fails, this waits.
async fn first_failure(tasks: &mut tokio::task::JoinSet<anyhow::Result<()>>) -> anyhow::Error {
    loop {
        match tasks.join_next().await {
            Some(Ok(Ok(()))) => {}
            Some(Ok(Err(error))) => return error,
            Some(Err(error)) => return error.into(),
            None => std::future::pending().await,
        }
    }
}

/// One of `range`, as text for a command line.
fn number_in(chance: &mut StdRng, range: std::ops::Range<u32>) -> String {
    chance.random_range(range).to_string()
}
