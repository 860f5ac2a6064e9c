//! Shards that come back from quarantine, because their disk works again.

use super::{Engines, Host};

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
                    match shard.unfinished_batches().await {
                        Ok(batches) => {
                            // Nobody listens while the node stops; the next start looks.
                            for batch in batches {
                                let _ = engines.batch_moves().send(batch);
                            }
                        }
                        Err(error) => tracing::error!(%error, "unfinished batches could not be read"),
                    }
                }
            });
        }
    }
}
