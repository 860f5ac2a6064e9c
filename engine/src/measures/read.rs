//! Measures over all engines, for people.

use std::collections::BTreeSet;

use super::{QueueMeasures, Sums};
use crate::Engines;

impl Engines {
    /// What a queue did in the last minute, on all engines.
    pub fn queue_measures(&self, name: &str) -> QueueMeasures {
        let (mut sums, now) = (Sums::default(), self.now());
        for host in self.hosts() {
            host.measures().add_to(&mut sums, name, now);
        }
        sums.measures()
    }

    /// The queues in which something happened in the last minute, as far as they are told apart.
    pub fn active_queues(&self) -> BTreeSet<String> {
        let now = self.now();
        self.hosts().iter().flat_map(|host| host.measures().active_queues(now)).collect()
    }
}
