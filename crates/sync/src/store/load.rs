//! Reads the sessions back, at a start.

use std::{collections::HashMap, sync::Arc};

use flowork_api_types::{
    GroupId, ParticipantId, SyncSessionId,
    session::{SessionStatus, SyncMode, TimeoutAction},
};
use rusqlite::{Connection, Row, types::Type};
use uuid::Uuid;

use crate::{
    machine::{Account, Member, Pots, Rules, Session},
    time::{SinceBoot, Standing},
};

/// Every session, in no order.
pub(crate) fn sessions(connection: &Connection) -> rusqlite::Result<Vec<Session>> {
    let mut sessions = HashMap::new();
    let mut rows = connection.prepare(
        "SELECT session_id, owner, sync_mode, status, version, active, total_time_ms, time_per_cycle_ms, increment_ms,
             max_time_ms, action_on_timeout, metadata, used_ms, cycle_ms, since_ms, started_at_ms, ended_at_ms,
             created_at_ms, updated_at_ms, alone_ms
         FROM session",
    )?;
    for session in rows.query_map([], Unfinished::read)? {
        let session = session?;
        sessions.insert(session.rules.id, session);
    }
    let mut rows = connection.prepare(
        "SELECT session_id, participant_id, participant_index, group_id, balance_ms, used_ms, cycle_count, overran
         FROM participant ORDER BY session_id, position",
    )?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let id = SyncSessionId::from_uuid(uuid_of(row, 0)?);
        if let Some(session) = sessions.get_mut(&id) {
            session.add(row)?;
        }
    }
    Ok(sessions.into_values().filter_map(Unfinished::finish).collect())
}

/// Where the time of sessions stood.
pub(crate) fn standing(connection: &Connection) -> rusqlite::Result<Standing> {
    let read = |row: &Row<'_>| {
        let boot: Option<String> = row.get(1)?;
        let offset_ms: Option<i64> = row.get(2)?;
        let boot = boot.zip(offset_ms).map(|(boot, offset_ms)| SinceBoot { boot: boot.into(), offset_ms });
        Ok(Standing { ahead_ms: row.get(0)?, boot })
    };
    connection.query_row("SELECT ahead_ms, boot, offset_ms FROM session_time WHERE id = 1", [], read)
}

/// A session whose participants come row by row.
struct Unfinished {
    rules: Rules,
    pots: Pots,
    session: Session,
}

impl Unfinished {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let metadata: Option<String> = row.get(11)?;
        let metadata = metadata.map(|text| {
            serde_json::from_str(&text)
                .map_err(|error| rusqlite::Error::FromSqlConversionFailure(11, Type::Text, Box::new(error)))
        });
        let rules = Rules {
            id: SyncSessionId::from_uuid(uuid_of(row, 0)?),
            owner: row.get::<_, String>(1)?.into(),
            mode: named(row, 2, SyncMode::from_name)?,
            total_ms: row.get(6)?,
            per_cycle_ms: row.get(7)?,
            increment_ms: row.get(8)?,
            max_ms: row.get(9)?,
            on_timeout: named(row, 10, TimeoutAction::from_name)?,
            metadata: metadata.transpose()?,
            created_at_ms: row.get(17)?,
            roster: Vec::new(),
        };
        let session = Session {
            rules: Arc::new(rules.clone()),
            status: named(row, 3, SessionStatus::from_name)?,
            version: row.get::<_, i64>(4)? as u64,
            active: row.get::<_, Option<i64>>(5)?.map(|position| position as usize),
            accounts: Vec::new(),
            pots: Vec::new(),
            used_ms: row.get(12)?,
            cycle_ms: row.get(13)?,
            alone_ms: row.get(19)?,
            since_ms: row.get(14)?,
            started_at_ms: row.get(15)?,
            ended_at_ms: row.get(16)?,
            updated_at_ms: row.get(18)?,
        };
        Ok(Self { rules, pots: Pots::default(), session })
    }

    fn add(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        let balance_ms = row.get(4)?;
        let group = row.get::<_, Option<[u8; 16]>>(3)?.map(|id| GroupId::from_uuid(Uuid::from_bytes(id)));
        let shared = group.filter(|_| self.rules.mode == SyncMode::PerGroup);
        self.rules.roster.push(Member {
            id: ParticipantId::from_uuid(uuid_of(row, 1)?),
            index: row.get(2)?,
            group,
            pot: shared.map(|group| self.pots.of(group, balance_ms)),
        });
        let cycles = row.get::<_, i64>(6)? as u64;
        self.session.accounts.push(Account { balance_ms, used_ms: row.get(5)?, cycles, overran: row.get(7)? });
        Ok(())
    }

    /// Nothing for a session whose rows do not fit together: the others go on without it.
    fn finish(self) -> Option<Session> {
        let Self { rules, pots, session } = self;
        let participants = session.accounts.len();
        if participants == 0 || session.active.is_some_and(|position| position >= participants) {
            tracing::error!(session_id = %rules.id, participants, "a stored session is damaged and is left out");
            return None;
        }
        Some(Session { rules: Arc::new(rules), pots: pots.balances, ..session })
    }
}

pub(crate) fn uuid_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    row.get(column).map(Uuid::from_bytes)
}

/// A name that is stored as text.
pub(crate) fn named<T>(row: &Row<'_>, column: usize, parse: impl Fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    parse(&text).ok_or_else(|| rusqlite::Error::InvalidColumnType(column, text, Type::Text))
}
