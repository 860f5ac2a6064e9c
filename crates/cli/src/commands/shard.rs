//! `flowork shard …`: looks into shard files while no node runs.

mod check;
mod export;
mod repair;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use flowork_api_types::{EngineId, Timestamp};
use flowork_engine::{
    clock::wall_now,
    store::inspect::{Findings, InspectError, Level},
};
use flowork_node::Config;

use crate::{
    exit::{Exit, Failure},
    output::{Format, say},
    stopped_node,
};

/// How often somebody who watches hears how far it is.
const SAY_EVERY: Duration = Duration::from_secs(2);
/// Findings of one shard shown to a person; `--json` has them all.
const FINDINGS_SHOWN: usize = 20;

/// Check, repair and export shard files while the node is stopped
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Check the structure of each shard and the hash of every job; changes nothing in it
    Check(Which),
    /// Copy what can be read of damaged shards into new files, and keep the old ones
    Repair {
        #[command(flatten)]
        which: Which,
        /// Also repair shards that pass their check
        #[arg(long)]
        force: bool,
    },
    /// Write jobs and their attempts as JSON lines
    Export {
        #[command(flatten)]
        which: Which,
        /// Where to; standard output without it
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// Which shards to look into
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// Only those of this engine
    #[arg(long, value_name = "ID")]
    engine: Option<EngineId>,
    /// Only the one of this number
    #[arg(long, value_name = "N")]
    shard: Option<u16>,
}

pub(super) fn run(command: Command, config: &Config, format: Format) -> Result<(), Failure> {
    let hint = "stop the node first; a running node checks its own shards with `flowork job enqueue shard.scrub`";
    let _lock = stopped_node::lock(config, hint)?;
    match command {
        Command::Check(which) => check::run(&find(config, &which)?, format),
        Command::Repair { which, force } => repair::run(&find(config, &which)?, force, format),
        Command::Export { which, output } => export::run(&find(config, &which)?, output.as_deref(), format),
    }
}

/// One shard file.
struct ShardFile {
    engine: EngineId,
    index: u16,
    path: PathBuf,
}

impl ShardFile {
    fn name(&self) -> String {
        format!("{} shard {}", self.engine, self.index)
    }
}

/// The shard files there are, and those that an interrupted repair has yet to put in place.
fn find(config: &Config, which: &Which) -> Result<Vec<ShardFile>, Failure> {
    let directory = config.data_dir.join("shards");
    let mut files = Vec::new();
    for engine in names(&directory)? {
        let Ok(id) = engine.parse::<EngineId>() else { continue };
        for name in names(&directory.join(&engine))? {
            let stem = name.strip_suffix(".db").or_else(|| name.strip_suffix(".db.repaired"));
            let Some(Ok(index)) = stem.map(str::parse::<u16>) else { continue };
            let path = directory.join(&engine).join(format!("{index}.db"));
            files.push(ShardFile { engine: id, index, path });
        }
    }
    files.retain(|file| {
        which.engine.is_none_or(|engine| engine == file.engine) && which.shard.is_none_or(|shard| shard == file.index)
    });
    files.sort_by_key(|file| (file.engine, file.index));
    files.dedup_by_key(|file| (file.engine, file.index));
    if files.is_empty() {
        let message = format!("there is no such shard below {}", directory.display());
        return Err(Failure::new(Exit::NotFound, "SHARD_NOT_FOUND", message));
    }
    Ok(files)
}

fn names(directory: &Path) -> Result<Vec<String>, Failure> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::from_error(Exit::Failed, "DATA_DIR", &error)),
    };
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
}

/// Says now and then how far it is.
fn watch(name: String) -> impl FnMut(&'static str, u64, Option<u64>) {
    let mut said = Instant::now();
    move |what, done, total| {
        if said.elapsed() < SAY_EVERY {
            return;
        }
        said = Instant::now();
        let of = total.map(|total| format!(" of {total}")).unwrap_or_default();
        say(&format!("{name}: {what} {done}{of} …"));
    }
}

fn failed(error: &InspectError) -> Failure {
    let exit = if matches!(error, InspectError::Missing(_)) { Exit::NotFound } else { Exit::Failed };
    Failure::from_error(exit, "SHARD", error)
}

/// The findings that a person sees.
fn describe(findings: &Findings) -> Vec<String> {
    let mut lines: Vec<String> = findings
        .items
        .iter()
        .take(FINDINGS_SHOWN)
        .map(|finding| {
            let level = if finding.level == Level::Error { "error" } else { "warning" };
            let job = finding.job_id.map(|id| format!(" {id}:")).unwrap_or_default();
            format!("  {level} {}:{job} {}", finding.code, finding.message)
        })
        .collect();
    let hidden = findings.items.len().saturating_sub(FINDINGS_SHOWN) as u64 + findings.more;
    if hidden > 0 {
        lines.push(format!("  and {hidden} more; --json shows up to 1,000"));
    }
    lines
}

fn now() -> Timestamp {
    wall_now()
}
