//! The one timer of all schedules: it sleeps until the next due time and visits the schedules that are due.
//!
//! Without schedules that fire it sleeps until somebody makes one.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError},
    time::Duration,
};

use flowork_api_types::{ScheduleId, Timestamp};
use futures_util::{StreamExt, stream};

use crate::{
    Inner,
    fire::{self, Visited},
};

/// The longest sleep towards a due time. Timers stand still while a machine sleeps and know nothing of clocks that are
/// set, so this is how late either is noticed.
const SLEEP_MAX: Duration = Duration::from_secs(30);
/// Schedules that are visited at the same time: their writes share the fsyncs of the stores.
const VISITS_MAX: usize = 32;
/// How far the clock may go back, in milliseconds, before every schedule is looked at anew. Time servers correct less.
const SET_BACK_MS_MAX: i64 = 5_000;
/// How long to wait for a store that can't be read.
const STORE_RETRY: Duration = Duration::from_secs(5);

/// What wakes the timer.
enum Wake {
    /// A schedule was changed, or a test has moved the clock.
    Changed,
    /// It is time.
    Due,
    /// The node stops.
    Stop,
}

/// When to look at a schedule again, and how often in a row it was blocked.
#[derive(Clone, Copy)]
struct Visit {
    at: Timestamp,
    blocked: u32,
}

pub(crate) async fn run(inner: Arc<Inner>) {
    let mut visits: HashMap<ScheduleId, Visit> = HashMap::new();
    load(&inner, &mut visits).await;
    let mut seen = inner.clock.now();
    loop {
        let now = inner.clock.now();
        if now.as_millis() < seen.as_millis() - SET_BACK_MS_MAX {
            tracing::warn!(from = %seen, to = %now, "the clock was set back; every schedule is looked at anew");
            for visit in visits.values_mut() {
                visit.at = now;
            }
        }
        seen = now;
        visit_due(&inner, &mut visits, now).await;
        match wait(&inner, &visits).await {
            Wake::Stop => return,
            Wake::Due => {}
            Wake::Changed => {
                let changed = std::mem::take(&mut *inner.changed.lock().unwrap_or_else(PoisonError::into_inner));
                let at = inner.clock.now();
                visits.extend(changed.into_iter().map(|id| (id, Visit { at, blocked: 0 })));
            }
        }
    }
}

/// Every schedule is looked at once at the start.
async fn load(inner: &Inner, visits: &mut HashMap<ScheduleId, Visit>) {
    loop {
        match inner.control.enabled_schedules().await {
            Ok(ids) => {
                visits.extend(ids.into_iter().map(|id| (id, Visit { at: inner.started, blocked: 0 })));
                return;
            }
            Err(error) => tracing::error!(%error, "the schedules can't be read"),
        }
        tokio::select! {
            () = inner.stopping.cancelled() => return,
            () = tokio::time::sleep(STORE_RETRY) => {}
        }
    }
}

async fn visit_due(inner: &Inner, visits: &mut HashMap<ScheduleId, Visit>, now: Timestamp) {
    let due: Vec<_> = visits.iter().filter(|(_, visit)| visit.at <= now).map(|(id, visit)| (*id, *visit)).collect();
    let visited = stream::iter(due).map(|(id, visit)| async move { (id, fire::visit(inner, id, visit.blocked).await) });
    let visited: Vec<_> = visited.buffer_unordered(VISITS_MAX).collect().await;
    for (id, visited) in visited {
        match visited {
            Visited::Next(at) => drop(visits.insert(id, Visit { at, blocked: 0 })),
            Visited::Blocked { until, times } => drop(visits.insert(id, Visit { at: until, blocked: times })),
            Visited::Over => drop(visits.remove(&id)),
        }
    }
}

async fn wait(inner: &Inner, visits: &HashMap<ScheduleId, Visit>) -> Wake {
    let next = visits.values().map(|visit| visit.at).min();
    let sleep = async {
        match next {
            None => std::future::pending().await,
            Some(at) => {
                let ms = at.as_millis().saturating_sub(inner.clock.now().as_millis()).max(0);
                tokio::time::sleep(Duration::from_millis(ms as u64).min(SLEEP_MAX)).await;
            }
        }
    };
    tokio::select! {
        biased;
        () = inner.stopping.cancelled() => Wake::Stop,
        () = inner.wake.notified() => Wake::Changed,
        () = sleep => Wake::Due,
    }
}
