//! How many workers the local engine has, as the load asks for.
//!
//! [`rules`] decides, as a pure function of windows of ten seconds. [`Autoscaler`] closes windows as time passes and
//! keeps what was decided, for people. [`run`] is the task that does both: it wakes at the end of each window while there
//! is work. While there is none it sleeps until something is counted, or until a worker less is due; at the least
//! number of workers an idle node has no timer at all.
//!
//! A person may [fix](Autoscaler::fix) the number. Windows go on meanwhile, so that the rules know the load when they are
//! asked again, but nothing is decided.

mod rules;
mod words;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use flowork_api_types::{
    EngineId, Timestamp,
    autoscale::{self, AutoscaleDecision, AutoscaleReason, AutoscaleWindow},
    event::Event,
};
use tokio::{sync::Notify, time::sleep};

use crate::{
    clock::STEP_MS,
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

/// What the number of workers goes by while nobody has fixed it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Basis {
    /// The load.
    Load(AutoscaleOptions),
    /// The setting.
    Setting(u32),
    /// Nothing is to run, whatever anybody asks: the node was started to be looked at.
    Recovery,
}

impl Basis {
    /// How many there are at the start.
    fn workers(&self, wanted: u32) -> u32 {
        match self {
            Self::Load(options) => wanted.clamp(options.workers_min, options.workers_max),
            Self::Setting(workers) => *workers,
            Self::Recovery => 0,
        }
    }
}

/// The windows and decisions of one engine.
pub(crate) struct Autoscaler {
    engine_id: EngineId,
    basis: Basis,
    state: Mutex<State>,
    /// Somebody moved the clock, or ended a drain.
    poked: Notify,
}

struct State {
    workers: u32,
    /// As many as a person decided on.
    fixed: Option<u32>,
    /// How far the wall clock was ahead of the steady one, in milliseconds.
    ahead_ms: Option<i64>,
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
    /// How far the wall clock is ahead of the steady one, in milliseconds.
    pub(crate) ahead_ms: i64,
}

impl Autoscaler {
    pub(crate) fn new(engine_id: EngineId, basis: Basis, workers: u32) -> Self {
        let state = State {
            workers: basis.workers(workers),
            fixed: None,
            ahead_ms: None,
            open: None,
            busy: Duration::ZERO,
            history: History::default(),
            decisions: VecDeque::new(),
        };
        Self { engine_id, basis, state: Mutex::new(state), poked: Notify::new() }
    }

    pub(crate) fn workers(&self) -> u32 {
        self.lock().workers
    }

    /// Hands over how many there are to be. Nothing is decided meanwhile, so that what is newest is in force last.
    fn hand_over(&self, resize: impl FnOnce(u32)) {
        resize(self.lock().workers);
    }

    /// As many as a person decided on.
    pub(crate) fn fixed(&self) -> Option<u32> {
        self.lock().fixed
    }

    /// What the rules go by, unless somebody has fixed the number.
    fn followed(&self, state: &State) -> Option<&AutoscaleOptions> {
        match &self.basis {
            Basis::Load(options) if state.fixed.is_none() => Some(options),
            Basis::Load(_) | Basis::Setting(_) | Basis::Recovery => None,
        }
    }

    /// Takes what a person decided; `None` leaves the number to the load or the setting again. Answers what follows;
    /// nothing does where that had been decided before, or where nothing is to run. The windows that are over must be
    /// [closed](Engines::close_windows) before.
    pub(crate) fn fix(&self, fixed: Option<u32>, now: Timestamp) -> Option<AutoscaleDecision> {
        let mut state = self.lock();
        if state.fixed == fixed {
            return None;
        }
        state.fixed = fixed;
        let to = match (&self.basis, fixed) {
            (Basis::Recovery, _) => return None,
            (_, Some(fixed)) => fixed,
            (basis, None) => basis.workers(state.workers),
        };
        let reason = if fixed.is_some() { AutoscaleReason::Fixed } else { AutoscaleReason::Unfixed };
        let explanation = words::of_person(&self.basis, state.workers, to, fixed.is_some());
        let decision = self.keep(&mut state, now, to, reason, explanation);
        drop(state);
        // It may sleep for long, by what held before.
        self.poke();
        Some(decision)
    }

    /// Has the task look at the clock again.
    pub(crate) fn poke(&self) {
        self.poked.notify_one();
    }

    /// Closes the windows that are over, and says what was decided with each.
    pub(crate) fn close_until(&self, now: Timestamp, measures: &Measures, sight: Sight) -> Vec<AutoscaleDecision> {
        let current = window_number(now);
        let mut state = self.lock();
        let before_ms = state.ahead_ms.replace(sight.ahead_ms);
        if before_ms.is_some_and(|before_ms| sight.ahead_ms - before_ms > STEP_MS) {
            // The machine has slept, or somebody has set its clock: what nobody could do in that time tells nothing.
            state.history.start_over();
            state.busy = sight.busy;
            state.open = Some(current);
            return Vec::new();
        }
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
        let options = self.followed(state)?;
        let step = decide(options, state.workers, &state.history)?;
        let load = state.history.load();
        let explanation = words::of_step(options, step, state.workers, &load, &state.history);
        Some(self.keep(state, window_start(number + 1), step.to, step.reason, explanation))
    }

    /// Puts a decision in force, and keeps it with the figures of its time.
    fn keep(
        &self,
        state: &mut State,
        at: Timestamp,
        to: u32,
        reason: AutoscaleReason,
        explanation: String,
    ) -> AutoscaleDecision {
        let (from, load, newest) = (state.workers, state.history.load(), state.history.newest());
        let decision = AutoscaleDecision {
            engine_id: self.engine_id,
            at,
            from,
            to,
            reason,
            explanation,
            claim_delay_p95_ms: newest.and_then(|window| window.claim_delay_p95).map(as_ms),
            utilization: newest.map_or(0.0, Window::utilization),
            capacity_per_s: load.capacity(from),
            peak_per_s: load.peak,
        };
        state.workers = to;
        state.history.start_over();
        if state.decisions.len() == DECISIONS_MAX {
            state.decisions.pop_back();
        }
        state.decisions.push_front(decision.clone());
        decision
    }

    /// How long to sleep: to the end of the window, or with nothing to do until a worker less is due. `None`: until
    /// something happens.
    fn rest(&self, now: Timestamp, idle: bool) -> Option<Duration> {
        let current = window_number(now);
        let windows = if idle {
            let state = self.lock();
            windows_until_quiet(self.followed(&state)?, state.workers, &state.history)?
        } else {
            1
        };
        let until = window_start(current + i64::from(windows));
        Some(Duration::from_millis((until.as_millis() - now.as_millis()).max(1) as u64))
    }

    /// For people. Since when the number is fixed, and by whom, is for somebody else to say.
    pub(crate) fn describe(&self) -> autoscale::Autoscaler {
        let state = self.lock();
        let (workers_min, workers_max) = match &self.basis {
            Basis::Load(options) => (options.workers_min, options.workers_max),
            Basis::Setting(workers) => (*workers, *workers),
            Basis::Recovery => (0, 0),
        };
        let followed = self.followed(&state);
        autoscale::Autoscaler {
            enabled: followed.is_some(),
            fixed: None,
            engine_id: Some(self.engine_id),
            workers: state.workers,
            workers_min,
            workers_max,
            target_latency_ms: followed.map(|options| as_ms(options.target_latency)),
            headroom_factor: followed.map(|options| options.headroom_factor),
            explanation: match followed {
                Some(options) => words::of_stay(options, state.workers, &state.history),
                None => words::of_rest(&self.basis, state.fixed),
            },
            windows: state.history.last(PATIENCE_DOWN).map(to_wire).collect(),
            decisions: state.decisions.iter().cloned().collect(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engines {
    /// Nothing is to run, neither here nor elsewhere: the node was started to be looked at.
    pub(crate) fn is_for_recovery(&self) -> bool {
        self.autoscaler().is_some_and(|autoscaler| autoscaler.basis == Basis::Recovery)
    }

    pub(crate) fn start_autoscaler(&self) {
        if let (Some(autoscaler), Some(host)) = (self.autoscaler(), self.local_host())
            && matches!(autoscaler.basis, Basis::Load(_))
        {
            // Windows begin with the engine, not with the first turn of the task.
            autoscaler.close_until(self.now(), host.measures(), look(self, &host));
            self.spawn(run(self.clone(), Arc::clone(autoscaler), host));
        }
    }

    /// Closes the windows that are over, by what holds until now: a task that sleeps leaves them open, and they must not be
    /// judged by what holds from now on.
    pub(crate) fn close_windows(&self) {
        if let (Some(autoscaler), Some(host)) = (self.autoscaler(), self.local_host())
            && matches!(autoscaler.basis, Basis::Load(_))
        {
            for decision in autoscaler.close_until(self.now(), host.measures(), look(self, &host)) {
                self.follow(decision);
            }
        }
    }

    /// Puts a decision in force and tells of it.
    pub(crate) fn follow(&self, decision: AutoscaleDecision) {
        tracing::info!(from = decision.from, to = decision.to, "{}", decision.explanation);
        if let Some(autoscaler) = self.autoscaler() {
            autoscaler.hand_over(|workers| self.set_workers(workers));
        }
        self.events().publish(None, Event::Autoscaled(decision));
    }
}

fn look(engines: &Engines, host: &Host) -> Sight {
    let ready = host.shards().map(|shard| shard.counts().queued).any(|queued| queued > 0);
    Sight {
        busy: Duration::from_millis(engines.busy_ms_total()),
        backed_up: ready && engines.running() >= engines.workers(),
        draining: engines.is_draining(),
        ahead_ms: engines.wall_ahead_ms(),
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
            engines.follow(decision);
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
