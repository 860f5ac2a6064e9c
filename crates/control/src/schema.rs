//! The tables, as migrations.

use flowork_sqlite::Schema;

pub(crate) static SCHEMA: Schema = Schema { name: "control", migrations: &[FIRST] };

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
