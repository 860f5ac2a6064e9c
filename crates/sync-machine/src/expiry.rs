//! When time runs out, and what the server does then.

use flowork_api_types::session::{SESSION_TIME_MS_MAX, SessionEventKind, SessionStatus, SyncMode, TimeoutAction};

use crate::{Change, Session};

/// Cycles that may run out at once before they are taken together. Only a node that was down for long has more, and
/// would spend its start on events that nobody saw.
const CYCLES_APART_MAX: i64 = 16;
/// How long a session that nobody uses goes on from cycle to cycle by itself: as long as the longest countdown.
const ALONE_MS_MAX: i64 = SESSION_TIME_MS_MAX as i64;

impl Session {
    /// The instant at which time runs out if nothing else happens before.
    pub fn next_expiry_ms(&self) -> Option<i64> {
        let (Some(since_ms), Some(left)) = (self.since_ms, self.left_ms()) else { return None };
        (left > 0).then(|| since_ms.saturating_add(left))
    }

    /// Applies what was due by an instant, each at the instant it was due.
    pub fn catch_up(&mut self, at_ms: i64) -> Vec<Change> {
        let mut changes: Vec<_> = self.skip_cycles(at_ms).into_iter().collect();
        while let Some(due_ms) = self.next_expiry_ms().filter(|due_ms| *due_ms <= at_ms) {
            self.expire(due_ms, &mut changes);
        }
        changes
    }

    /// What was left of what counts down, as of the last charge; `None` if nobody is active or nothing counts down.
    pub(super) fn left_ms(&self) -> Option<i64> {
        let position = self.active?;
        let left = match self.rules.mode {
            SyncMode::PerParticipant => self.accounts[position].balance_ms,
            SyncMode::PerGroup => self.pots[self.rules.roster[position].pot?],
            SyncMode::PerCycle => self.rules.per_cycle_ms? - self.cycle_ms,
            SyncMode::Global => self.rules.total_ms - self.used_ms,
            SyncMode::CountUp => self.rules.max_ms? - self.used_ms,
        };
        Some(left.max(0))
    }

    /// Whether somebody's time ran out.
    pub(super) fn has_expired(&self, position: usize) -> bool {
        match self.rules.mode {
            SyncMode::PerParticipant => self.accounts[position].balance_ms == 0,
            SyncMode::PerGroup => self.rules.roster[position].pot.is_some_and(|pot| self.pots[pot] == 0),
            SyncMode::PerCycle => self.accounts[position].overran,
            SyncMode::Global => self.used_ms >= self.rules.total_ms,
            SyncMode::CountUp => self.rules.max_ms.is_some_and(|max_ms| self.used_ms >= max_ms),
        }
    }

    /// Whether somebody would have time if they became active.
    pub(super) fn has_time(&self, position: usize) -> bool {
        self.rules.mode == SyncMode::PerCycle || !self.has_expired(position)
    }

    /// Whether a session that goes on by itself was left alone for long enough. All others end with somebody's time.
    fn is_over(&self) -> bool {
        self.rules.mode == SyncMode::PerCycle && self.alone_ms >= ALONE_MS_MAX
    }

    /// Time has run out at `due_ms`.
    fn expire(&mut self, due_ms: i64, changes: &mut Vec<Change>) {
        self.charge(due_ms);
        let Some(position) = self.active else { return };
        if self.rules.mode == SyncMode::PerCycle {
            self.accounts[position].overran = true;
        }
        let event = SessionEventKind::ParticipantExpired;
        match self.rules.on_timeout {
            TimeoutAction::None => changes.push(self.changed(event, Some(position), vec![position], due_ms)),
            TimeoutAction::EndSession => changes.push(self.end(SessionStatus::Expired, event, due_ms)),
            TimeoutAction::AutoAdvance => {
                let next = self.successor();
                if self.has_time(next) && !self.is_over() {
                    changes.push(self.changed(event, Some(position), vec![position], due_ms));
                    changes.push(self.switch_to(next, due_ms));
                } else {
                    changes.push(self.end(SessionStatus::Expired, event, due_ms));
                }
            }
        }
    }

    /// Takes whole cycles together that ran out one after the other, all but the last of them: their use is charged as
    /// if each had been applied alone, in one change.
    fn skip_cycles(&mut self, at_ms: i64) -> Option<Change> {
        let advances = (self.rules.mode, self.rules.on_timeout) == (SyncMode::PerCycle, TimeoutAction::AutoAdvance);
        let cycle_ms = self.rules.per_cycle_ms.filter(|_| advances)?;
        let first_due_ms = self.next_expiry_ms().filter(|due_ms| *due_ms <= at_ms)?;
        // Up to, and without, the cycle that is the last of all.
        let alone_ms = self.alone_ms + self.left_ms()?;
        let more = (ALONE_MS_MAX - alone_ms).max(0).unsigned_abs().div_ceil(cycle_ms.unsigned_abs());
        let skipped = ((at_ms - first_due_ms) / cycle_ms).min(i64::try_from(more).unwrap_or(i64::MAX));
        if skipped < CYCLES_APART_MAX {
            return None;
        }
        let begun = self.active?;
        let count = self.accounts.len();
        let due_ms = first_due_ms + (skipped - 1) * cycle_ms;
        // The open cycle may be charged in part already; the others are whole.
        self.charge(first_due_ms);
        self.accounts[begun].cycles += 1;
        self.accounts[begun].overran = true;
        let whole = skipped - 1;
        let (rounds, rest) = (whole / count as i64, (whole % count as i64) as usize);
        for step in 0..count {
            let times = rounds + i64::from(step < rest);
            let account = &mut self.accounts[(begun + 1 + step) % count];
            let used_ms = times * cycle_ms;
            account.used_ms += used_ms;
            account.balance_ms = (account.balance_ms - used_ms).max(0);
            account.cycles += times as u64;
            account.overran |= times > 0;
        }
        self.used_ms += whole * cycle_ms;
        self.alone_ms += whole * cycle_ms;
        let target = (begun + 1 + rest) % count;
        self.activate(target, due_ms);
        let everybody = (0..count).collect();
        let mut change = self.changed(SessionEventKind::CycleSwitched, Some(target), everybody, due_ms);
        change.cycles = skipped as u64;
        Some(change)
    }
}
