//! A session as others see it.

use flowork_api_types::{
    Timestamp,
    session::{
        Computed, Participant, ParticipantBalance, SessionAction, SessionState, SessionStatus, SessionSummary, SyncMode,
    },
};

use crate::Session;

impl Session {
    /// The whole of it, as of its last change.
    pub fn state(&self) -> SessionState {
        let rules = &*self.rules;
        SessionState {
            session_id: rules.id,
            sync_mode: rules.mode,
            status: self.status,
            version: self.version,
            participants: self.participants(),
            active_participant_id: self.active_participant_id(),
            total_time_ms: milliseconds(rules.total_ms),
            time_per_cycle_ms: rules.per_cycle_ms.map(milliseconds),
            cycle_started_at: self.since_ms.map(Timestamp),
            cycle_elapsed_ms: milliseconds(self.cycle_ms),
            session_started_at: self.started_at_ms.map(Timestamp),
            session_completed_at: self.ended_at_ms.map(Timestamp),
            increment_ms: rules.increment_ms.map(milliseconds),
            max_time_ms: rules.max_ms.map(milliseconds),
            action_on_timeout: rules.on_timeout,
            metadata: rules.metadata.clone(),
            created_by: rules.owner.as_ref().to_owned(),
            created_at: Timestamp(rules.created_at_ms),
            updated_at: Timestamp(self.updated_at_ms),
            allowed_actions: self.allowed_actions(),
            computed: None,
        }
    }

    /// What a list shows of it.
    pub fn summary(&self, now_ms: i64) -> SessionSummary {
        let rules = &*self.rules;
        SessionSummary {
            session_id: rules.id,
            sync_mode: rules.mode,
            status: self.status,
            version: self.version,
            participant_count: self.accounts.len(),
            time_used_ms: milliseconds(self.used_ms),
            active_participant: self.active.map(|position| self.participant(position)),
            cycle_started_at: self.since_ms.map(Timestamp),
            metadata: rules.metadata.clone(),
            created_by: rules.owner.as_ref().to_owned(),
            created_at: Timestamp(rules.created_at_ms),
            updated_at: Timestamp(self.updated_at_ms),
            allowed_actions: self.allowed_actions(),
            computed: self.computed(now_ms),
        }
    }

    /// Everybody who takes part, in the order of their turns.
    pub fn participants(&self) -> Vec<Participant> {
        (0..self.accounts.len()).map(|position| self.participant(position)).collect()
    }

    /// Times at an instant.
    pub fn computed(&self, now_ms: i64) -> Computed {
        let running_ms = self.since_ms.map_or(0, |since_ms| now_ms.saturating_sub(since_ms).max(0));
        Computed {
            now_ms,
            active_remaining_ms: self.left_ms().map(|left_ms| milliseconds(left_ms - running_ms)),
            active_elapsed_ms: self.active.map(|_| {
                let stops_at = match (self.rules.mode, self.left_ms()) {
                    (SyncMode::CountUp, Some(left_ms)) => left_ms,
                    _ => i64::MAX,
                };
                milliseconds(self.cycle_ms + running_ms.min(stops_at))
            }),
        }
    }

    /// What its status allows.
    pub fn allowed_actions(&self) -> Vec<SessionAction> {
        use SessionAction::{Cancel, Complete, Pause, Resume, Start, Switch};
        match self.status {
            SessionStatus::Pending => vec![Start, Complete, Cancel],
            SessionStatus::Running => vec![Switch, Pause, Complete, Cancel],
            SessionStatus::Paused => vec![Resume, Complete, Cancel],
            SessionStatus::Completed | SessionStatus::Cancelled | SessionStatus::Expired => Vec::new(),
        }
    }

    pub(super) fn balance(&self, position: usize) -> ParticipantBalance {
        let account = &self.accounts[position];
        ParticipantBalance {
            participant_id: self.rules.roster[position].id,
            total_time_ms: milliseconds(self.balance_ms(position)),
            time_used_ms: milliseconds(account.used_ms),
            cycle_count: account.cycles,
            has_expired: self.has_expired(position),
        }
    }

    /// What somebody has left: their own, or their group's.
    pub fn balance_ms(&self, position: usize) -> i64 {
        match self.rules.roster[position].pot {
            Some(pot) => self.pots[pot],
            None => self.accounts[position].balance_ms,
        }
    }

    fn participant(&self, position: usize) -> Participant {
        let member = &self.rules.roster[position];
        let ParticipantBalance { participant_id, total_time_ms, time_used_ms, cycle_count, has_expired } =
            self.balance(position);
        Participant {
            participant_id,
            participant_index: member.index,
            total_time_ms,
            time_used_ms,
            time_remaining_ms: total_time_ms,
            cycle_count,
            is_active: self.active == Some(position),
            has_expired,
            group_id: member.group,
        }
    }
}

/// Times of a session are never negative; a clock that was set back must not make them so.
fn milliseconds(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0)
}
