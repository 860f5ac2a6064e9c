//! `flowork shard export`

use std::{
    io::{self, BufWriter, Write},
    path::Path,
};

use flowork_engine::store::inspect::{ExportReport, export};

use super::{ShardFile, failed, watch};
use crate::{
    exit::{Exit, Failure},
    output::{Format, say},
    private_file::PrivateFile,
};

pub(super) fn run(files: &[ShardFile], output: Option<&Path>, format: Format) -> Result<(), Failure> {
    let report = match output {
        None => export_all(files, &mut BufWriter::new(io::stdout().lock()))?,
        Some(output) => {
            let mut file = PrivateFile::begin(output)?;
            let report = export_all(files, &mut file)?;
            file.finish()?;
            report
        }
    };
    match output {
        Some(output) => format.print(&report, |report| format!("{} jobs in {}", report.jobs, output.display()))?,
        // Standard output has the jobs and nothing else.
        None => say(&format!("{} jobs", report.jobs)),
    }
    if report.unreadable.is_empty() && report.damaged == 0 {
        return Ok(());
    }
    let message = match &report.unreadable[..] {
        [] => format!("{} jobs are damaged, and say so", report.damaged),
        tables => format!("not all jobs could be read: {}", tables.join(", ")),
    };
    Err(Failure::new(Exit::Damaged, "SHARD_DAMAGED", message)
        .hint("run `flowork shard repair` and export again".to_owned()))
}

fn export_all(files: &[ShardFile], out: &mut impl Write) -> Result<ExportReport, Failure> {
    let mut total = ExportReport::default();
    for file in files {
        let report = export(&file.path, out, &mut watch(file.name())).map_err(|error| match &error {
            flowork_engine::store::inspect::InspectError::Io { source, .. }
                if source.kind() == io::ErrorKind::BrokenPipe =>
            {
                Failure::nobody_reads()
            }
            _ => failed(&error),
        })?;
        total.jobs += report.jobs;
        total.damaged += report.damaged;
        total.unreadable.extend(report.unreadable.into_iter().map(|table| format!("{}, {table}", file.name())));
    }
    Ok(total)
}
