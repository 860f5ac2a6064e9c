//! Shards that come back from quarantine, because their disk works again.

use std::time::Duration;

use flowork_api_types::event::Event;
use tokio_util::sync::CancellationToken;

use super::{Engines, Host};

/// The wait before batches are looked at again that could not be read.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

impl Engines {
    /// Has the batches looked at that a shard could not tell of while it was away.
    pub(super) fn follow_returns(&self, host: &Host) {
        for shard in host.all_shards() {
            let (engines, stopping) = (self.clone(), self.stopping());
            let mut returns = shard.health().returns();
            self.spawn(async move {
                loop {
                    tokio::select! {
                        changed = returns.changed() => if changed.is_err() { return },
                        () = stopping.cancelled() => return,
                    }
                    // What it did right before may show again, untold.
                    engines.events().publish(None, Event::Resync);
                    engines.look_at_batches(&stopping).await;
                }
            });
        }
    }

    /// Has every batch looked at that has not ended: those of other shards may have had jobs in the one that is back.
    async fn look_at_batches(&self, stopping: &CancellationToken) {
        let mut shards = self.all_shards();
        loop {
            let mut left = Vec::new();
            for shard in shards {
                match shard.unfinished_batches().await {
                    Ok(batches) => {
                        for batch in batches {
                            // Nobody listens while the node stops; the next start looks.
                            let _ = self.batch_moves().send(batch);
                        }
                    }
                    // It is looked at when it comes back, or at the next start.
                    Err(error) if error.is_quarantined() => {}
                    Err(error) => {
                        tracing::error!(%error, "unfinished batches could not be read");
                        left.push(shard);
                    }
                }
            }
            shards = left;
            if shards.is_empty() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_AGAIN) => {}
                () = stopping.cancelled() => return,
            }
        }
    }
}
