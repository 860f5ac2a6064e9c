//! A session as a pure state machine: no I/O, and no clock but the instants it is given.
//!
//! "Calculate, don't count": nothing happens while time runs. Every call names its instant, and the time since the last
//! one is charged then. What was due in between is applied first, at the instant it was due, so that a late call gives
//! the same as one in time.
//!
//! Decisions that the modes leave open:
//! - Used time counts every millisecond as the active one, also after time ran out; only a stopwatch stops at its cap.
//!   What is left stops at zero. So the sum of all used time is the time that the session ran.
//! - In mode `per_cycle` an expiry is the cycle's: it is forgotten when its participant's next cycle begins.
//! - Where one clock is for all (`global`, `count_up`), its end is everybody's.
//! - With `auto_advance` a switch passes over those who have no time left, as the server itself does. It refuses to go to
//!   one of them who is named: they would be active for no time at all. When nobody has time left the session ends as
//!   `expired`.
//! - In mode `per_cycle` with `auto_advance` nobody ever runs out of time, so a session that was left behind would go on
//!   by itself for ever, with changes that have to be stored. It ends as `expired` with the cycle in which it has run for
//!   a day, which is the most that anything counts down from, since anybody did something with it or watched it.
//! - A session that has ended has nobody active.
//!
//! The fields are public for whoever stores a session and reads it back; only the methods change them and keep the rules.

mod create;
mod expiry;
mod view;

use std::sync::Arc;

use flowork_api_types::{
    GroupId, ParticipantId, SyncSessionId,
    session::{ParticipantBalance, SessionAction, SessionEventKind, SessionStatus, SyncMode, TimeoutAction},
};
use serde_json::Value;

pub use create::{Pots, validate};

/// What never changes about a session.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Which session.
    pub id: SyncSessionId,
    /// Who made it.
    pub owner: Arc<str>,
    /// How time is shared out.
    pub mode: SyncMode,
    /// What all have together, in mode `global`; elsewhere what the request said.
    pub total_ms: i64,
    /// What each cycle has, in mode `per_cycle`.
    pub per_cycle_ms: Option<i64>,
    /// What a switch adds for who is switched out, in mode `per_participant`.
    pub increment_ms: Option<i64>,
    /// Where a stopwatch stops, in mode `count_up`.
    pub max_ms: Option<i64>,
    /// What happens when time runs out.
    pub on_timeout: TimeoutAction,
    /// Of whoever made it; of no meaning here.
    pub metadata: Option<Value>,
    /// When it was made, as all instants in milliseconds since the Unix epoch.
    pub created_at_ms: i64,
    /// In the order of turns; as long as the session's accounts.
    pub roster: Vec<Member>,
}

/// What never changes about a participant.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Who it is.
    pub id: ParticipantId,
    /// Their place in the order of turns.
    pub index: u32,
    /// Whom they share with.
    pub group: Option<GroupId>,
    /// Where the balance of the group is, in mode `per_group`.
    pub pot: Option<usize>,
}

/// What changes about a participant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// What is left; of no meaning in mode `per_group`.
    pub balance_ms: i64,
    /// Every millisecond that they were active.
    pub used_ms: i64,
    /// Cycles that they ended.
    pub cycles: u64,
    /// Their last cycle ran out, in mode `per_cycle`.
    pub overran: bool,
}

/// A sync session.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// What never changes.
    pub rules: Arc<Rules>,
    /// Where it stands.
    pub status: SessionStatus,
    /// Grows by one with each change.
    pub version: u64,
    /// Of each participant, in the order of the roster.
    pub accounts: Vec<Account>,
    /// Balances of groups, in mode `per_group`.
    pub pots: Vec<i64>,
    /// The sum of all used time.
    pub used_ms: i64,
    /// Position in the roster.
    pub active: Option<usize>,
    /// Since when time is not charged yet; set exactly while it runs.
    pub since_ms: Option<i64>,
    /// What the open cycle was charged.
    pub cycle_ms: i64,
    /// What was charged since anybody did something with it or watched it.
    pub alone_ms: i64,
    /// When it began to run first.
    pub started_at_ms: Option<i64>,
    /// When it ended.
    pub ended_at_ms: Option<i64>,
    /// When it changed last.
    pub updated_at_ms: i64,
}

/// What somebody wants of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Begin with the first participant.
    Start,
    /// Make somebody else active; without a target the next in the list.
    Switch {
        /// Who is next.
        next: Option<ParticipantId>,
    },
    /// Charge what ran, and let time stand still.
    Pause,
    /// Let time run again.
    Resume,
    /// End it.
    Complete,
    /// Call it off.
    Cancel,
}

impl Command {
    /// Its name in the interface.
    pub const fn action(self) -> SessionAction {
        match self {
            Self::Start => SessionAction::Start,
            Self::Switch { .. } => SessionAction::Switch,
            Self::Pause => SessionAction::Pause,
            Self::Resume => SessionAction::Resume,
            Self::Complete => SessionAction::Complete,
            Self::Cancel => SessionAction::Cancel,
        }
    }
}

/// Why a command changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The session's status does not allow it.
    #[error("a session that is {} can't {}", .status.as_str(), .action.as_str())]
    InvalidTransition {
        /// Where the session stands.
        status: SessionStatus,
        /// What was asked.
        action: SessionAction,
    },
    /// Nobody of that id takes part.
    #[error("{participant_id} does not take part in this session")]
    UnknownParticipant {
        /// Who was asked for.
        participant_id: ParticipantId,
    },
    /// Whoever was named has no time left, and the server would go on to the next at once.
    #[error("{participant_id} has no time left")]
    NoTimeLeft {
        /// Who was asked for.
        participant_id: ParticipantId,
    },
}

/// One step of a session: its version grew by one.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What happened.
    pub event: SessionEventKind,
    /// The version since.
    pub version: u64,
    /// When it took effect.
    pub at_ms: i64,
    /// Where the session stands since.
    pub status: SessionStatus,
    /// Who became or was active.
    pub participant: Option<ParticipantId>,
    /// Balances of those whom it touched, in the order of the list.
    pub balances: Vec<ParticipantBalance>,
    /// Cycles that ended with it.
    pub cycles: u64,
    /// The one who was switched out, if their time had run out.
    pub expired: Option<ParticipantId>,
    /// Positions of those whom it touched.
    pub touched: Vec<usize>,
}

/// What a call did: first what had become due, last what was asked, unless it was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// In their order.
    pub changes: Vec<Change>,
    /// Why the last of them is not what was asked.
    pub refused: Option<Refusal>,
}

impl Session {
    /// Which session.
    pub fn id(&self) -> SyncSessionId {
        self.rules.id
    }

    /// Who made it.
    pub fn owner(&self) -> &Arc<str> {
        &self.rules.owner
    }

    /// Where it stands.
    pub fn status(&self) -> SessionStatus {
        self.status
    }

    /// Grows by one with each change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// How many take part.
    pub fn participant_count(&self) -> usize {
        self.accounts.len()
    }

    /// Whose time runs, or would if it were not paused.
    pub fn active_participant_id(&self) -> Option<ParticipantId> {
        self.active.map(|position| self.rules.roster[position].id)
    }

    /// Since when time is not charged yet.
    pub fn cycle_started_at_ms(&self) -> Option<i64> {
        self.since_ms
    }

    /// When it changed last.
    pub fn updated_at_ms(&self) -> i64 {
        self.updated_at_ms
    }

    /// When it ended.
    pub fn ended_at_ms(&self) -> Option<i64> {
        self.ended_at_ms
    }

    /// Does what is asked at an instant, after what was due by then. An instant before the last change counts as that
    /// of the last change: time never runs backwards.
    pub fn apply(&mut self, command: Command, at_ms: i64) -> Applied {
        let at_ms = at_ms.max(self.updated_at_ms);
        let mut changes = self.catch_up(at_ms);
        let outcome = match (command, self.status) {
            (Command::Start, SessionStatus::Pending) => Ok(self.start(at_ms)),
            (Command::Switch { next }, SessionStatus::Running) => self.switch(next, at_ms),
            (Command::Pause, SessionStatus::Running) => Ok(self.pause(at_ms)),
            (Command::Resume, SessionStatus::Paused) => Ok(self.resume(at_ms)),
            (Command::Complete, status) if !status.is_final() => {
                Ok(self.end(SessionStatus::Completed, SessionEventKind::Completed, at_ms))
            }
            (Command::Cancel, status) if !status.is_final() => {
                Ok(self.end(SessionStatus::Cancelled, SessionEventKind::Cancelled, at_ms))
            }
            (_, status) => Err(Refusal::InvalidTransition { status, action: command.action() }),
        };
        match outcome {
            Ok(change) => {
                self.attend();
                changes.push(change);
                Applied { changes, refused: None }
            }
            Err(refusal) => Applied { changes, refused: Some(refusal) },
        }
    }

    /// Notes that somebody is there: only a session that is left alone ends for that.
    pub fn attend(&mut self) {
        self.alone_ms = 0;
    }

    /// What its end by deletion looks like; the session itself is gone then.
    pub fn deleted(&self, at_ms: i64) -> Change {
        let mut last = self.clone();
        let at_ms = at_ms.max(last.updated_at_ms);
        last.charge(at_ms);
        last.changed(SessionEventKind::Deleted, self.active, self.active.into_iter().collect(), at_ms)
    }

    /// What making it looks like.
    pub fn created(&self) -> Change {
        let everybody: Vec<_> = (0..self.accounts.len()).collect();
        self.change(SessionEventKind::Created, None, everybody, self.updated_at_ms)
    }

    fn start(&mut self, at_ms: i64) -> Change {
        self.status = SessionStatus::Running;
        self.started_at_ms = Some(at_ms);
        self.activate(0, at_ms);
        self.changed(SessionEventKind::Started, self.active, vec![0], at_ms)
    }

    fn switch(&mut self, next: Option<ParticipantId>, at_ms: i64) -> Result<Change, Refusal> {
        let target = match next {
            None => self.successor(),
            Some(participant_id) => self.named(participant_id)?,
        };
        Ok(self.switch_to(target, at_ms))
    }

    /// The position of the one who is asked for.
    fn named(&self, participant_id: ParticipantId) -> Result<usize, Refusal> {
        let found = self.rules.roster.iter().position(|member| member.id == participant_id);
        let position = found.ok_or(Refusal::UnknownParticipant { participant_id })?;
        // They would be active for no time at all. Where the server does nothing, whoever is named gets the turn.
        if self.rules.on_timeout == TimeoutAction::AutoAdvance && !self.has_time(position) {
            return Err(Refusal::NoTimeLeft { participant_id });
        }
        Ok(position)
    }

    /// Charges, and makes the one at `target` active.
    fn switch_to(&mut self, target: usize, at_ms: i64) -> Change {
        self.charge(at_ms);
        let leaving = self.active;
        let expired = leaving.filter(|position| self.has_expired(*position));
        if let Some(position) = leaving {
            self.accounts[position].cycles += 1;
            if self.rules.mode == SyncMode::PerParticipant && expired.is_none() {
                let increment = self.rules.increment_ms.unwrap_or(0);
                self.accounts[position].balance_ms = self.accounts[position].balance_ms.saturating_add(increment);
            }
        }
        self.activate(target, at_ms);
        let mut touched: Vec<_> = leaving.into_iter().chain([target]).collect();
        touched.sort_unstable();
        touched.dedup();
        let mut change = self.changed(SessionEventKind::CycleSwitched, Some(target), touched, at_ms);
        change.cycles = 1;
        change.expired = expired.map(|position| self.rules.roster[position].id);
        change
    }

    fn pause(&mut self, at_ms: i64) -> Change {
        self.charge(at_ms);
        self.status = SessionStatus::Paused;
        self.since_ms = None;
        self.changed(SessionEventKind::Paused, self.active, self.active.into_iter().collect(), at_ms)
    }

    fn resume(&mut self, at_ms: i64) -> Change {
        self.status = SessionStatus::Running;
        self.since_ms = Some(at_ms);
        self.changed(SessionEventKind::Resumed, self.active, self.active.into_iter().collect(), at_ms)
    }

    fn end(&mut self, status: SessionStatus, event: SessionEventKind, at_ms: i64) -> Change {
        self.charge(at_ms);
        let last = self.active.take();
        self.status = status;
        self.since_ms = None;
        self.cycle_ms = 0;
        self.ended_at_ms = Some(at_ms);
        self.changed(event, last, last.into_iter().collect(), at_ms)
    }

    fn activate(&mut self, position: usize, at_ms: i64) {
        self.active = Some(position);
        self.since_ms = Some(at_ms);
        self.cycle_ms = 0;
        self.accounts[position].overran = false;
    }

    /// Charges the active participant for the time since the last charge.
    fn charge(&mut self, at_ms: i64) {
        let (Some(position), Some(since_ms)) = (self.active, self.since_ms) else { return };
        let mut elapsed = at_ms.saturating_sub(since_ms).max(0);
        if let (SyncMode::CountUp, Some(max_ms)) = (self.rules.mode, self.rules.max_ms) {
            elapsed = elapsed.min(max_ms.saturating_sub(self.used_ms).max(0));
        }
        self.since_ms = Some(at_ms.max(since_ms));
        self.cycle_ms += elapsed;
        self.alone_ms += elapsed;
        self.used_ms += elapsed;
        self.accounts[position].used_ms += elapsed;
        let balance = match self.rules.mode {
            SyncMode::PerParticipant | SyncMode::PerCycle => Some(&mut self.accounts[position].balance_ms),
            SyncMode::PerGroup => self.rules.roster[position].pot.map(|pot| &mut self.pots[pot]),
            SyncMode::Global | SyncMode::CountUp => None,
        };
        if let Some(balance) = balance {
            *balance = (*balance - elapsed).max(0);
        }
    }

    /// Whose turn is next: the next in the list, after the last the first. With `auto_advance`, of those who have time.
    fn successor(&self) -> usize {
        let count = self.accounts.len();
        let next = self.active.map_or(0, |position| (position + 1) % count);
        let mut order = (0..count).map(|step| (next + step) % count);
        match self.rules.on_timeout {
            TimeoutAction::AutoAdvance => order.find(|position| self.has_time(*position)).unwrap_or(next),
            TimeoutAction::None | TimeoutAction::EndSession => next,
        }
    }

    /// Notes a change that was made.
    fn changed(
        &mut self,
        event: SessionEventKind,
        participant: Option<usize>,
        touched: Vec<usize>,
        at_ms: i64,
    ) -> Change {
        self.version += 1;
        self.updated_at_ms = at_ms;
        self.change(event, participant, touched, at_ms)
    }

    fn change(&self, event: SessionEventKind, participant: Option<usize>, touched: Vec<usize>, at_ms: i64) -> Change {
        Change {
            event,
            version: self.version,
            at_ms,
            status: self.status,
            participant: participant.map(|position| self.rules.roster[position].id),
            balances: touched.iter().map(|position| self.balance(*position)).collect(),
            cycles: 0,
            expired: None,
            touched,
        }
    }
}
