-- The tables of version 1, as they were released. Never edit: files of this form are out there.
CREATE TABLE job (
    key INTEGER PRIMARY KEY,
    tail INTEGER NOT NULL,
    queue TEXT NOT NULL,
    kind TEXT NOT NULL,
    priority INTEGER NOT NULL,
    run_at_ms INTEGER NOT NULL,
    owner TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    attempts_max INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    lease_expires_at_ms INTEGER,
    claimed_at_ms INTEGER,
    cancel_requested INTEGER NOT NULL,
    timeout_ms INTEGER NOT NULL,
    expires_at_ms INTEGER,
    created_at_ms INTEGER NOT NULL,
    finished_at_ms INTEGER,
    idempotency_key TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    tags TEXT NOT NULL,
    backoff TEXT NOT NULL,
    progress TEXT,
    error TEXT,
    log_lines INTEGER NOT NULL,
    payload_check INTEGER NOT NULL,
    payload BLOB,
    result_check INTEGER,
    result BLOB,
    state TEXT NOT NULL CHECK (state IN ('scheduled', 'queued', 'leased'))
) STRICT;
CREATE TABLE finished (
    key INTEGER PRIMARY KEY,
    tail INTEGER NOT NULL,
    queue TEXT NOT NULL,
    kind TEXT NOT NULL,
    priority INTEGER NOT NULL,
    run_at_ms INTEGER NOT NULL,
    owner TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    attempts_max INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    lease_expires_at_ms INTEGER,
    claimed_at_ms INTEGER,
    cancel_requested INTEGER NOT NULL,
    timeout_ms INTEGER NOT NULL,
    expires_at_ms INTEGER,
    created_at_ms INTEGER NOT NULL,
    finished_at_ms INTEGER,
    idempotency_key TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    tags TEXT NOT NULL,
    backoff TEXT NOT NULL,
    progress TEXT,
    error TEXT,
    log_lines INTEGER NOT NULL,
    payload_check INTEGER NOT NULL,
    payload BLOB,
    result_check INTEGER,
    result BLOB,
    state TEXT NOT NULL CHECK (state IN ('completed', 'failed', 'cancelled', 'expired'))
) STRICT;
CREATE INDEX job_ready ON job (priority, run_at_ms, key) WHERE state = 'queued';
CREATE INDEX job_scheduled ON job (run_at_ms) WHERE state = 'scheduled';
CREATE INDEX job_lease ON job (lease_expires_at_ms) WHERE state = 'leased';
CREATE INDEX job_expiry ON job (expires_at_ms)
    WHERE expires_at_ms IS NOT NULL AND attempt = 0 AND state IN ('scheduled', 'queued');

-- Payloads too large for their row.
CREATE TABLE large_payload (key INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;

-- Lives as long as its job.
CREATE TABLE idempotency (
    owner TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    body_hash BLOB NOT NULL,
    key INTEGER NOT NULL,
    tail INTEGER NOT NULL,
    PRIMARY KEY (owner, idempotency_key)
) STRICT, WITHOUT ROWID;

-- Attempts that ended; the running one is in `job`.
CREATE TABLE attempt (
    key INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    started_at_ms INTEGER NOT NULL,
    finished_at_ms INTEGER NOT NULL,
    outcome TEXT NOT NULL
        CHECK (outcome IN ('completed', 'failed', 'cancelled', 'lease_expired', 'released')),
    error TEXT,
    PRIMARY KEY (key, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE log (
    key INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    level TEXT NOT NULL CHECK (level IN ('debug', 'info', 'warn', 'error')),
    message TEXT NOT NULL,
    PRIMARY KEY (key, seq)
) STRICT, WITHOUT ROWID;
PRAGMA user_version = 1;
