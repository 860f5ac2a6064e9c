//! `flowork shard check`

use flowork_engine::store::inspect::{CheckReport, check};
use serde_json::json;

use super::{ShardFile, describe, failed, watch};
use crate::{
    exit::{Exit, Failure},
    output::Format,
};

pub(super) fn run(files: &[ShardFile], format: Format) -> Result<(), Failure> {
    let mut reports = Vec::new();
    for file in files {
        reports.push(check(&file.path, file.index, &mut watch(file.name())).map_err(|error| failed(&error))?);
    }
    let ok = reports.iter().all(|report| report.ok);
    format.print(&json!({"ok": ok, "shards": reports}), |_| {
        reports.iter().map(describe_report).collect::<Vec<_>>().join("\n")
    })?;
    if ok {
        return Ok(());
    }
    Err(Failure::new(Exit::Damaged, "SHARD_DAMAGED", "a shard is damaged")
        .hint("`flowork shard repair` keeps what can be read, and the damaged file".to_owned()))
}

pub(super) fn describe_report(report: &CheckReport) -> String {
    let mut lines = vec![format!(
        "{}: {}, {} open and {} ended jobs{}",
        report.file.display(),
        if report.ok { "ok" } else { "damaged" },
        report.open_jobs,
        report.ended_jobs,
        if report.released { "; it leaves quarantine with the next start" } else { "" },
    )];
    lines.extend(describe(&report.findings));
    lines.join("\n")
}
