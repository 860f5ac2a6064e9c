//! Batches that could not be closed when their last jobs ended, and when they are tried again.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use flowork_api_types::BatchId;
use tokio::time::Instant;

use crate::{engines::Engines, store::Shard};

/// The wait before what could not be done is tried again, all of it at once. What ends meanwhile does not hurry it.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// What is left to do about batches.
pub(super) struct Unended {
    /// Nobody has asked them yet which of their batches are open.
    shards: Vec<Arc<Shard>>,
    /// Those that a try failed for.
    batches: BTreeSet<BatchId>,
    next_try: Instant,
}

impl Unended {
    /// At a start, when any batch may have ended unnoticed: every shard is asked at once.
    pub(super) fn of(shards: Vec<Arc<Shard>>) -> Self {
        Self { shards, batches: BTreeSet::new(), next_try: Instant::now() }
    }

    /// When [`retry`](Self::retry) is due; `None` if nothing is left.
    pub(super) fn next_try(&self) -> Option<Instant> {
        (!self.shards.is_empty() || !self.batches.is_empty()).then_some(self.next_try)
    }

    /// Closes batches that may have ended just now. One that is to be tried again waits until then.
    pub(super) async fn close(&mut self, engines: &Engines, ended: BTreeSet<BatchId>) {
        for batch in ended {
            if !self.batches.contains(&batch) && !engines.end_batch(batch, false).await {
                if self.next_try().is_none() {
                    self.next_try = Instant::now() + TRY_AGAIN;
                }
                self.batches.insert(batch);
            }
        }
    }

    /// Does what is left, and keeps what is still to be done.
    pub(super) async fn retry(&mut self, engines: &Engines) {
        for batch in std::mem::take(&mut self.batches) {
            if !engines.end_batch(batch, true).await {
                self.batches.insert(batch);
            }
        }
        let mut found = BTreeSet::new();
        for shard in std::mem::take(&mut self.shards) {
            match shard.unfinished_batches().await {
                Ok(batches) => found.extend(batches),
                // It is asked when it comes back, or by the start after its repair.
                Err(error) if error.is_quarantined() || error.is_closed() => {}
                Err(error) => {
                    tracing::error!(%error, "unfinished batches could not be read yet");
                    self.shards.push(shard);
                }
            }
        }
        self.next_try = Instant::now() + TRY_AGAIN;
        self.close(engines, found).await;
    }
}
