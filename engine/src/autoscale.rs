//! How many workers the local engine has, as the load asks for.
//!
//! [`rules`] decides, as a pure function of windows of ten seconds. [`Autoscaler`] closes windows as time passes and
//! keeps what was decided, for people. [`run`] is the task that does both: it wakes at the end of each window while there
//! is work. While there is none it sleeps until something is counted, or until a worker less is due; at the least
//! number of workers an idle node has no timer at all.

mod rules;
mod words;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use flowork_api_types::{
    EngineId, Timestamp,
    autoscale::{self, AutoscaleDecision, AutoscaleWindow},
    engine::EngineLocation,
    event::Event,
};
use tokio::{sync::Notify, time::sleep};

use crate::{
    engines::{Engines, Host},
    measures::{Measures, window_number, window_start},
};
use rules::{HISTORY_WINDOWS, History, PATIENCE_DOWN, Window, decide, windows_until_quiet};

/// Decisions that are kept for people.
const DECISIONS_MAX: usize = 100;
/// Workers that were busy this share of a window had no time for more.
const UTILIZATION_STALLED: f64 = 0.9;

/// What the number of workers goes by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AutoscaleOptions {
    /// The claim delay aimed at.
    pub target_latency: Duration,
    /// Spare capacity over the last hour's peak; 1 is none.
    pub headroom_factor: f64,
    /// Never fewer workers.
    pub workers_min: u32,
    /// Never more.
    pub workers_max: u32,
}

/// The windows and decisions of one engine.
pub(crate) struct Autoscaler {
    engine_id: EngineId,
    options: AutoscaleOptions,
    state: Mutex<State>,
    /// Somebody moved the clock, or ended a drain.
    poked: Notify,
}

struct State {
    workers: u32,
    /// The window to close next.
    open: Option<i64>,
    /// Of the workers, up to the last window that was closed.
    busy: Duration,
    history: History,
    decisions: VecDeque<AutoscaleDecision>,
}

/// How the workers are when a window closes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sight {
    /// The time that jobs have taken since the start, of all workers.
    pub(crate) busy: Duration,
    /// Jobs are ready, and every worker has one already.
    pub(crate) backed_up: bool,
    /// Nothing is claimed because somebody wants it so.
    pub(crate) draining: bool,
}

impl Autoscaler {
    pub(crate) fn new(engine_id: EngineId, options: AutoscaleOptions, workers: u32) -> Self {
        let state = State {
            workers: workers.clamp(options.workers_min, options.workers_max),
            open: None,
            busy: Duration::ZERO,
            history: History::default(),
            decisions: VecDeque::new(),
        };
        Self { engine_id, options, state: Mutex::new(state), poked: Notify::new() }
    }

    pub(crate) fn workers(&self) -> u32 {
        self.lock().workers
    }

    /// Has the task look at the clock again.
    pub(crate) fn poke(&self) {
        self.poked.notify_one();
    }

    /// Closes the windows that are over, and says what was decided with each.
    pub(crate) fn close_until(&self, now: Timestamp, measures: &Measures, sight: Sight) -> Vec<AutoscaleDecision> {
        let current = window_number(now);
        let mut state = self.lock();
        let busy = sight.busy.saturating_sub(state.busy);
        let open = match state.open {
            Some(open) if open <= current => open.max(current - (HISTORY_WINDOWS + PATIENCE_DOWN) as i64),
            // A clock that went back within a window changes nothing; one that went back further starts over.
            Some(open) if open == current + 1 => return Vec::new(),
            Some(_) => {
                state.history = History::default();
                current
            }
            None => current,
        };
        let mut decisions = Vec::new();
        for number in open..current {
            let totals = measures.window(number);
            let mut window = Window {
                claimed: totals.claimed,
                finished: totals.finished,
                claim_delay_p95: totals.claim_delay_p95,
                busy: busy / (current - open) as u32,
                ..Window::empty(number, state.workers)
            };
            let newest = number + 1 == current;
            window.stalled = newest
                && sight.backed_up
                && !sight.draining
                && window.claimed == 0
                && window.utilization() >= UTILIZATION_STALLED;
            state.history.push(window);
            if sight.draining {
                state.history.start_over();
            } else {
                decisions.extend(self.decide(&mut state, number));
            }
        }
        if state.open != Some(current) {
            state.busy = sight.busy;
            state.open = Some(current);
        }
        decisions
    }

    fn decide(&self, state: &mut State, number: i64) -> Option<AutoscaleDecision> {
        let step = decide(&self.options, state.workers, &state.history)?;
        let (from, load) = (state.workers, state.history.load());
        let newest = state.history.newest();
        let decision = AutoscaleDecision {
            engine_id: self.engine_id,
            at: window_start(number + 1),
            from,
            to: step.to,
            reason: step.reason,
            explanation: words::of_step(&self.options, step, from, &load, &state.history),
            claim_delay_p95_ms: newest.and_then(|window| window.claim_delay_p95).map(as_ms),
            utilization: newest.map_or(0.0, Window::utilization),
            capacity_per_s: load.capacity(from),
            peak_per_s: load.peak,
        };
        state.workers = step.to;
        state.history.start_over();
        if state.decisions.len() == DECISIONS_MAX {
            state.decisions.pop_back();
        }
        state.decisions.push_front(decision.clone());
        Some(decision)
    }

    /// How long to sleep: to the end of the window, or with nothing to do until a worker less is due. `None`: until
    /// something happens.
    fn rest(&self, now: Timestamp, idle: bool) -> Option<Duration> {
        let current = window_number(now);
        let windows = if idle {
            let state = self.lock();
            windows_until_quiet(&self.options, state.workers, &state.history)?
        } else {
            1
        };
        let until = window_start(current + i64::from(windows));
        Some(Duration::from_millis((until.as_millis() - now.as_millis()).max(1) as u64))
    }

    pub(crate) fn describe(&self) -> autoscale::Autoscaler {
        let state = self.lock();
        autoscale::Autoscaler {
            enabled: true,
            engine_id: Some(self.engine_id),
            workers: state.workers,
            workers_min: self.options.workers_min,
            workers_max: self.options.workers_max,
            target_latency_ms: Some(as_ms(self.options.target_latency)),
            headroom_factor: Some(self.options.headroom_factor),
            explanation: words::of_stay(&self.options, state.workers, &state.history),
            windows: state.history.last(PATIENCE_DOWN).map(to_wire).collect(),
            decisions: state.decisions.iter().cloned().collect(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engines {
    /// How many workers the local engine has, and why.
    pub fn describe_workers(&self) -> autoscale::Autoscaler {
        if let Some(autoscaler) = self.autoscaler() {
            return autoscaler.describe();
        }
        let local = self.hosts().into_iter().find(|host| host.location() == EngineLocation::Local);
        let workers = self.workers();
        autoscale::Autoscaler {
            enabled: false,
            engine_id: local.map(|host| host.id()),
            workers,
            workers_min: workers,
            workers_max: workers,
            target_latency_ms: None,
            headroom_factor: None,
            explanation: "The setting `workers` fixes their number; without it they follow the load.".to_owned(),
            windows: Vec::new(),
            decisions: Vec::new(),
        }
    }

    pub(crate) fn start_autoscaler(&self) {
        let local = self.hosts().into_iter().find(|host| host.location() == EngineLocation::Local);
        if let (Some(autoscaler), Some(host)) = (self.autoscaler(), local) {
            // Windows begin with the engine, not with the first turn of the task.
            autoscaler.close_until(self.now(), host.measures(), look(self, &host));
            self.spawn(run(self.clone(), Arc::clone(autoscaler), host));
        }
    }
}

fn look(engines: &Engines, host: &Host) -> Sight {
    let ready = host.shards().map(|shard| shard.counts().queued).any(|queued| queued > 0);
    Sight {
        busy: Duration::from_millis(engines.busy_ms_total()),
        backed_up: ready && engines.running() >= engines.workers(),
        draining: engines.is_draining(),
    }
}

/// Closes windows and sets the workers until the node stops.
async fn run(engines: Engines, scaler: Arc<Autoscaler>, host: Arc<Host>) {
    let measures = host.measures();
    let stopping = engines.stopping();
    let mut last_seen = measures.changes();
    loop {
        let now = engines.now();
        let seen = measures.changes();
        for decision in scaler.close_until(now, measures, look(&engines, &host)) {
            tracing::info!(from = decision.from, to = decision.to, "{}", decision.explanation);
            engines.set_workers(decision.to);
            engines.events().publish(None, Event::Autoscaled(decision));
        }
        let idle = seen == last_seen && engines.running() == 0;
        last_seen = seen;
        let rest = if idle && engines.is_draining() { None } else { scaler.rest(now, idle) };
        tokio::select! {
            () = stopping.cancelled() => return,
            () = sleep(rest.unwrap_or_default()), if rest.is_some() => {}
            () = measures.changed(seen), if idle => {}
            () = scaler.poked.notified() => {}
        }
    }
}

fn to_wire(window: &Window) -> AutoscaleWindow {
    AutoscaleWindow {
        started_at: window_start(window.number),
        workers: window.workers,
        claimed: window.claimed,
        finished: window.finished,
        claim_delay_p95_ms: window.claim_delay_p95.map(as_ms),
        utilization: window.utilization(),
        stalled: window.stalled,
    }
}

fn as_ms(duration: Duration) -> u64 {
    // Half a millisecond up, so that what is shown is the nearest.
    ((duration.as_micros() + 500) / 1_000) as u64
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
