//! The tables of a shard.
//!
//! `job` holds what still has to happen, `finished` what ended: claims walk a table that stays small. Each partial
//! index is the predicate of exactly one query, in its sort order.

use flowork_sqlite::Schema;

macro_rules! job_columns {
    () => {
        "
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
        "
    };
}

pub(super) static SCHEMA: Schema = Schema { name: "shard", migrations: &[FIRST, LIMITS_AND_RETENTION, BATCH_HASH] };

const FIRST: &str = concat!(
    "CREATE TABLE job (",
    job_columns!(),
    "state TEXT NOT NULL CHECK (state IN ('scheduled', 'queued', 'leased'))) STRICT;",
    "CREATE TABLE finished (",
    job_columns!(),
    "state TEXT NOT NULL CHECK (state IN ('completed', 'failed', 'cancelled', 'expired'))) STRICT;",
    "
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
        "
);

/// `job_ready` keeps its name, because statements of the version before ask for it by name. What that version writes has
/// NULL in the new columns: its ready jobs get their lane when the shard is opened, and its ended ones are kept for the
/// default time.
const LIMITS_AND_RETENTION: &str = "
    ALTER TABLE job ADD COLUMN lane INTEGER;
    ALTER TABLE job ADD COLUMN unique_key TEXT;
    ALTER TABLE job ADD COLUMN concurrency_key TEXT;
    ALTER TABLE job ADD COLUMN concurrency_max INTEGER;
    ALTER TABLE job ADD COLUMN limit_targets TEXT;
    ALTER TABLE job ADD COLUMN batch BLOB;
    ALTER TABLE job ADD COLUMN redriven_from TEXT;
    ALTER TABLE finished ADD COLUMN unique_key TEXT;
    ALTER TABLE finished ADD COLUMN concurrency_key TEXT;
    ALTER TABLE finished ADD COLUMN concurrency_max INTEGER;
    ALTER TABLE finished ADD COLUMN limit_targets TEXT;
    ALTER TABLE finished ADD COLUMN batch BLOB;
    ALTER TABLE finished ADD COLUMN redriven_from TEXT;
    ALTER TABLE finished ADD COLUMN prune_at_ms INTEGER;

    DROP INDEX job_ready;
    CREATE INDEX job_ready ON job (lane, run_at_ms, key) WHERE state = 'queued';
    CREATE INDEX job_unique ON job (owner, unique_key) WHERE unique_key IS NOT NULL;
    CREATE INDEX job_batch ON job (batch) WHERE batch IS NOT NULL;
    CREATE INDEX finished_batch ON finished (batch, state) WHERE batch IS NOT NULL;
    CREATE INDEX finished_failed ON finished (key) WHERE state = 'failed';
    -- A week where nobody said otherwise.
    CREATE INDEX finished_prune ON finished (coalesce(prune_at_ms, finished_at_ms + 604800000));

    -- A batch, in the shard that its id leads to. Sealed once all of its jobs are in.
    CREATE TABLE batch (
        batch BLOB PRIMARY KEY,
        owner TEXT NOT NULL,
        callback TEXT,
        jobs INTEGER,
        created_at_ms INTEGER NOT NULL,
        finished_at_ms INTEGER,
        callback_error TEXT,
        callback_key INTEGER,
        callback_tail INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX batch_open ON batch (created_at_ms) WHERE finished_at_ms IS NULL;
    CREATE INDEX batch_finished ON batch (finished_at_ms) WHERE finished_at_ms IS NOT NULL;
";

/// What tells two requests under one batch key apart. NULL in what the version before writes: whatever is sent under such
/// a key is taken for the same request, as it was then.
const BATCH_HASH: &str = "ALTER TABLE batch ADD COLUMN request_hash BLOB";
