//! What happened in an engine's queues in the last minute: how long jobs waited for a claim, and how many came and went.
//!
//! Shards count here after each commit, in about a hundred nanoseconds a job. Everything lives in memory, in windows
//! that are as long for people (`GET /v1/queues`) as for the autoscaler. The number of queues that are told apart is
//! bounded: what comes in further ones is counted together.

mod delays;
mod read;

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use delays::Delays;
use flowork_api_types::Timestamp;
use tokio::sync::Notify;

/// The length of a window. Source: the autoscaler decides by windows of ten seconds.
pub(crate) const WINDOW: Duration = Duration::from_secs(10);
const WINDOW_MS: i64 = WINDOW.as_millis() as i64;
/// Windows that are kept, the one that is still open among them: a minute.
const WINDOWS: usize = 6;
/// Queues that are measured apart from each other, some kilobytes each.
pub(crate) const QUEUES_MEASURED_MAX: usize = 256;

/// Counts what happens in the queues of one engine; its shards share it.
#[derive(Default)]
pub(crate) struct Measures {
    counts: Mutex<Counts>,
    counted: Notify,
}

#[derive(Default)]
struct Counts {
    queues: HashMap<Box<str>, Box<Minute>>,
    /// Queues past [`QUEUES_MEASURED_MAX`], together.
    others: Minute,
    /// All queues, for the autoscaler.
    all: Minute,
    /// Grows with each count.
    changes: u64,
    /// Somebody waits in [`Measures::changed`].
    awaited: bool,
    /// The window in which room was last looked for among the queues.
    swept: Option<i64>,
}

/// The last windows, each at its number modulo their count.
#[derive(Default)]
struct Minute {
    latest: Option<i64>,
    windows: [Window; WINDOWS],
}

#[derive(Clone, Default)]
struct Window {
    number: Option<i64>,
    enqueued: u64,
    claimed: u64,
    completed: u64,
    failed: u64,
    /// Jobs that ended, so that nobody has to run them any more. Only counted over all queues.
    drained: u64,
    delays: Delays,
}

/// What a queue did in the last minute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct QueueMeasures {
    /// Half of the claims came sooner after the job was ready; `None` without claims.
    pub claim_delay_p50: Option<Duration>,
    /// Of twenty claims nineteen came sooner after the job was ready.
    pub claim_delay_p95: Option<Duration>,
    /// Jobs that came in.
    pub enqueued_per_s: f64,
    /// Jobs that were claimed.
    pub claimed_per_s: f64,
    /// Attempts that ended well.
    pub completed_per_s: f64,
    /// Attempts that failed.
    pub failed_per_s: f64,
    /// More queues are in use than are told apart, and these are the figures of all further ones together.
    pub shared: bool,
}

/// What all queues together did in one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WindowTotals {
    pub(crate) enqueued: u64,
    pub(crate) claimed: u64,
    /// Attempts that ended, well or not.
    pub(crate) finished: u64,
    pub(crate) claim_delay_p95: Option<Duration>,
}

/// Sums over the last minute, of one queue on as many engines as were added.
#[derive(Default)]
pub(crate) struct Sums {
    window: Window,
    span: Duration,
    shared: bool,
}

/// The number of the window that a time is in.
pub(crate) fn window_number(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(WINDOW_MS)
}

/// When the window of this number begins.
pub(crate) fn window_start(number: i64) -> Timestamp {
    Timestamp(number * WINDOW_MS)
}

impl Measures {
    /// Counts a job that came in.
    pub(crate) fn enqueued(&self, queue: &str, now: Timestamp) {
        self.count(queue, now, |window| window.enqueued += 1);
    }

    /// Counts a claim, made `delay` after its job was ready.
    pub(crate) fn claimed(&self, queue: &str, delay: Duration, now: Timestamp) {
        self.count(queue, now, |window| {
            window.claimed += 1;
            window.delays.add(delay);
        });
    }

    /// Counts an attempt that ended; `ok`: its job is completed.
    pub(crate) fn finished(&self, queue: &str, ok: bool, now: Timestamp) {
        self.count(queue, now, |window| if ok { window.completed += 1 } else { window.failed += 1 });
    }

    /// Counts a job that ended, however it did. An attempt whose job is tried again is none.
    pub(crate) fn drained(&self, now: Timestamp) {
        self.lock().all.at(window_number(now)).drained += 1;
    }

    /// Jobs that ended a second, over the full windows of the last minute; `None` if none did in them. An idle time before
    /// the first of them says nothing about how fast the queues drain, and is left out.
    pub(crate) fn drained_per_s(&self, now: Timestamp) -> Option<f64> {
        let current = window_number(now);
        let counts = self.lock();
        let drained = |number: i64| {
            let window = &counts.all.windows[slot(number)];
            if window.number == Some(number) { window.drained } else { 0 }
        };
        let first = (current - WINDOWS as i64 + 1..current).find(|number| drained(*number) > 0)?;
        let jobs: u64 = (first..current).map(drained).sum();
        Some(jobs as f64 / ((current - first) as f64 * WINDOW.as_secs_f64()))
    }

    /// What a queue did in the last minute.
    #[cfg(test)]
    pub(crate) fn queue(&self, name: &str, now: Timestamp) -> QueueMeasures {
        let mut sums = Sums::default();
        self.add_to(&mut sums, name, now);
        sums.measures()
    }

    /// Adds what a queue did in the last minute.
    pub(crate) fn add_to(&self, sums: &mut Sums, name: &str, now: Timestamp) {
        let counts = self.lock();
        let minute = match counts.queues.get(name) {
            Some(minute) => minute,
            None if counts.queues.len() < QUEUES_MEASURED_MAX => return,
            None => {
                sums.shared = true;
                &counts.others
            }
        };
        for window in minute.recent(now) {
            sums.window.add(window);
        }
        sums.span = sums.span.max(span(now));
    }

    /// The queues in which something happened in the last minute, as far as they are told apart.
    pub(crate) fn active_queues(&self, now: Timestamp) -> Vec<String> {
        let counts = self.lock();
        let active = counts.queues.iter().filter(|(_, minute)| minute.recent(now).next().is_some());
        active.map(|(name, _)| name.to_string()).collect()
    }

    /// What all queues did in a window; nothing, for one that is no longer kept.
    pub(crate) fn window(&self, number: i64) -> WindowTotals {
        let counts = self.lock();
        let window = &counts.all.windows[slot(number)];
        if window.number == Some(number) { window.totals() } else { WindowTotals::default() }
    }

    /// Grows with each count. For [`changed`](Self::changed).
    pub(crate) fn changes(&self) -> u64 {
        self.lock().changes
    }

    /// Resolves once something was counted after `seen`; at once if that is so already. For one task at a time.
    pub(crate) async fn changed(&self, seen: u64) {
        loop {
            {
                let mut counts = self.lock();
                if counts.changes != seen {
                    counts.awaited = false;
                    return;
                }
                counts.awaited = true;
            }
            self.counted.notified().await;
        }
    }

    fn count(&self, queue: &str, now: Timestamp, count: impl Fn(&mut Window)) {
        let number = window_number(now);
        let mut counts = self.lock();
        counts.changes += 1;
        count(counts.all.at(number));
        if let Some(minute) = counts.queues.get_mut(queue) {
            count(minute.at(number));
        } else if counts.has_room(number) {
            count(counts.queues.entry(queue.into()).or_default().at(number));
        } else {
            count(counts.others.at(number));
        }
        if counts.awaited {
            counts.awaited = false;
            drop(counts);
            self.counted.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// Whether one more queue can be told apart. Forgets those in which nothing happens any more, but does not look for
    /// them with every count.
    fn has_room(&mut self, number: i64) -> bool {
        if self.queues.len() == QUEUES_MEASURED_MAX && self.swept != Some(number) {
            self.swept = Some(number);
            self.queues.retain(|_, minute| minute.latest.is_some_and(|latest| number - latest < WINDOWS as i64));
            if self.queues.len() == QUEUES_MEASURED_MAX {
                tracing::warn!(QUEUES_MEASURED_MAX, "more queues are in use than are measured apart from each other");
            }
        }
        self.queues.len() < QUEUES_MEASURED_MAX
    }
}

impl Minute {
    /// The window to count in. A clock that goes back a little counts in the latest window; one that goes back past all
    /// of them starts over.
    fn at(&mut self, number: i64) -> &mut Window {
        let number = match self.latest {
            Some(latest) if number < latest && latest - number <= WINDOWS as i64 => latest,
            Some(latest) if number < latest => {
                *self = Self::default();
                number
            }
            _ => number,
        };
        self.latest = Some(number);
        let window = &mut self.windows[slot(number)];
        if window.number != Some(number) {
            *window = Window { number: Some(number), ..Window::default() };
        }
        window
    }

    /// The windows that are no older than the span over which rates are told.
    fn recent(&self, now: Timestamp) -> impl Iterator<Item = &Window> {
        let current = window_number(now);
        let kept = move |number: i64| (current - number).abs() < WINDOWS as i64;
        self.windows.iter().filter(move |window| window.number.is_some_and(kept))
    }
}

impl Window {
    fn add(&mut self, other: &Self) {
        self.enqueued += other.enqueued;
        self.claimed += other.claimed;
        self.completed += other.completed;
        self.failed += other.failed;
        self.delays.merge(&other.delays);
    }

    fn totals(&self) -> WindowTotals {
        WindowTotals {
            enqueued: self.enqueued,
            claimed: self.claimed,
            finished: self.completed + self.failed,
            claim_delay_p95: self.delays.quantile(0.95),
        }
    }
}

impl Sums {
    pub(crate) fn measures(&self) -> QueueMeasures {
        let per_s = |count: u64| if count == 0 { 0.0 } else { count as f64 / self.span.as_secs_f64() };
        QueueMeasures {
            claim_delay_p50: self.window.delays.quantile(0.5),
            claim_delay_p95: self.window.delays.quantile(0.95),
            enqueued_per_s: per_s(self.window.enqueued),
            claimed_per_s: per_s(self.window.claimed),
            completed_per_s: per_s(self.window.completed),
            failed_per_s: per_s(self.window.failed),
            shared: self.shared,
        }
    }
}

/// The time that the kept windows cover: the full ones, and the open one as far as it is.
fn span(now: Timestamp) -> Duration {
    let oldest = window_start(window_number(now) - (WINDOWS as i64 - 1));
    Duration::from_millis((now.as_millis() - oldest.as_millis()).max(1) as u64)
}

fn slot(number: i64) -> usize {
    number.rem_euclid(WINDOWS as i64) as usize
}

#[cfg(test)]
mod tests;
