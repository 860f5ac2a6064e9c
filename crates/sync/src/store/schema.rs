//! The tables, as migrations.

use flowork_sqlite::Schema;

pub(crate) static SCHEMA: Schema = Schema { name: "sync sessions", migrations: &[FIRST, SECOND, THIRD] };

const FIRST: &str = "
CREATE TABLE session (
    session_id BLOB PRIMARY KEY CHECK (length(session_id) = 16),
    owner TEXT NOT NULL,
    sync_mode TEXT NOT NULL
        CHECK (sync_mode IN ('per_participant', 'per_cycle', 'per_group', 'global', 'count_up')),
    status TEXT NOT NULL
        CHECK (status IN ('pending', 'running', 'paused', 'completed', 'cancelled', 'expired')),
    version INTEGER NOT NULL CHECK (version > 0),
    active INTEGER CHECK (active >= 0),
    total_time_ms INTEGER NOT NULL,
    time_per_cycle_ms INTEGER,
    increment_ms INTEGER,
    max_time_ms INTEGER,
    action_on_timeout TEXT NOT NULL CHECK (action_on_timeout IN ('none', 'auto_advance', 'end_session')),
    metadata TEXT,
    used_ms INTEGER NOT NULL CHECK (used_ms >= 0),
    cycle_ms INTEGER NOT NULL CHECK (cycle_ms >= 0),
    since_ms INTEGER,
    started_at_ms INTEGER,
    ended_at_ms INTEGER,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE participant (
    session_id BLOB NOT NULL CHECK (length(session_id) = 16),
    position INTEGER NOT NULL CHECK (position >= 0),
    participant_id BLOB NOT NULL CHECK (length(participant_id) = 16),
    participant_index INTEGER NOT NULL,
    group_id BLOB CHECK (length(group_id) = 16),
    balance_ms INTEGER NOT NULL CHECK (balance_ms >= 0),
    used_ms INTEGER NOT NULL CHECK (used_ms >= 0),
    cycle_count INTEGER NOT NULL CHECK (cycle_count >= 0),
    overran INTEGER NOT NULL CHECK (overran IN (0, 1)),
    PRIMARY KEY (session_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id BLOB NOT NULL CHECK (length(session_id) = 16),
    owner TEXT NOT NULL,
    version INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    event TEXT NOT NULL CHECK (event IN ('session_created', 'started', 'cycle_switched', 'paused', 'resumed',
        'participant_expired', 'completed', 'cancelled', 'deleted')),
    actor TEXT,
    participant_id BLOB CHECK (length(participant_id) = 16),
    status TEXT NOT NULL,
    cycles INTEGER NOT NULL,
    balances TEXT NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE INDEX event_of_session ON event (session_id, sequence);

-- Of no use any more: the log is synced by a thread of its own.
CREATE TABLE synced (id INTEGER PRIMARY KEY CHECK (id = 1), times INTEGER NOT NULL) STRICT;
INSERT INTO synced (id, times) VALUES (1, 0);
";

const SECOND: &str = "
-- How far the time of sessions is ahead of the wall clock, which somebody may have set.
CREATE TABLE session_time (id INTEGER PRIMARY KEY CHECK (id = 1), ahead_ms INTEGER NOT NULL) STRICT;
INSERT INTO session_time (id, ahead_ms) VALUES (1, 0);
";

const THIRD: &str = "
-- What was charged since anybody did something with the session or watched it.
ALTER TABLE session ADD COLUMN alone_ms INTEGER NOT NULL DEFAULT 0 CHECK (alone_ms >= 0);
-- What is added to the time since the machine was booted, and which boot that is. Nothing where that can't be told.
ALTER TABLE session_time ADD COLUMN boot TEXT;
ALTER TABLE session_time ADD COLUMN offset_ms INTEGER;
";

#[cfg(test)]
mod tests {
    use flowork_sqlite::{Schema, open_writer};

    use super::*;
    use crate::{store::SessionStore, time::Standing};

    static BEFORE: Schema = Schema { name: "sync sessions", migrations: &[FIRST, SECOND] };

    /// A session that runs, as the version before stored it.
    const RUNNING: &str = "
        INSERT INTO session (session_id, owner, sync_mode, status, version, active, total_time_ms, time_per_cycle_ms,
            action_on_timeout, used_ms, cycle_ms, since_ms, started_at_ms, created_at_ms, updated_at_ms)
        VALUES (?1, 'ann', 'per_cycle', 'running', 7, 0, 60000, 5000, 'auto_advance', 90000000, 0, 1000, 1000, 1000, 1000);
    ";
    const ALONE: &str = "
        INSERT INTO participant (session_id, position, participant_id, participant_index, balance_ms, used_ms,
            cycle_count, overran)
        VALUES (?1, 0, ?1, 0, 0, 90000000, 17, 0);
    ";

    #[test]
    fn a_file_of_the_version_before_keeps_its_sessions_and_that_version_works_on_it_still() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sync.db");
        let insert = |id: [u8; 16]| {
            let connection = open_writer(&path, &BEFORE).unwrap();
            connection.execute("UPDATE session_time SET ahead_ms = 7", []).unwrap();
            connection.execute(RUNNING, [id]).unwrap();
            connection.execute(ALONE, [id]).unwrap();
        };
        insert([1; 16]);
        let (store, found) = SessionStore::open(&path).unwrap();
        assert_eq!(found.standing, Standing { ahead_ms: 7, boot: None });
        let [session] = &found.sessions[..] else { panic!("{}", found.sessions.len()) };
        assert_eq!((session.version(), &**session.owner(), session.next_expiry_ms()), (7, "ann", Some(6_000)));
        // However long it has run, it is not taken for one that was left behind.
        let mut session = session.clone();
        session.catch_up(6_000);
        assert!(!session.status().is_final());
        store.close();
        insert([2; 16]);
        let (store, found) = SessionStore::open(&path).unwrap();
        assert_eq!(found.sessions.len(), 2);
        store.close();
    }
}
