//! Queues: `/v1/queues`.

pub(crate) mod list;
pub(crate) mod pause;
pub(crate) mod resume;

use std::{collections::BTreeMap, time::Duration};

use flowork_api_types::{
    Timestamp,
    queue::{Queue, QueueAction, QueueName},
};
use flowork_control::PausedQueue;
use flowork_engine::{Engines, QueueDepth};

use crate::{
    app::App,
    auth::{credentials::Person, permission::Permission},
};

/// One queue as this person sees it, whether or not it has jobs.
async fn describe(app: &App, name: &QueueName, person: &Person) -> Queue {
    let depths = app.state.engines.queues().await;
    let depth = depths.into_iter().find(|depth| depth.queue == name.as_str());
    let paused = app.state.control.policies().paused_queues.remove(name.as_str());
    View::new(app, person).queue(name.to_string(), depth.as_ref(), paused)
}

/// All queues that have jobs, are paused, or had jobs in the last minute.
async fn describe_all(app: &App, person: &Person) -> Vec<Queue> {
    let mut paused = app.state.control.policies().paused_queues;
    let mut depths: BTreeMap<String, Option<QueueDepth>> = BTreeMap::new();
    let depth_of = app.state.engines.queues().await.into_iter().map(|depth| (depth.queue.clone(), Some(depth)));
    let others = app.state.engines.active_queues().into_iter().chain(paused.keys().cloned());
    depths.extend(others.map(|name| (name, None)));
    depths.extend(depth_of);
    let view = View::new(app, person);
    let queues = depths.into_iter().map(|(name, depth)| {
        let paused = paused.remove(&name);
        view.queue(name, depth.as_ref(), paused)
    });
    queues.collect()
}

/// Who looks, and when.
struct View<'a> {
    engines: &'a Engines,
    now: Timestamp,
    may_operate: bool,
    sees_all: bool,
}

impl<'a> View<'a> {
    fn new(app: &'a App, person: &Person) -> Self {
        Self {
            engines: &app.state.engines,
            now: app.state.clock.now(),
            may_operate: Permission::Operate.allows(person.standing()),
            sees_all: person.caller().sees_all,
        }
    }

    fn queue(&self, name: String, depth: Option<&QueueDepth>, paused: Option<PausedQueue>) -> Queue {
        let measures = self.engines.queue_measures(&name);
        let oldest = depth.and_then(|depth| depth.oldest_ready_at);
        let allowed_actions = match (self.may_operate, &paused) {
            (false, _) => Vec::new(),
            (true, Some(_)) => vec![QueueAction::Resume],
            (true, None) => vec![QueueAction::Pause],
        };
        Queue {
            name,
            paused: paused.is_some(),
            paused_at: paused.as_ref().map(|paused| paused.at),
            paused_by: paused.filter(|_| self.sees_all).map(|paused| paused.by),
            scheduled: depth.map_or(0, |depth| depth.scheduled),
            queued: depth.map_or(0, |depth| depth.queued),
            leased: depth.map_or(0, |depth| depth.leased),
            oldest_queued_age_ms: oldest.map(|at| (self.now.as_millis() - at.as_millis()).max(0) as u64),
            claim_delay_p50_ms: measures.claim_delay_p50.map(to_ms),
            claim_delay_p95_ms: measures.claim_delay_p95.map(to_ms),
            enqueued_per_s: measures.enqueued_per_s,
            finished_per_s: measures.completed_per_s,
            failed_per_s: measures.failed_per_s,
            measured_with_others: measures.shared,
            allowed_actions,
        }
    }
}

/// The nearest millisecond.
fn to_ms(duration: Duration) -> u64 {
    ((duration.as_micros() + 500) / 1_000) as u64
}
