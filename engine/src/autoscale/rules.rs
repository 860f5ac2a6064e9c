//! When to add a worker and when to take one away: a pure function of windows.

use std::{collections::VecDeque, time::Duration};

use flowork_api_types::autoscale::AutoscaleReason;

use super::AutoscaleOptions;
use crate::measures::WINDOW;

/// Windows in a row that must be slow, or short of headroom, before a worker is added.
pub(super) const PATIENCE_UP: usize = 3;
/// Windows in a row that must be quiet before a worker is taken away.
pub(super) const PATIENCE_DOWN: usize = 6;
/// How far past the target delays must be to count as slow.
const SLOW_FACTOR: f64 = 3.0;
/// How far below the target delays must be to count as quiet.
const QUIET_FACTOR: f64 = 0.3;
/// Workers that are busy this share of their time, or more, are none too many.
const UTILIZATION_QUIET: f64 = 0.5;
/// Windows over which the peak is remembered: an hour.
pub(super) const HISTORY_WINDOWS: usize = 360;

/// What happened in one window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Window {
    pub(crate) number: i64,
    pub(crate) workers: u32,
    pub(crate) claimed: u64,
    pub(crate) finished: u64,
    pub(crate) claim_delay_p95: Option<Duration>,
    /// The time that jobs took of all workers.
    pub(crate) busy: Duration,
    /// Jobs were ready and none was claimed, because every worker was busy: a delay that no claim tells of yet.
    pub(crate) stalled: bool,
}

impl Window {
    /// A window in which nothing happened.
    pub(super) fn empty(number: i64, workers: u32) -> Self {
        Self { number, workers, claimed: 0, finished: 0, claim_delay_p95: None, busy: Duration::ZERO, stalled: false }
    }

    /// The share of the workers' time that jobs took, 0 to 1.
    pub(super) fn utilization(&self) -> f64 {
        let whole = WINDOW.as_secs_f64() * f64::from(self.workers.max(1));
        (self.busy.as_secs_f64() / whole).clamp(0.0, 1.0)
    }

    fn is_slow(&self, target: Duration) -> bool {
        self.stalled || self.claim_delay_p95.is_some_and(|p95| p95 > target.mul_f64(SLOW_FACTOR))
    }

    fn is_quiet(&self, target: Duration) -> bool {
        !self.stalled && self.claim_delay_p95.is_none_or(|p95| p95 < target.mul_f64(QUIET_FACTOR))
    }
}

/// The windows of the last hour, the oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    windows: VecDeque<Window>,
    /// How many of the newest came since the number of workers last changed.
    fresh: usize,
}

/// One worker more or less.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) to: u32,
    pub(super) reason: AutoscaleReason,
}

/// What the last hour says of the workers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Load {
    /// Jobs a second that one worker does; `None` while none has ended.
    pub(super) per_worker: Option<f64>,
    /// Jobs a second started in the busiest window.
    pub(super) peak: f64,
}

impl Load {
    /// Jobs a second that so many workers do.
    pub(super) fn capacity(&self, workers: u32) -> Option<f64> {
        self.per_worker.map(|rate| rate * f64::from(workers))
    }
}

impl History {
    pub(super) fn push(&mut self, window: Window) {
        if self.windows.len() == HISTORY_WINDOWS {
            self.windows.pop_front();
        }
        self.windows.push_back(window);
        self.fresh = (self.fresh + 1).min(HISTORY_WINDOWS);
    }

    /// The number of workers changed, or a gap came: what counts in a row starts over.
    pub(super) fn start_over(&mut self) {
        self.fresh = 0;
    }

    pub(super) fn newest(&self) -> Option<&Window> {
        self.windows.back()
    }

    /// Up to `count` of the newest, the oldest of them first.
    pub(super) fn last(&self, count: usize) -> impl Iterator<Item = &Window> {
        self.windows.iter().skip(self.windows.len().saturating_sub(count))
    }

    /// How many of the newest windows since the last step were so, without a break.
    pub(super) fn in_a_row(&self, so: impl Fn(&Window) -> bool) -> usize {
        self.windows.iter().rev().take(self.fresh).take_while(|window| so(window)).count()
    }

    pub(super) fn load(&self) -> Load {
        let (mut finished, mut busy, mut claimed_most) = (0, Duration::ZERO, 0);
        for window in &self.windows {
            finished += window.finished;
            busy += window.busy;
            claimed_most = claimed_most.max(window.claimed);
        }
        Load {
            // Jobs too short to measure take no time: whatever comes, a worker can do.
            per_worker: (finished > 0).then(|| finished as f64 / busy.as_secs_f64().max(1e-6)),
            peak: claimed_most as f64 / WINDOW.as_secs_f64(),
        }
    }

    pub(super) fn slow_in_a_row(&self, options: &AutoscaleOptions) -> usize {
        self.in_a_row(|window| window.is_slow(options.target_latency))
    }

    pub(super) fn quiet_in_a_row(&self, options: &AutoscaleOptions) -> usize {
        self.in_a_row(|window| window.is_quiet(options.target_latency))
    }

    /// How busy the workers were in the windows that decide about taking one away.
    pub(super) fn utilization(&self) -> f64 {
        let (sum, count) =
            self.last(PATIENCE_DOWN).fold((0.0, 0), |(sum, count), w| (sum + w.utilization(), count + 1));
        if count == 0 { 0.0 } else { sum / f64::from(count) }
    }
}

/// Whether so many workers hold the peak with the headroom asked for; not so while what one does is not known.
pub(super) fn holds_peak(options: &AutoscaleOptions, load: &Load, workers: u32) -> bool {
    load.peak == 0.0 || load.capacity(workers).is_some_and(|capacity| capacity >= options.headroom_factor * load.peak)
}

/// Decides after a window has closed.
pub(super) fn decide(options: &AutoscaleOptions, workers: u32, history: &History) -> Option<Step> {
    let load = history.load();
    if workers < options.workers_max {
        let up = |reason| Some(Step { to: workers + 1, reason });
        if history.slow_in_a_row(options) >= PATIENCE_UP {
            return up(AutoscaleReason::ClaimDelay);
        }
        // Only while there is work: an idle node grows for nobody.
        let working = history.in_a_row(|window| window.claimed > 0) >= PATIENCE_UP;
        if working && load.per_worker.is_some() && !holds_peak(options, &load, workers) {
            return up(AutoscaleReason::Headroom);
        }
    }
    let quiet = history.quiet_in_a_row(options) >= PATIENCE_DOWN && history.utilization() < UTILIZATION_QUIET;
    if workers > options.workers_min && quiet && holds_peak(options, &load, workers - 1) {
        return Some(Step { to: workers - 1, reason: AutoscaleReason::Quiet });
    }
    None
}

/// After how many windows without any work a worker is taken away; `None` if that never happens.
pub(super) fn windows_until_quiet(options: &AutoscaleOptions, workers: u32, history: &History) -> Option<u32> {
    if workers <= options.workers_min {
        return None;
    }
    let mut ahead = history.clone();
    // After an hour without work nothing is left that could stand against it.
    (1..=(HISTORY_WINDOWS + PATIENCE_DOWN) as u32).find(|_| {
        let number = ahead.newest().map_or(0, |window| window.number + 1);
        ahead.push(Window::empty(number, workers));
        decide(options, workers, &ahead).is_some()
    })
}
