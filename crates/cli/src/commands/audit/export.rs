//! `flowork audit export`

use std::{
    io::{self, Write},
    path::Path,
    sync::mpsc::{Sender, channel},
    thread::JoinHandle,
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
        let mut reader = Reader::begin();
        let written = write(&query, log, &mut reader).await;
        // Why nothing could be written any more is known there.
        reader.finish().map_err(|error| write_failure(&error))?;
        let events = written?;
        // Standard output has the events and nothing else.
        say(&format!("{events} events"));
        return Ok(());
    };
    let mut file = PrivateFile::begin(output)?;
    let events = write(&query, log, &mut file).await?;
    file.finish()?;
    format.print(&json!({"events": events, "file": output}), |_| format!("{events} events in {}", output.display()))
}

/// Whoever reads standard output, as fast as they do: a person who pages through it takes longer than a node waits for a
/// client to read, so what has come is kept here until then.
struct Reader {
    pieces: Sender<Vec<u8>>,
    thread: JoinHandle<io::Result<()>>,
}

impl Reader {
    fn begin() -> Self {
        let (pieces, waiting) = channel::<Vec<u8>>();
        let thread = std::thread::spawn(move || {
            let mut out = io::stdout().lock();
            waiting.iter().try_for_each(|piece| out.write_all(&piece))?;
            out.flush()
        });
        Self { pieces, thread }
    }

    /// Waits until all of it is read.
    fn finish(self) -> io::Result<()> {
        drop(self.pieces);
        self.thread.join().map_err(|_| io::Error::other("standard output failed"))?
    }
}

impl Write for Reader {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The pager has ended.
        self.pieces.send(bytes.to_vec()).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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
