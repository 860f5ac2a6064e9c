//! `flowork audit export`

use std::{
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
    private_file::{PrivateFile, write_failure},
};

pub(super) async fn run(query: AuditQuery, output: Option<&Path>, log: &Log, format: Format) -> Result<(), Failure> {
    let Some(output) = output else {
        let events = write(&query, log, &mut BufWriter::new(io::stdout())).await?;
        // Standard output has the events and nothing else.
        say(&format!("{events} events"));
        return Ok(());
    };
    let mut file = PrivateFile::begin(output)?;
    let events = write(&query, log, &mut file).await?;
    file.finish()?;
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
                take(&piece).map_err(|error| write_failure(&error))?;
            }
        }
        Log::Stopped { audit, .. } => {
            let written = audit.export(query.clone(), &mut take).map_err(|error| failed(&error))?;
            written.map_err(|error| write_failure(&error))?;
        }
    }
    out.flush().map_err(|error| write_failure(&error))?;
    Ok(events)
}
