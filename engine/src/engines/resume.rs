//! What a machine that slept has to look at, all at once. Its timers stood still meanwhile, and its wall clock did not.

use std::{sync::atomic::Ordering, time::Duration};

use flowork_api_types::event::Event;

use super::Engines;
use crate::clock::STEP_MS;

impl Engines {
    /// Makes shards and the rules of the workers look at the clock again, after it jumped or a test has moved it.
    pub fn poke(&self) {
        self.hosts().iter().for_each(|host| host.poke());
        if let Some(autoscaler) = self.autoscaler() {
            autoscaler.poke();
        }
    }

    /// Looks at everything that depends on time, now: the machine has slept, or its clock was set.
    ///
    /// Leases start over, as nobody could renew them; jobs that came due are ready; engines elsewhere count as heard of
    /// for as long as they would have without the sleep; and every client is told to fetch anew. Each of these would
    /// happen without this call, but only once a timer that stood still has run out.
    pub fn resumed(&self) {
        let ahead_ms = self.wall_ahead_ms();
        let slept_ms = ahead_ms - self.inner.wall_ahead_ms.swap(ahead_ms, Ordering::SeqCst);
        if slept_ms > STEP_MS {
            let slept = Duration::from_millis(slept_ms.unsigned_abs());
            self.hosts().iter().for_each(|host| host.slept(slept));
        }
        self.poke();
        if self.running() > 0 {
            let workers = self.inner.pool.workers().clone();
            self.spawn(async move { workers.renew().await });
        }
        self.events().publish(None, Event::Resync);
    }
}
