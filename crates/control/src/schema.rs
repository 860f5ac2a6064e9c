//! The tables, as migrations.

use flowork_sqlite::Schema;

use crate::{engine_kinds, members, pairing, sessions, workers};

pub(crate) static SCHEMA: Schema = Schema {
    name: "control",
    migrations: &[
        FIRST,
        POLICIES,
        SCHEDULES,
        members::TABLES,
        pairing::SUBJECTS,
        sessions::SUCCESSORS,
        workers::TABLE,
        engine_kinds::TABLE,
    ],
};

const FIRST: &str = "
CREATE TABLE engines (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    slot INTEGER NOT NULL UNIQUE CHECK (slot BETWEEN 0 AND 1023),
    name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
    location TEXT NOT NULL CHECK (location IN ('local', 'external')),
    shards INTEGER NOT NULL CHECK (shards BETWEEN 1 AND 64),
    token_hash BLOB CHECK (length(token_hash) = 32),
    created_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE pairing_codes (
    code_hash BLOB PRIMARY KEY CHECK (length(code_hash) = 32),
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    used_at_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX pairing_codes_by_expiry ON pairing_codes (expires_at_ms);

CREATE TABLE sessions (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    subject TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('owner', 'operator', 'member', 'viewer')),
    device_name TEXT,
    created_at_ms INTEGER NOT NULL,
    last_used_at_ms INTEGER NOT NULL,
    ended_at_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_live ON sessions (last_used_at_ms) WHERE ended_at_ms IS NULL;
CREATE INDEX sessions_ended ON sessions (ended_at_ms) WHERE ended_at_ms IS NOT NULL;

CREATE TABLE refresh_tokens (
    token_hash BLOB PRIMARY KEY CHECK (length(token_hash) = 32),
    session_id BLOB NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    created_at_ms INTEGER NOT NULL,
    used_at_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id, created_at_ms);

CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

const POLICIES: &str = "
CREATE TABLE paused_queues (
    name TEXT PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 64),
    paused_at_ms INTEGER NOT NULL,
    paused_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE limits (
    target TEXT PRIMARY KEY,
    concurrency INTEGER CHECK (concurrency >= 0),
    rate_count INTEGER CHECK (rate_count >= 1),
    rate_per_ms INTEGER CHECK (rate_per_ms >= 1),
    set_at_ms INTEGER NOT NULL,
    CHECK ((rate_count IS NULL) = (rate_per_ms IS NULL))
) STRICT, WITHOUT ROWID;

-- One row while the node drains, none while it works.
CREATE TABLE drain (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    since_ms INTEGER NOT NULL,
    by_whom TEXT NOT NULL,
    reason TEXT
) STRICT;
";

const SCHEDULES: &str = "
CREATE TABLE schedules (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    revision INTEGER NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    cron TEXT,
    time_zone TEXT,
    interval_ms INTEGER CHECK (interval_ms > 0),
    anchor_ms INTEGER,
    job TEXT NOT NULL,
    missed TEXT NOT NULL CHECK (missed IN ('skip', 'once', 'all')),
    overlap TEXT NOT NULL CHECK (overlap IN ('allow', 'skip')),
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    created_at_ms INTEGER NOT NULL,
    handled_until_ms INTEGER NOT NULL,
    pending_due_ms INTEGER,
    last_due_ms INTEGER,
    last_fired_at_ms INTEGER,
    last_job_id BLOB CHECK (length(last_job_id) = 16),
    last_error TEXT,
    last_skipped TEXT,
    CHECK ((cron IS NULL) <> (interval_ms IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX schedules_by_owner ON schedules (owner, id);
";

#[cfg(test)]
mod tests {
    use flowork_api_types::{Timestamp, engine::EngineLocation};
    use flowork_sqlite::Database;

    use super::*;
    use crate::ControlStore;

    /// What a node of the version before would open.
    static BEFORE_SCHEDULES: Schema = Schema { name: "control", migrations: &[FIRST, POLICIES] };

    #[tokio::test]
    async fn a_file_from_before_schedules_keeps_what_it_has_and_an_older_binary_still_opens_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control.db");
        let old = Database::open(&path, &BEFORE_SCHEDULES).unwrap();
        old.write(|connection| connection.execute("INSERT INTO settings VALUES ('kept', 'yes')", [])).await.unwrap();
        old.close().await;

        let store = ControlStore::open(&path).await.unwrap();
        assert_eq!(store.setting("kept").await.unwrap().as_deref(), Some("yes"));
        assert!(store.enabled_schedules().await.unwrap().is_empty());
        store.create_engine("local", EngineLocation::Local, 1, Timestamp(1)).await.unwrap();
        store.close().await;

        let old = Database::open(&path, &BEFORE_SCHEDULES).unwrap();
        let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        let engines = old.read(move |connection| connection.query_row("SELECT count(*) FROM engines", [], count));
        assert_eq!(engines.await.unwrap(), 1);
        old.close().await;
    }

    #[tokio::test]
    async fn a_file_from_before_members_has_its_owner_and_an_older_binary_still_opens_it() {
        static BEFORE_MEMBERS: Schema = Schema { name: "control", migrations: &[FIRST, POLICIES, SCHEDULES] };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control.db");
        let old = Database::open(&path, &BEFORE_MEMBERS).unwrap();
        let fill = "INSERT INTO sessions (id, subject, role, created_at_ms, last_used_at_ms)
                    VALUES (zeroblob(16), 'owner', 'owner', 1, 1)";
        old.write(move |connection| connection.execute(fill, [])).await.unwrap();
        old.close().await;

        let store = ControlStore::open(&path).await.unwrap();
        assert_eq!(store.role_of("owner"), Some(flowork_api_types::auth::Role::Owner));
        let session = flowork_api_types::SessionId::from_uuid(uuid::Uuid::nil());
        assert!(store.session_is_live(session), "who was signed in stays so");
        let engine = store.create_engine("local", EngineLocation::Local, 1, Timestamp(1)).await.unwrap();
        store.close().await;

        let old = Database::open(&path, &BEFORE_MEMBERS).unwrap();
        let more = "INSERT INTO engines (id, slot, name, location, shards, created_at_ms)
                    VALUES (zeroblob(16), 9, 'of the old one', 'external', 1, 1)";
        old.write(move |connection| connection.execute(more, [])).await.unwrap();
        old.close().await;
        let store = ControlStore::open(&path).await.unwrap();
        assert_eq!(store.engines().len(), 2);
        assert_eq!(
            store.engine_of_token(engine.token.expose(), Timestamp(1)).map(|proof| proof.id),
            Some(engine.record.id)
        );
        store.close().await;
    }

    #[tokio::test]
    async fn a_link_from_before_links_of_members_signs_the_owner_in() {
        static BEFORE: Schema = Schema { name: "control", migrations: &[FIRST, POLICIES, SCHEDULES, members::TABLES] };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control.db");
        let code_hash = pairing::hash_of("the code");
        let fill = "INSERT INTO pairing_codes (code_hash, created_at_ms, expires_at_ms) VALUES (?1, 1, 10)";
        let old = Database::open(&path, &BEFORE).unwrap();
        old.write(move |connection| connection.execute(fill, [code_hash.as_bytes()])).await.unwrap();
        old.close().await;

        let store = ControlStore::open(&path).await.unwrap();
        let session = store.open_session("the code", None, Timestamp(2)).await.unwrap();
        assert_eq!(session.subject, "owner");
        store.close().await;

        let old = Database::open(&path, &BEFORE).unwrap();
        let more = "INSERT INTO pairing_codes (code_hash, created_at_ms, expires_at_ms) VALUES (zeroblob(32), 1, 10)";
        old.write(move |connection| connection.execute(more, [])).await.expect("an older binary still opens it");
        old.close().await;
    }

    #[tokio::test]
    async fn a_file_from_before_policies_takes_them_and_an_older_binary_leaves_them_alone() {
        static BEFORE_POLICIES: Schema = Schema { name: "control", migrations: &[FIRST] };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control.db");
        let old = Database::open(&path, &BEFORE_POLICIES).unwrap();
        old.write(|connection| connection.execute("INSERT INTO settings VALUES ('kept', 'yes')", [])).await.unwrap();
        old.close().await;

        let store = ControlStore::open(&path).await.unwrap();
        assert_eq!(store.setting("kept").await.unwrap().as_deref(), Some("yes"));
        assert_eq!(store.policies(), crate::Policies::default());
        store.pause_queue(&"mail".parse().unwrap(), "ada", Timestamp(1)).await.unwrap();
        let policies = store.policies();
        store.close().await;

        let old = Database::open(&path, &BEFORE_POLICIES).unwrap();
        old.write(|connection| connection.execute("INSERT INTO settings VALUES ('more', 'yes')", [])).await.unwrap();
        old.close().await;
        let store = ControlStore::open(&path).await.unwrap();
        assert_eq!(store.policies(), policies);
        assert_eq!(store.setting("more").await.unwrap().as_deref(), Some("yes"));
        store.close().await;
    }

    #[tokio::test]
    async fn a_file_from_before_decisions_about_workers_takes_them_and_an_older_binary_leaves_them_alone() {
        static BEFORE: Schema = Schema {
            name: "control",
            migrations: &[FIRST, POLICIES, SCHEDULES, members::TABLES, pairing::SUBJECTS, sessions::SUCCESSORS],
        };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control.db");
        let old = Database::open(&path, &BEFORE).unwrap();
        old.write(|connection| connection.execute("INSERT INTO settings VALUES ('kept', 'yes')", [])).await.unwrap();
        old.close().await;

        let store = ControlStore::open(&path).await.unwrap();
        assert_eq!(store.setting("kept").await.unwrap().as_deref(), Some("yes"));
        assert!(store.policies().workers.is_empty() && store.engine_kinds(Timestamp(1)).await.unwrap().is_empty());
        let engine = store.create_engine("local", EngineLocation::Local, 1, Timestamp(1)).await.unwrap().record.id;
        let record = crate::WorkersRecord { workers: 3, since: Timestamp(2), by: "ada".to_owned() };
        store.set_workers(engine, Some(record)).await.unwrap();
        store.keep_engine_kinds(engine, Vec::new(), Timestamp(3)).await.unwrap();
        let policies = store.policies();
        store.close().await;

        let old = Database::open(&path, &BEFORE).unwrap();
        old.write(|connection| connection.execute("INSERT INTO settings VALUES ('more', 'yes')", [])).await.unwrap();
        old.close().await;
        let store = ControlStore::open(&path).await.unwrap();
        assert_eq!((store.policies(), policies.workers.len()), (policies, 1));
        assert_eq!(store.engine_kinds(Timestamp(4)).await.unwrap(), [(engine, Vec::new())]);
        store.close().await;
    }
}
