//! `flowork audit export`

use std::{
    fs::{self, File, OpenOptions},
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
    let partial = Path::new(&partial);
    let file = create(partial).map_err(|error| partial_failure(partial, &error))?;
    let written = match write_file(&query, log, file).await {
        Ok(events) => fs::rename(partial, output).map(|()| events).map_err(|error| output_failure(&error)),
        Err(failure) => Err(failure),
    };
    if written.is_err() {
        // It is of no use. That it stays, where it does, is said by the next export.
        let _ = fs::remove_file(partial);
    }
    let events = written?;
    format.print(&json!({"events": events, "file": output}), |_| format!("{events} events in {}", output.display()))
}

/// Makes a file that only its owner can read, from the first byte on, and that is nobody else's.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

async fn write_file(query: &AuditQuery, log: &Log, file: File) -> Result<u64, Failure> {
    let mut writer = BufWriter::new(file);
    let events = write(query, log, &mut writer).await?;
    let file = writer.into_inner().map_err(|error| output_failure(&error.into_error()))?;
    file.sync_all().map_err(|error| output_failure(&error))?;
    Ok(events)
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

fn partial_failure(partial: &Path, error: &io::Error) -> Failure {
    if error.kind() != io::ErrorKind::AlreadyExists {
        return output_failure(error);
    }
    let message = format!("{} is there already", partial.display());
    Failure::new(Exit::Failed, "OUTPUT", message)
        .hint("another export writes it, or one was stopped; if none runs, remove it and run this again".to_owned())
}

fn output_failure(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::nobody_reads(),
        _ => Failure::from_error(Exit::Failed, "OUTPUT", error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_new_and_only_its_owner_reads_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl.partial");
        let file = create(&path).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        drop(file);
        let taken = create(&path).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
        assert!(partial_failure(&path, &taken).as_json().contains("remove it"));
    }
}
