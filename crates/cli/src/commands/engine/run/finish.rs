//! Tells the gateway how attempts ended, in batches, until it has taken each.

use std::sync::Arc;

use flowork_api_types::engine::{CLAIM_JOBS_MAX, FinishItem, FinishRequest};
use tokio::{sync::mpsc, time::sleep};

use super::{gateway::Backoff, pool::Shared};

/// A call stays below this, where the gateway takes 16 MiB. A single result is at most 1 MiB.
const CALL_BYTES_MAX: usize = 8 << 20;

/// Sends ends as they come, together with those that wait.
pub(super) async fn finish(shared: Arc<Shared>, mut ends: mpsc::UnboundedReceiver<FinishItem>) {
    let (mut backoff, mut waiting) = (Backoff::default(), Vec::new());
    loop {
        if waiting.is_empty() {
            match ends.recv().await {
                Some(item) => waiting.push(item),
                None => return,
            }
        }
        while let Ok(item) = ends.try_recv() {
            waiting.push(item);
        }
        // The last log lines go first: after the end the gateway takes none.
        let last_words = shared.renewal();
        let batch: Vec<_> = waiting[..batch_length(&waiting)].to_vec();
        let last_words = last_words.into_iter().filter(|item| !item.logs.is_empty() || item.progress.is_some());
        let last_words: Vec<_> = last_words.filter(|item| batch.iter().any(|end| end.id == item.id)).collect();
        if !last_words.is_empty()
            && let Err(error) = shared.send_renewal(last_words).await
        {
            let wait = backoff.next(&error);
            shared.note(error);
            sleep(wait).await;
            continue;
        }
        match shared.gateway.finish(&FinishRequest { results: batch.clone() }).await {
            // Accepted, or lost to somebody else: either way nothing is left to do here.
            Ok(_) => {
                backoff.reset();
                waiting.drain(..batch.len());
                for item in &batch {
                    shared.forget(item.id, item.epoch);
                }
            }
            Err(error) => {
                let wait = backoff.next(&error);
                shared.note(error);
                sleep(wait).await;
            }
        }
    }
}

/// How many of the first ends fit one call; at least one.
fn batch_length(waiting: &[FinishItem]) -> usize {
    let mut bytes = 0;
    let fitting = waiting.iter().take(CLAIM_JOBS_MAX as usize).take_while(|item| {
        bytes += serde_json::to_vec(item).map_or(0, |text| text.len());
        bytes <= CALL_BYTES_MAX
    });
    fitting.count().max(1)
}
