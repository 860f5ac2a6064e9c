//! What holds for the work of every engine: limits, paused queues, how long ended jobs are kept. And how much work there is.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, MutexGuard, PoisonError},
};

use flowork_api_types::{
    event::Event,
    limit::{LimitRule, LimitTarget},
};

use super::{Engines, Opener};
use crate::{QueueDepth, Retention};

/// The rules that hold for every engine, for those that are added later.
#[derive(Default)]
pub(crate) struct Policies {
    pub(super) limits: Vec<LimitRule>,
    pub(super) paused: HashSet<String>,
}

impl Engines {
    /// Takes the limits as they are now; the ones before are gone.
    pub fn set_limits(&self, rules: &[LimitRule]) {
        let mut policies = self.inner.opener.policies();
        policies.limits = rules.to_vec();
        self.hosts().iter().for_each(|host| host.gate().set_rules(rules));
        drop(policies);
        self.events().publish(None, Event::QueuesChanged);
    }

    /// Takes the names of all queues that are paused now: nothing is claimed from them.
    pub fn set_paused_queues(&self, queues: &HashSet<String>) {
        let mut policies = self.inner.opener.policies();
        policies.paused.clone_from(queues);
        self.hosts().iter().for_each(|host| host.gate().set_paused(queues.clone()));
        drop(policies);
        self.events().publish(None, Event::QueuesChanged);
    }

    /// For each target with a limit, how many of its jobs run now on all engines.
    pub fn limit_usage(&self) -> BTreeMap<LimitTarget, u32> {
        let mut usage = BTreeMap::new();
        for (target, running) in self.hosts().iter().flat_map(|host| host.gate().running()) {
            *usage.entry(target).or_default() += running;
        }
        usage
    }

    /// How many jobs each queue has, over all engines. A shard that can't tell is left out, as one in quarantine is: what
    /// people decide about queues does not hang on it.
    pub async fn queues(&self) -> Vec<QueueDepth> {
        let mut queues: BTreeMap<String, QueueDepth> = BTreeMap::new();
        for host in self.hosts() {
            for shard in host.shards() {
                let depths = shard.depths().await.unwrap_or_else(|error| {
                    let file = shard.health().path().display();
                    tracing::warn!(%error, %file, "the queues are told without those of a shard");
                    Vec::new()
                });
                for depth in depths {
                    match queues.get_mut(&depth.queue) {
                        Some(sum) => sum.add(&depth),
                        None => drop(queues.insert(depth.queue.clone(), depth)),
                    }
                }
            }
        }
        queues.into_values().collect()
    }

    /// How long jobs are kept that end from now on.
    pub fn set_retention(&self, retention: Retention) {
        *self.inner.opener.retention.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(retention);
    }
}

impl Opener {
    pub(super) fn policies(&self) -> MutexGuard<'_, Policies> {
        self.policies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
