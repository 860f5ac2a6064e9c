//! `cargo xtask fuzz`: libFuzzer on the targets of `fuzz/`, for as long as one wants.
//!
//! Built with the stable compiler: the coverage that libFuzzer follows is a flag of LLVM's, and the address sanitizer,
//! which is not stable, would watch only what is not Rust.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::{cargo_tools, command, requirements, ui, workspace};

/// A parser that takes longer for a few KiB hangs.
const HANG_SECONDS: u32 = 60;
/// Memory beyond which a parser takes too much; most of it is the node around it.
const MEMORY_MIB_MAX: u32 = 4_096;
/// Longer inputs find little that shorter ones don't.
const INPUT_BYTES_MAX: u32 = 8_192;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// What to feed; every target without
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// How long, for each target
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// List the targets and run nothing
    #[arg(long)]
    list: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let known = targets()?;
    if options.list {
        println!("{}", known.join("\n"));
        return Ok(());
    }
    if let Some(name) = options.targets.iter().find(|name| !known.contains(name)) {
        bail!("there is no target {name}; the targets are {}", known.join(", "));
    }
    requirements::for_serve()?;
    cargo_tools::fuzz()?;
    // The node that some targets start has the GUI in it.
    ui::build()?;
    let mut broken = Vec::new();
    for target in known.iter().filter(|name| options.targets.is_empty() || options.targets.contains(name)) {
        println!("\n==== {target}");
        if let Err(error) = feed(target, options.seconds) {
            println!("{target}: {error:#}");
            broken.push(target.as_str());
        }
    }
    if !broken.is_empty() {
        bail!("found something: {}; keep the input in fuzz/seeds/TARGET once it is mended", broken.join(", "));
    }
    Ok(())
}

/// The targets are those that have seeds; a test of theirs sees to that.
fn targets() -> Result<Vec<String>> {
    let entries = fs::read_dir(workspace::root().join("fuzz/seeds")).context("reading fuzz/seeds")?;
    let mut names: Vec<String> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

fn feed(target: &str, seconds: u32) -> Result<()> {
    let folder = workspace::target().join("fuzz");
    let corpus = folder.join("corpus").join(target);
    fs::create_dir_all(&corpus).with_context(|| format!("making {}", corpus.display()))?;
    let mut fuzz = command::cargo();
    fuzz.args(["fuzz", "run", "--fuzz-dir", "fuzz", "--features", "libfuzzer", "--sanitizer", "none"]);
    // The code as it is shipped, with checks for overflows.
    fuzz.args(["--no-cfg-fuzzing", "--codegen-units", "16", "--target-dir"]).arg(&folder);
    fuzz.arg(target).arg(&corpus).arg(workspace::root().join("fuzz/seeds").join(target)).arg("--");
    fuzz.arg(format!("-max_total_time={seconds}"));
    fuzz.arg(format!("-timeout={HANG_SECONDS}"));
    fuzz.arg(format!("-rss_limit_mb={MEMORY_MIB_MAX}"));
    fuzz.arg(format!("-max_len={INPUT_BYTES_MAX}"));
    fuzz.arg(format!("-artifact_prefix={}/found-{target}-", folder.display()));
    fuzz.arg("-print_final_stats=1");
    // Linking once more for speed would take longer than it saves, and a find wants a backtrace with names.
    fuzz.env("CARGO_PROFILE_RELEASE_LTO", "off").env("CARGO_PROFILE_RELEASE_STRIP", "none");
    command::run(&mut fuzz)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_listed_by_name() {
        let targets = targets().unwrap();
        assert!(targets.contains(&"http_head".to_owned()) && targets.is_sorted(), "{targets:?}");
    }
}
