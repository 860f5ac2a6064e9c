//! `flowork shard repair`

use flowork_engine::store::inspect::{CheckReport, RepairReport, check, repair};
use serde::Serialize;
use serde_json::json;

use super::{ShardFile, check::describe_report, describe, failed, now, watch};
use crate::{
    exit::{Exit, Failure},
    output::Format,
};

#[derive(Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Outcome {
    Sound(CheckReport),
    Repaired(RepairReport),
}

pub(super) fn run(files: &[ShardFile], force: bool, format: Format) -> Result<(), Failure> {
    let mut outcomes = Vec::new();
    for file in files {
        // A file that a crash took away in the midst of a repair is not there to be checked.
        let checked = if file.path.exists() && !force {
            Some(check(&file.path, file.index, &mut watch(file.name())).map_err(|error| failed(&error))?)
        } else {
            None
        };
        outcomes.push(match checked.filter(|report| report.ok) {
            Some(report) => Outcome::Sound(report),
            None => Outcome::Repaired(
                repair(&file.path, file.index, now(), &mut watch(file.name())).map_err(|error| failed(&error))?,
            ),
        });
    }
    let lost = outcomes.iter().any(|outcome| match outcome {
        Outcome::Sound(_) => false,
        Outcome::Repaired(report) => report.findings.errors() > 0,
    });
    format.print(&json!({"lost": lost, "shards": outcomes}), |_| {
        outcomes.iter().map(describe_outcome).collect::<Vec<_>>().join("\n")
    })?;
    if !lost {
        return Ok(());
    }
    Err(Failure::new(Exit::Damaged, "ROWS_LOST", "the shards work again, and not all of their rows could be kept")
        .hint("the report beside each damaged file names every job that was lost".to_owned()))
}

fn describe_outcome(outcome: &Outcome) -> String {
    let report = match outcome {
        Outcome::Sound(report) => return format!("{}\n  nothing to repair", describe_report(report)),
        Outcome::Repaired(report) => report,
    };
    let mut lines = vec![format!("{}: repaired", report.file.display())];
    if report.resumed {
        lines.push("  an earlier repair was interrupted; this run ended it".to_owned());
    }
    for table in &report.tables {
        let astray = match table.found_astray {
            0 => String::new(),
            rows => format!(", {rows} of them from pages that nothing led to"),
        };
        lines.push(format!("  {}: {} rows{astray}", table.table, table.copied));
    }
    if report.keys_restored > 0 {
        lines.push(format!("  {} idempotency keys made anew from their jobs", report.keys_restored));
    }
    lines.extend(describe(&report.findings));
    lines.push(format!("  the damaged file is {}", report.damaged_copy.display()));
    lines.push(format!("  what was lost is in {}", report.report_file.display()));
    lines.join("\n")
}
