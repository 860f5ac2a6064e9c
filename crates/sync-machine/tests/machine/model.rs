//! The machine, which calculates, against a model that counts every millisecond: random calls at random times, in all
//! five modes, and after each call the two must agree.

use flowork_api_types::{
    ParticipantId,
    session::{SessionState, SessionStatus, SyncMode, TimeoutAction},
};
use flowork_sync_machine::{Command, Refusal, Session};
use proptest::prelude::*;
use serde_json::json;

use flowork_test_support::sessions::{group, participant, request};

/// What a case begins with.
#[derive(Clone, Debug)]
struct Setup {
    mode: SyncMode,
    on_timeout: TimeoutAction,
    /// Balance, and which of two groups.
    participants: Vec<(i64, u8)>,
    total_ms: i64,
    cycle_ms: i64,
    increment_ms: i64,
    cap_ms: Option<i64>,
}

#[derive(Clone, Copy, Debug)]
enum Call {
    Start,
    Switch,
    SwitchTo(usize),
    Pause,
    Resume,
    Complete,
    Cancel,
}

/// A call that was allowed.
#[derive(Clone, Copy, Debug, Default)]
struct Done {
    /// Who left with no time.
    left_over: Option<usize>,
}

/// One participant of the model.
#[derive(Clone, Debug)]
struct Player {
    left: i64,
    used: i64,
    cycles: u64,
    expired: bool,
    group: u8,
}

/// The same as the machine, said as plainly as possible: a clock that ticks.
#[derive(Clone, Debug)]
struct Model {
    setup: Setup,
    players: Vec<Player>,
    status: SessionStatus,
    version: u64,
    active: Option<usize>,
    in_cycle: i64,
    ran: i64,
    /// Up to when it has ticked.
    now: i64,
    /// When it changed last.
    changed: i64,
}

impl Model {
    fn new(setup: Setup, now: i64) -> Self {
        let player =
            |(left, group): &(i64, u8)| Player { left: *left, used: 0, cycles: 0, expired: false, group: *group };
        let players = setup.participants.iter().map(player).collect();
        let (status, version) = (SessionStatus::Pending, 1);
        Self { setup, players, status, version, active: None, in_cycle: 0, ran: 0, now, changed: now }
    }

    fn tick_to(&mut self, at: i64) {
        while self.now < at {
            self.now += 1;
            if self.status == SessionStatus::Running {
                self.tick();
            }
        }
    }

    /// One millisecond of the active participant.
    fn tick(&mut self) {
        let active = self.active.expect("somebody is active while it runs");
        if self.setup.mode == SyncMode::CountUp && self.setup.cap_ms == Some(self.ran) {
            return;
        }
        let was_over = self.is_over(active);
        self.ran += 1;
        self.in_cycle += 1;
        self.players[active].used += 1;
        match self.setup.mode {
            SyncMode::PerParticipant | SyncMode::PerCycle => {
                self.players[active].left = (self.players[active].left - 1).max(0);
            }
            SyncMode::PerGroup => {
                let group = self.players[active].group;
                for player in self.players.iter_mut().filter(|player| player.group == group) {
                    player.left = (player.left - 1).max(0);
                }
            }
            SyncMode::Global | SyncMode::CountUp => {}
        }
        if self.is_over(active) && !was_over {
            self.run_out(active);
        }
    }

    fn is_over(&self, position: usize) -> bool {
        match self.setup.mode {
            SyncMode::PerParticipant | SyncMode::PerGroup => self.players[position].left == 0,
            SyncMode::PerCycle => self.players[position].expired || self.in_cycle == self.setup.cycle_ms,
            SyncMode::Global => self.ran >= self.setup.total_ms,
            SyncMode::CountUp => self.setup.cap_ms.is_some_and(|cap| self.ran >= cap),
        }
    }

    fn run_out(&mut self, active: usize) {
        self.version += 1;
        self.changed = self.now;
        let group = self.players[active].group;
        let mode = self.setup.mode;
        for (position, player) in self.players.iter_mut().enumerate() {
            player.expired |= match mode {
                SyncMode::PerParticipant | SyncMode::PerCycle => position == active,
                SyncMode::PerGroup => player.group == group,
                SyncMode::Global | SyncMode::CountUp => true,
            };
        }
        let next = self.next().filter(|next| mode == SyncMode::PerCycle || !self.players[*next].expired);
        match (self.setup.on_timeout, next) {
            (TimeoutAction::None, _) => {}
            (TimeoutAction::AutoAdvance, Some(next)) => self.activate(next),
            (TimeoutAction::AutoAdvance, None) | (TimeoutAction::EndSession, _) => {
                self.status = SessionStatus::Expired;
                self.active = None;
                self.in_cycle = 0;
            }
        }
    }

    /// Whose turn is next.
    fn next(&self) -> Option<usize> {
        let (count, begin) = (self.players.len(), self.active? + 1);
        let in_order: Vec<_> = (0..count).map(|step| (begin + step) % count).collect();
        Some(in_order.iter().copied().find(|position| self.may_be_next(*position)).unwrap_or(in_order[0]))
    }

    /// Whether it makes sense that somebody gets the turn.
    fn may_be_next(&self, position: usize) -> bool {
        match self.setup.on_timeout {
            TimeoutAction::AutoAdvance => self.setup.mode == SyncMode::PerCycle || !self.players[position].expired,
            TimeoutAction::None | TimeoutAction::EndSession => true,
        }
    }

    fn activate(&mut self, next: usize) {
        if let Some(leaving) = self.active {
            self.players[leaving].cycles += 1;
            if self.setup.mode == SyncMode::PerParticipant && !self.players[leaving].expired {
                self.players[leaving].left += self.setup.increment_ms;
            }
        }
        self.active = Some(next);
        self.in_cycle = 0;
        if self.setup.mode == SyncMode::PerCycle {
            self.players[next].expired = false;
        }
        self.version += 1;
        self.changed = self.now;
    }

    /// What a call did, if it was allowed.
    fn call(&mut self, call: Call, at: i64) -> Option<Done> {
        let mut called = self.clone();
        let outcome = called.ticked_call(call, at);
        if outcome.is_some() {
            *self = called;
        } else {
            // A refusal charges nothing; only what ran out by then has happened.
            self.tick_to(called.changed);
        }
        outcome
    }

    fn ticked_call(&mut self, call: Call, at: i64) -> Option<Done> {
        use SessionStatus::{Cancelled, Completed, Paused, Pending, Running};
        self.tick_to(at.max(self.changed));
        match (call, self.status) {
            (Call::Start, Pending) => {
                self.status = Running;
                self.activate(0);
                return Some(Done::default());
            }
            (Call::Switch | Call::SwitchTo(_), Running) => {
                let target = match call {
                    Call::SwitchTo(position) if position < self.players.len() && self.may_be_next(position) => position,
                    Call::SwitchTo(_) => return None,
                    _ => self.next()?,
                };
                let left_over = self.active.filter(|active| self.players[*active].expired);
                self.activate(target);
                return Some(Done { left_over });
            }
            (Call::Pause, Running) => self.status = Paused,
            (Call::Resume, Paused) => self.status = Running,
            (Call::Complete, Pending | Running | Paused) => self.status = Completed,
            (Call::Cancel, Pending | Running | Paused) => self.status = Cancelled,
            _ => return None,
        }
        if self.status.is_final() {
            self.active = None;
            self.in_cycle = 0;
        }
        self.version += 1;
        self.changed = self.now;
        Some(Done::default())
    }
}

fn id(position: usize) -> ParticipantId {
    participant(position as u32)
}

fn command(call: Call) -> Command {
    match call {
        Call::Start => Command::Start,
        Call::Switch => Command::Switch { next: None },
        Call::SwitchTo(position) => Command::Switch { next: Some(id(position)) },
        Call::Pause => Command::Pause,
        Call::Resume => Command::Resume,
        Call::Complete => Command::Complete,
        Call::Cancel => Command::Cancel,
    }
}

fn session_of(setup: &Setup, now: i64) -> Session {
    let participants = setup.participants.iter().enumerate().map(|(position, (left, of))| {
        json!({
            "participant_id": id(position), "participant_index": position, "total_time_ms": left,
            "group_id": group(u32::from(*of)),
        })
    });
    let body = json!({
        "sync_mode": setup.mode, "participants": participants.collect::<Vec<_>>(), "total_time_ms": setup.total_ms,
        "time_per_cycle_ms": setup.cycle_ms, "increment_ms": setup.increment_ms, "max_time_ms": setup.cap_ms,
        "action_on_timeout": setup.on_timeout,
    });
    Session::new(request(&body), "owner".into(), now).expect("a valid request")
}

/// Charged up to its `now`, the model must be what the machine says of the same instant.
fn agree(model: &Model, machine: &Session, state: &SessionState) -> Result<(), TestCaseError> {
    prop_assert_eq!(state.status, model.status);
    prop_assert_eq!(state.version, model.version);
    prop_assert_eq!(state.active_participant_id, model.active.map(id));
    prop_assert_eq!(state.updated_at.as_millis(), model.changed);
    prop_assert_eq!(state.participants.iter().filter(|one| one.is_active).count(), usize::from(model.active.is_some()));
    for (one, player) in state.participants.iter().zip(&model.players) {
        prop_assert_eq!(one.total_time_ms as i64, player.left);
        prop_assert_eq!(one.time_remaining_ms, one.total_time_ms);
        prop_assert_eq!(one.time_used_ms as i64, player.used);
        prop_assert_eq!(one.cycle_count, player.cycles);
        prop_assert_eq!(one.has_expired, player.expired);
    }
    let used: u64 = state.participants.iter().map(|one| one.time_used_ms).sum();
    prop_assert_eq!(used as i64, model.ran, "every millisecond is charged exactly once");
    let computed = machine.computed(model.now);
    prop_assert_eq!(computed.active_elapsed_ms.map(|ms| ms as i64), model.active.map(|_| model.in_cycle));
    Ok(())
}

fn setups() -> impl Strategy<Value = Setup> {
    let groups = (1_000..3_000_i64, 1_000..3_000_i64);
    let players = proptest::collection::vec((1_000..3_000_i64, 0..2_u8), 1..5);
    let choices = (
        proptest::sample::select(SyncMode::ALL),
        proptest::sample::select(TimeoutAction::ALL),
        players,
        groups,
        (1_000..5_000_i64, 1_000..2_500_i64, 0..800_i64, proptest::option::of(1_000..5_000_i64)),
    );
    choices.prop_map(|(mode, on_timeout, mut participants, groups, (total_ms, cycle_ms, increment_ms, cap_ms))| {
        if mode == SyncMode::PerGroup {
            for (left, group) in &mut participants {
                *left = if *group == 0 { groups.0 } else { groups.1 };
            }
        }
        Setup { mode, on_timeout, participants, total_ms, cycle_ms, increment_ms, cap_ms }
    })
}

fn calls() -> impl Strategy<Value = Vec<(Call, i64)>> {
    let call = prop_oneof![
        3 => Just(Call::Start),
        6 => Just(Call::Switch),
        3 => (0..6_usize).prop_map(Call::SwitchTo),
        3 => Just(Call::Pause),
        4 => Just(Call::Resume),
        1 => Just(Call::Complete),
        1 => Just(Call::Cancel),
    ];
    // Now and then a clock that went back.
    let gap = prop_oneof![8 => 0..1_200_i64, 1 => -500..0_i64, 1 => 1_200..9_000_i64, 1 => Just(0)];
    proptest::collection::vec((call, gap), 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_machine_agrees_with_a_clock_that_ticks(setup in setups(), calls in calls()) {
        const BEGIN: i64 = 1_700_000_000_000;
        let mut machine = session_of(&setup, BEGIN);
        let mut model = Model::new(setup, BEGIN);
        let mut now = BEGIN;
        // Most sessions should do something.
        let calls = std::iter::once((Call::Start, 5)).chain(calls);
        for (call, gap) in calls {
            now += gap;
            let before = (machine.version(), machine.clone());
            let applied = machine.apply(command(call), now);
            let allowed = model.call(call, now);
            prop_assert_eq!(applied.refused.is_none(), allowed.is_some(), "{:?}", call);
            let versions: Vec<_> = applied.changes.iter().map(|change| change.version).collect();
            let grown: Vec<_> = (before.0 + 1..=machine.version()).collect();
            prop_assert_eq!(versions, grown, "each change is one version");
            if applied.changes.is_empty() {
                prop_assert_eq!(&machine, &before.1, "a refusal changes nothing");
            }
            // Whoever runs does so towards something, so that the server can go on from there.
            if machine.status() == SessionStatus::Running && model.setup.on_timeout == TimeoutAction::AutoAdvance {
                let endless = model.setup.mode == SyncMode::CountUp && model.setup.cap_ms.is_none();
                prop_assert_eq!(machine.next_expiry_ms().is_none(), endless, "nothing is stuck");
            }
            if let Some(Done { left_over }) = allowed {
                let change = applied.changes.last().expect("what was asked");
                prop_assert_eq!(change.expired, left_over.map(id));
            }
            if let Some(Refusal::UnknownParticipant { participant_id }) = applied.refused {
                prop_assert!(!machine.participants().iter().any(|one| one.participant_id == participant_id));
            }
            if let Some(Refusal::NoTimeLeft { participant_id }) = applied.refused {
                prop_assert_eq!(model.setup.on_timeout, TimeoutAction::AutoAdvance);
                prop_assert!(machine.participants().iter().any(|one| one.participant_id == participant_id && one.has_expired));
            }
            if let (Call::SwitchTo(position), Some(_)) = (call, allowed) {
                prop_assert_eq!(machine.active_participant_id(), Some(id(position)), "to that one");
            }
            let mut charged = machine.clone();
            if machine.status() == SessionStatus::Running {
                // What was refused charged nothing; a pause shows what a charge would give.
                let paused = charged.apply(Command::Pause, now);
                prop_assert_eq!(paused.changes.len(), 1);
                let mut model = model.clone();
                model.call(Call::Pause, now);
                agree(&model, &charged, &charged.state())?;
            } else {
                agree(&model, &machine, &machine.state())?;
            }
        }
    }

    #[test]
    fn what_ran_out_unseen_is_the_same_as_if_somebody_had_watched(setup in setups(), gap in 0..300_000_i64) {
        let setup = Setup { increment_ms: 0, ..setup };
        let mut late = session_of(&setup, 0);
        late.apply(Command::Start, 0);
        let mut watched = late.clone();
        let skipped: u64 = late.catch_up(gap).iter().map(|change| change.cycles).sum();
        let mut seen = 0;
        for at in (0..=gap).step_by(500).chain([gap]) {
            let changes = watched.catch_up(at);
            seen += changes.iter().map(|change| change.cycles).sum::<u64>();
        }
        prop_assert_eq!(skipped, seen, "cycles that ended");
        let (mut late, mut watched) = (late.state(), watched.state());
        prop_assert!(late.version <= watched.version);
        (late.version, watched.version) = (0, 0);
        prop_assert_eq!(late, watched);
    }
}
