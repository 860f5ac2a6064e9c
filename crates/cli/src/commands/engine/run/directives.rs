//! Hears what the gateway wants, as soon as it does.
//!
//! What is missed while the stream is away is in the answers to renewals and heartbeats, which are asked for as soon as
//! it is back.

use std::time::Duration;

use flowork_api_types::engine::Directive;
use flowork_engine::pool::Workers;
use tokio::time::{sleep, timeout};

use super::{
    gateway::CallError,
    remote::{Remote, backoff},
};

/// The gateway sends a comment every 15 s; without three of them the connection is gone.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// A directive has some hundred bytes.
const LINE_BYTES_MAX: usize = 64 << 10;

/// Goes on until it is dropped.
pub(super) async fn obey(workers: Workers<Remote>) {
    let mut backoff = backoff();
    loop {
        let asked = match listen(&workers, &mut backoff).await {
            Ok(()) => None,
            Err(error) => {
                let asked = error.retry_after;
                workers.source().note(error);
                asked
            }
        };
        sleep(backoff.next(asked)).await;
    }
}

/// Follows one stream to its end.
async fn listen(workers: &Workers<Remote>, backoff: &mut super::backoff::Backoff) -> Result<(), CallError> {
    let remote = workers.source();
    let mut stream = remote.gateway.directives().await?;
    backoff.reset();
    // A gateway that was restarted knows nothing of this engine's kinds.
    remote.say_hello(workers).await;
    workers.renew().await;
    let mut lines = Lines::default();
    loop {
        let chunk = tokio::select! {
            chunk = timeout(SILENCE_MAX, stream.chunk()) => chunk,
            () = remote.woken() => return Ok(()),
        };
        // A stream that breaks or is silent is over, as one that ends is.
        let Ok(Ok(Some(bytes))) = chunk else { return Ok(()) };
        for directive in lines.feed(&bytes) {
            follow(workers, directive).await;
        }
    }
}

async fn follow(workers: &Workers<Remote>, directive: Directive) {
    match directive {
        Directive::Cancel { job_id, epoch } => workers.attempts().cancel(job_id, Some(epoch)),
        Directive::Drain { on } => workers.source().pause(on),
        Directive::DesiredWorkers { workers: wanted } => workers.source().set_workers(workers, wanted),
        Directive::Renew => workers.renew().await,
    }
}

/// Finds directives in pieces of any size. Each is one line of `data`; everything else is left out, and so is what a
/// newer gateway may say.
#[derive(Default)]
struct Lines {
    line: Vec<u8>,
}

impl Lines {
    fn feed(&mut self, bytes: &[u8]) -> Vec<Directive> {
        let mut found = Vec::new();
        for &byte in bytes {
            if byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                let data = line.strip_prefix(b"data:");
                found.extend(data.and_then(|data| serde_json::from_slice::<Directive>(data).ok()));
            } else if self.line.len() < LINE_BYTES_MAX {
                self.line.push(byte);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_found_in_pieces_of_any_size() {
        let text = ": keep-alive\n\nevent: drain\ndata: {\"type\":\"drain\",\"on\":true}\n\nevent: newer\ndata: {\"type\":\
                    \"newer\"}\n\nevent: bye\ndata: {\"reason\":\"stopping\"}\n\ndata:{\"type\":\"cancel\",\"job_id\":\
                    \"job_01930c5ea2f07a3c8000000000000000\",\"epoch\":7}\r\n\n";
        let job_id = "job_01930c5ea2f07a3c8000000000000000".parse().unwrap();
        for size in 1..text.len() {
            let mut lines = Lines::default();
            let found: Vec<_> = text.as_bytes().chunks(size).flat_map(|piece| lines.feed(piece)).collect();
            assert_eq!(found, [Directive::Drain { on: true }, Directive::Cancel { job_id, epoch: 7 }], "{size}");
        }
    }

    #[test]
    fn line_without_end_takes_no_more_memory_than_its_bound() {
        let mut lines = Lines::default();
        for _ in 0..10 {
            assert!(lines.feed(&vec![b'x'; LINE_BYTES_MAX]).is_empty());
        }
        assert_eq!(lines.line.len(), LINE_BYTES_MAX);
    }
}
