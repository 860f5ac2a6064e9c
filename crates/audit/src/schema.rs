//! The tables, as migrations.

use flowork_sqlite::Schema;

pub(crate) static SCHEMA: Schema = Schema { name: "audit", migrations: &[FIRST, SEEN_TIME] };

/// The triggers are no protection from somebody who writes the file; they keep our own code honest. Only what the tip
/// says is cut can be deleted.
const FIRST: &str = "
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY CHECK (seq > 0),
    at_ms INTEGER NOT NULL,
    status INTEGER,
    actor_kind TEXT NOT NULL,
    actor_subject TEXT,
    ip TEXT,
    method TEXT,
    route TEXT,
    action TEXT NOT NULL,
    object TEXT,
    outcome TEXT NOT NULL,
    code TEXT,
    trace_id TEXT,
    detail TEXT CHECK (length(CAST(detail AS BLOB)) <= 4096),
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE TABLE heads (
    number INTEGER PRIMARY KEY CHECK (number > 0),
    day TEXT NOT NULL,
    last_seq INTEGER NOT NULL,
    count INTEGER NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    signer TEXT NOT NULL,
    signature BLOB NOT NULL,
    mac BLOB NOT NULL CHECK (length(mac) = 32)
) STRICT;

-- One row: where the chain ends, where it begins, and the signed checkpoint at its beginning.
CREATE TABLE tip (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL,
    hash BLOB NOT NULL,
    count INTEGER NOT NULL,
    heads INTEGER NOT NULL,
    head_seq INTEGER NOT NULL,
    head_mac BLOB NOT NULL,
    cut_seq INTEGER NOT NULL,
    cut_hash BLOB NOT NULL,
    cut_at_ms INTEGER,
    cut_signer TEXT,
    cut_signature BLOB,
    mac BLOB NOT NULL
) STRICT;

CREATE TRIGGER entries_never_change BEFORE UPDATE ON entries
BEGIN
    SELECT RAISE(ABORT, 'entries of the audit log never change');
END;
CREATE TRIGGER entries_stay BEFORE DELETE ON entries
WHEN OLD.seq > coalesce((SELECT cut_seq FROM tip), 0)
BEGIN
    SELECT RAISE(ABORT, 'entries of the audit log stay until a checkpoint is signed');
END;
CREATE TRIGGER heads_never_change BEFORE UPDATE ON heads
BEGIN
    SELECT RAISE(ABORT, 'heads of the audit log never change');
END;
CREATE TRIGGER heads_stay BEFORE DELETE ON heads
BEGIN
    SELECT RAISE(ABORT, 'heads of the audit log stay');
END;
CREATE TRIGGER tip_stays BEFORE DELETE ON tip
BEGIN
    SELECT RAISE(ABORT, 'the tip of the audit log stays');
END;
";

/// What the keeper believes of the clock. Under a hash of its own: it says what may be cut.
const SEEN_TIME: &str = "
CREATE TABLE seen_time (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    believed_ms INTEGER,
    seen_ms INTEGER NOT NULL,
    ran_ms INTEGER NOT NULL,
    mac BLOB NOT NULL CHECK (length(mac) = 32)
) STRICT;
";
