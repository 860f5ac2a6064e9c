-- What version 2 added to the tables of version 1, as it was released. Never edit: files of this form are out there.
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
PRAGMA user_version = 2;
