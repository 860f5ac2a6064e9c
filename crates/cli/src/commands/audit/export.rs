//! `flowork audit export`

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
};

use flowork_api_types::audit::AuditQuery;
use futures_util::StreamExt;
use serde_json::json;

use super::{Log, failed};
use crate::{
    exit::{Exit, Failure, chain},
    output::{Format, say},
};

pub(super) async fn run(query: AuditQuery, output: Option<&Path>, log: &Log, format: Format) -> Result<(), Failure> {
    let Some(output) = output else {
        let events = write(&query, log, &mut BufWriter::new(io::stdout())).await?;
        // Standard output has the events and nothing else.
        say(&format!("{events} events"));
        return Ok(());
    };
    // Whoever finds a file of this name finds all of it.
    let mut partial = output.as_os_str().to_owned();
    partial.push(".partial");
    let mut writer = BufWriter::new(File::create(&partial).map_err(|error| output_failure(&error))?);
    let events = write(&query, log, &mut writer).await?;
    let file = writer.into_inner().map_err(|error| output_failure(&error.into_error()))?;
    file.sync_all().and_then(|()| fs::rename(&partial, output)).map_err(|error| output_failure(&error))?;
    format.print(&json!({"events": events, "file": output}), |_| format!("{events} events in {}", output.display()))
}

/// Writes all events; answers how many.
async fn write(query: &AuditQuery, log: &Log, out: &mut impl Write) -> Result<u64, Failure> {
    let mut events = 0;
    let mut take = |piece: &[u8]| {
        events += piece.split(|byte| *byte == b'\n').skip(1).count() as u64;
        out.write_all(piece)
    };
    match log {
        Log::Running(client) => {
            let mut pieces = client.download("/v1/audit/export", query).await?.bytes_stream();
            while let Some(piece) = pieces.next().await {
                let piece = piece.map_err(|error| {
                    let message = format!("the node broke the export off: {}", chain(&error));
                    Failure::new(Exit::Unreachable, "NODE_UNREACHABLE", message)
                })?;
                take(&piece).map_err(|error| output_failure(&error))?;
            }
        }
        Log::Stopped { audit, .. } => {
            let written = audit.export(query.clone(), &mut take).map_err(|error| failed(&error))?;
            written.map_err(|error| output_failure(&error))?;
        }
    }
    out.flush().map_err(|error| output_failure(&error))?;
    Ok(events)
}

fn output_failure(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::nobody_reads(),
        _ => Failure::from_error(Exit::Failed, "OUTPUT", error),
    }
}
