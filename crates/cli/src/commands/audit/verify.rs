//! `flowork audit verify`

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use flowork_api_types::{
    audit::{AuditProgress, AuditReport},
    error::ErrorBody,
};
use flowork_node::audit::VerifyError;
use futures_util::StreamExt;

use super::Log;
use crate::{
    client::Client,
    exit::{Exit, Failure, chain},
    output::{Format, say},
};

/// How often somebody who watches hears how far it is.
const SAY_EVERY: Duration = Duration::from_secs(2);
/// A report has at most a hundred problems, each some hundred bytes.
const EVENT_BYTES_MAX: usize = 1 << 20;
/// Problems shown to a person; `--json` has them all.
const PROBLEMS_SHOWN: usize = 20;

pub(super) async fn run(log: Log, format: Format) -> Result<(), Failure> {
    let ended = Arc::new(AtomicBool::new(false));
    let checked = async {
        match log {
            Log::Running(client) => ask(&client).await,
            Log::Stopped { .. } => check(log, Arc::clone(&ended)).await,
        }
    };
    let report = tokio::select! {
        report = checked => report?,
        _ = tokio::signal::ctrl_c() => {
            ended.store(true, Ordering::Relaxed);
            return Err(Failure::new(Exit::Interrupted, "INTERRUPTED", "the check was ended"));
        }
    };
    format.print(&report, describe)?;
    match report.problems.first() {
        None if report.ok => Ok(()),
        first => {
            let message = first.map_or("the audit log is not what was written", |problem| &problem.message);
            Err(Failure::new(Exit::Damaged, "AUDIT_DAMAGED", message)
                .hint("keep the file as it is, and find out who can write in the data directory".to_owned()))
        }
    }
}

/// Asks a running node.
async fn ask(client: &Client) -> Result<AuditReport, Failure> {
    let mut pieces = client.events("/v1/audit/verify").await?.bytes_stream();
    let (mut events, mut watch) = (Events::default(), Watch::default());
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| broken_off(&chain(&error)))?;
        for (kind, data) in events.feed(&piece) {
            match kind.as_str() {
                "progress" => watch.hear(read(&data)?),
                "report" => return read(&data),
                "failed" => {
                    let body: ErrorBody = read(&data)?;
                    return Err(Failure { exit: Exit::Failed, body: Box::new(body), silent: false });
                }
                _ => {}
            }
        }
    }
    Err(broken_off("it ended the stream"))
}

/// Reads the log of a stopped node. The lock is held until the check has ended.
async fn check(log: Log, ended: Arc<AtomicBool>) -> Result<AuditReport, Failure> {
    let check = move || {
        let Log::Stopped { audit, _lock } = &log else { unreachable!("a running node is asked") };
        let mut watch = Watch::default();
        audit.verify(&mut |progress| {
            watch.hear(progress);
            if ended.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    };
    let checked = tokio::task::spawn_blocking(check).await;
    let checked = checked.map_err(|error| Failure::from_error(Exit::Failed, "AUDIT", &error))?;
    checked.map_err(|error: VerifyError| Failure::from_error(Exit::Failed, "AUDIT", &error))
}

fn broken_off(reason: &str) -> Failure {
    Failure::new(Exit::Unreachable, "NODE_UNREACHABLE", format!("the node broke the check off: {reason}"))
}

fn read<T: serde::de::DeserializeOwned>(data: &str) -> Result<T, Failure> {
    serde_json::from_str(data).map_err(|error| {
        Failure::new(Exit::Failed, "UNEXPECTED_ANSWER", format!("the node's answer cannot be read: {error}"))
            .hint("use a `flowork` of the same version as the node".to_owned())
    })
}

/// Says now and then how far it is.
struct Watch(Instant);

impl Default for Watch {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Watch {
    fn hear(&mut self, progress: AuditProgress) {
        if self.0.elapsed() >= SAY_EVERY {
            self.0 = Instant::now();
            say(&format!("checked {} of {} …", progress.checked, progress.total));
        }
    }
}

/// Server-sent events in pieces of any size: the kind and the one line of data of each.
#[derive(Default)]
struct Events {
    line: Vec<u8>,
    kind: String,
}

impl Events {
    fn feed(&mut self, bytes: &[u8]) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for &byte in bytes {
            if byte != b'\n' {
                if self.line.len() < EVENT_BYTES_MAX {
                    self.line.push(byte);
                }
                continue;
            }
            let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
            if let Some(kind) = line.strip_prefix("event:") {
                kind.trim().clone_into(&mut self.kind);
            } else if let Some(data) = line.strip_prefix("data:") {
                found.push((std::mem::take(&mut self.kind), data.trim().to_owned()));
            }
        }
        found
    }
}

fn describe(report: &AuditReport) -> String {
    let range = match (report.first_seq, report.last_seq) {
        (Some(first), Some(last)) => format!("{} entries, {first} to {last}", report.entries),
        _ => "no entries".to_owned(),
    };
    let mut lines =
        vec![format!("{}: {range}; {} signed heads", if report.ok { "ok" } else { "DAMAGED" }, report.heads)];
    if report.cut_seq > 0 {
        lines.push(format!("entries up to {} were older than is kept and cut at a signed checkpoint", report.cut_seq));
    }
    if let Some(head) = &report.last_head {
        lines.push(format!(
            "last head: {}, entry {}, hash {}, signed by {}",
            head.day, head.last_seq, head.hash, head.signer
        ));
    }
    for problem in report.problems.iter().take(PROBLEMS_SHOWN) {
        lines.push(format!("  {} {}: {}", problem.seq, problem.kind.as_str(), problem.message));
    }
    let hidden = report.problem_count.saturating_sub(PROBLEMS_SHOWN.min(report.problems.len()) as u64);
    if hidden > 0 {
        lines.push(format!("  and {hidden} more; --json shows up to 100"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_in_pieces_of_any_size() {
        let text = ": keep-alive\n\nevent: progress\ndata: {\"checked\":1,\"total\":2}\n\nevent:bye\r\ndata:{}\r\n\n";
        for size in 1..text.len() {
            let mut events = Events::default();
            let found: Vec<_> = text.as_bytes().chunks(size).flat_map(|piece| events.feed(piece)).collect();
            let expected = [("progress", r#"{"checked":1,"total":2}"#), ("bye", "{}")];
            assert_eq!(found, expected.map(|(kind, data)| (kind.to_owned(), data.to_owned())), "{size}");
        }
    }
}
