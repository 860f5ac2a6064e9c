//! Quitting: drain first, with a deadline, and let the person change their mind. The rules without the doing.

use std::time::{Duration, Instant};

/// Everything finished in time.
pub const EXIT_DRAINED: u8 = 0;
/// Jobs were left when the deadline passed, or when somebody did not want to wait.
pub const EXIT_JOBS_LEFT: u8 = 3;

/// Where quitting stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeavingState {
    /// Nobody is leaving.
    Idle,
    /// The node drains.
    Draining {
        /// Jobs that still run.
        left: u32,
        /// When it stops whatever still runs.
        deadline: Instant,
    },
    /// The node is to be stopped and the app to end, once.
    Done {
        /// What the process ends with.
        code: u8,
    },
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeavingStep {
    /// Nothing, or show what has changed.
    Wait,
    /// Drain the node, show the leaving window, and tell [`Leaving::jobs_left`] and [`Leaving::time_passed`].
    Drain,
    /// Take the drain back and close the leaving window.
    TakeBack,
    /// Stop the node and end the process with this code.
    Exit(u8),
}

/// The way out of the app.
#[derive(Clone, Debug)]
pub struct Leaving {
    state: LeavingState,
}

impl Default for Leaving {
    fn default() -> Self {
        Self { state: LeavingState::Idle }
    }
}

impl Leaving {
    /// Where it stands.
    pub fn state(&self) -> LeavingState {
        self.state
    }

    /// Whether somebody is on the way out.
    pub fn is_leaving(&self) -> bool {
        self.state != LeavingState::Idle
    }

    /// Somebody asked to quit. `running` are the jobs of this app's own node that run in this process; without such a node
    /// it is 0, and the app ends at once; so it does without patience. Asked again while it drains, nothing changes.
    pub fn ask(&mut self, running: u32, now: Instant, patience: Duration) -> LeavingStep {
        match self.state {
            LeavingState::Idle if running == 0 => self.end(EXIT_DRAINED),
            LeavingState::Idle if patience.is_zero() => self.end(EXIT_JOBS_LEFT),
            LeavingState::Idle => {
                self.state = LeavingState::Draining { left: running, deadline: now + patience };
                LeavingStep::Drain
            }
            LeavingState::Draining { .. } | LeavingState::Done { .. } => LeavingStep::Wait,
        }
    }

    /// The number of jobs that still run has changed.
    pub fn jobs_left(&mut self, left: u32) -> LeavingStep {
        match &mut self.state {
            LeavingState::Draining { .. } if left == 0 => self.end(EXIT_DRAINED),
            LeavingState::Draining { left: shown, .. } => {
                *shown = left;
                LeavingStep::Wait
            }
            LeavingState::Idle | LeavingState::Done { .. } => LeavingStep::Wait,
        }
    }

    /// Time has passed; to be called at the deadline.
    pub fn time_passed(&mut self, now: Instant) -> LeavingStep {
        match self.state {
            LeavingState::Draining { deadline, .. } if now >= deadline => self.end(EXIT_JOBS_LEFT),
            _ => LeavingStep::Wait,
        }
    }

    /// Somebody does not want to wait.
    pub fn force(&mut self) -> LeavingStep {
        match self.state {
            LeavingState::Draining { .. } => self.end(EXIT_JOBS_LEFT),
            LeavingState::Idle | LeavingState::Done { .. } => LeavingStep::Wait,
        }
    }

    /// Somebody changed their mind; too late once the app ends.
    pub fn cancel(&mut self) -> LeavingStep {
        match self.state {
            LeavingState::Draining { .. } => {
                self.state = LeavingState::Idle;
                LeavingStep::TakeBack
            }
            LeavingState::Idle | LeavingState::Done { .. } => LeavingStep::Wait,
        }
    }

    fn end(&mut self, code: u8) -> LeavingStep {
        self.state = LeavingState::Done { code };
        LeavingStep::Exit(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_mins(1);

    fn draining(running: u32) -> (Leaving, Instant) {
        let (mut leaving, now) = (Leaving::default(), Instant::now());
        assert_eq!(leaving.ask(running, now, PATIENCE), LeavingStep::Drain);
        (leaving, now)
    }

    #[test]
    fn with_nothing_running_it_ends_at_once() {
        let mut leaving = Leaving::default();
        assert_eq!(leaving.ask(0, Instant::now(), PATIENCE), LeavingStep::Exit(0));
        assert_eq!(leaving.ask(1, Instant::now(), PATIENCE), LeavingStep::Wait, "it ends once");
    }

    #[test]
    fn it_ends_well_when_the_last_job_has_finished() {
        let (mut leaving, now) = draining(3);
        assert_eq!(leaving.jobs_left(1), LeavingStep::Wait);
        assert_eq!(leaving.state(), LeavingState::Draining { left: 1, deadline: now + PATIENCE });
        assert_eq!(leaving.jobs_left(0), LeavingStep::Exit(EXIT_DRAINED));
        assert_eq!(leaving.time_passed(now + PATIENCE), LeavingStep::Wait, "it ends once");
    }

    #[test]
    fn deadline_and_force_end_with_jobs_left() {
        let (mut leaving, now) = draining(1);
        assert_eq!(leaving.time_passed(now + Duration::from_millis(59_999)), LeavingStep::Wait);
        assert_eq!(leaving.time_passed(now + PATIENCE), LeavingStep::Exit(EXIT_JOBS_LEFT));
        let (mut leaving, _) = draining(1);
        assert_eq!(leaving.force(), LeavingStep::Exit(EXIT_JOBS_LEFT));
        assert_eq!(leaving.cancel(), LeavingStep::Wait, "too late");
        let mut leaving = Leaving::default();
        assert_eq!(leaving.ask(1, now, Duration::ZERO), LeavingStep::Exit(EXIT_JOBS_LEFT), "nobody wants to wait");
    }

    #[test]
    fn asking_twice_neither_ends_it_nor_gives_more_time() {
        let (mut leaving, now) = draining(2);
        assert_eq!(leaving.ask(2, now + PATIENCE / 2, PATIENCE), LeavingStep::Wait);
        assert_eq!(leaving.state(), LeavingState::Draining { left: 2, deadline: now + PATIENCE });
    }

    #[test]
    fn somebody_who_stays_can_leave_later() {
        let (mut leaving, now) = draining(2);
        assert_eq!(leaving.cancel(), LeavingStep::TakeBack);
        assert!(!leaving.is_leaving());
        assert_eq!(leaving.time_passed(now + PATIENCE), LeavingStep::Wait);
        assert_eq!(leaving.jobs_left(0), LeavingStep::Wait, "an idle node is no reason to end");
        assert_eq!(leaving.force(), LeavingStep::Wait);
        assert_eq!(leaving.ask(1, now, PATIENCE), LeavingStep::Drain);
    }
}
