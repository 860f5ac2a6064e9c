//! What a node looks at when the machine has slept. Its timers stood still meanwhile, and its wall clock did not.

use flowork_audit::Audit;
use flowork_engine::Engines;
use flowork_gateway::Waker;
use flowork_schedules::Schedules;
use flowork_sync::Sessions;
use tokio::task::JoinHandle;

/// All that depends on time.
#[derive(Clone)]
pub(super) struct Woken {
    pub(super) engines: Engines,
    pub(super) schedules: Schedules,
    pub(super) sync: Sessions,
    pub(super) audit: Audit,
    pub(super) gateway: Waker,
}

impl Woken {
    /// Looks at all of it. The order is that in which clients ask: what they fetch anew is as it should be.
    pub(super) async fn look(&self) {
        tracing::info!("everything that depends on time is looked at");
        self.sync.check_now().await;
        self.schedules.poke();
        self.audit.look_at_clock();
        self.gateway.resumed();
        // Tells clients to fetch anew.
        self.engines.resumed();
    }

    /// Looks each time the system says that the machine has woken up, for as long as it says so.
    pub(super) fn listen(&self) -> JoinHandle<()> {
        let woken = self.clone();
        tokio::spawn(flowork_wake::follow(move || {
            let woken = woken.clone();
            async move { woken.look().await }
        }))
    }
}

#[cfg(test)]
mod tests;
