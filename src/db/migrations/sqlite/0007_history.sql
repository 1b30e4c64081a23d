-- Lists of a million rows, in the order in which they are shown.
DROP INDEX jobs_by_owner;
CREATE INDEX jobs_by_owner ON jobs (owner_id, id DESC);
CREATE INDEX jobs_by_owner_and_status ON jobs (owner_id, status, id DESC);
-- An owner's own line.
DROP INDEX jobs_ready;
CREATE INDEX jobs_ready ON jobs (owner_id, priority DESC, created_at, id) WHERE status = 'queued';
CREATE INDEX blobs_doomed ON blobs (storage_key) WHERE state = 'deleting';

-- Every change of a job's state has a number, larger than those before it: who has seen one can ask
-- for what came after.
CREATE TABLE changes (
    last INTEGER NOT NULL
) STRICT;
INSERT INTO changes (last) VALUES (0);
ALTER TABLE jobs ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;
CREATE INDEX jobs_by_change ON jobs (owner_id, changed);

-- How many jobs an owner has in each state, and since when nobody has worked for them: kept by the
-- statement that changes a job, whichever it is.
CREATE TABLE job_counts (
    owner_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    status   TEXT NOT NULL,
    jobs     INTEGER NOT NULL,
    PRIMARY KEY (owner_id, status)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_counts_waiting ON job_counts (owner_id) WHERE status = 'queued' AND jobs > 0;
INSERT INTO job_counts (owner_id, status, jobs)
    SELECT owner_id, status, count(*) FROM jobs GROUP BY owner_id, status;
CREATE TRIGGER jobs_counted_in AFTER INSERT ON jobs
BEGIN
    UPDATE changes SET last = last + 1;
    UPDATE jobs SET changed = (SELECT last FROM changes) WHERE id = NEW.id;
    INSERT INTO job_counts (owner_id, status, jobs) VALUES (NEW.owner_id, NEW.status, 1)
        ON CONFLICT (owner_id, status) DO UPDATE SET jobs = jobs + 1;
END;
CREATE TRIGGER jobs_counted_over AFTER UPDATE OF status ON jobs WHEN OLD.status <> NEW.status
BEGIN
    UPDATE changes SET last = last + 1;
    UPDATE jobs SET changed = (SELECT last FROM changes) WHERE id = NEW.id;
    UPDATE job_counts SET jobs = jobs - 1 WHERE owner_id = OLD.owner_id AND status = OLD.status;
    INSERT INTO job_counts (owner_id, status, jobs) VALUES (NEW.owner_id, NEW.status, 1)
        ON CONFLICT (owner_id, status) DO UPDATE SET jobs = jobs + 1;
END;
CREATE TRIGGER jobs_counted_out AFTER DELETE ON jobs
BEGIN
    UPDATE changes SET last = last + 1;
    UPDATE job_counts SET jobs = jobs - 1 WHERE owner_id = OLD.owner_id AND status = OLD.status;
END;

-- How many bytes an owner has here, kept in the same way.
CREATE TABLE stored_bytes (
    owner_id TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    bytes    INTEGER NOT NULL
) STRICT;
INSERT INTO stored_bytes (owner_id, bytes)
    SELECT owner_id, sum(bytes) FROM blobs WHERE state = 'stored' GROUP BY owner_id;
CREATE TRIGGER blobs_counted_in AFTER INSERT ON blobs WHEN NEW.state = 'stored'
BEGIN
    INSERT INTO stored_bytes (owner_id, bytes) VALUES (NEW.owner_id, NEW.bytes)
        ON CONFLICT (owner_id) DO UPDATE SET bytes = bytes + NEW.bytes;
END;
CREATE TRIGGER blobs_counted_out AFTER UPDATE OF state ON blobs
WHEN OLD.state = 'stored' AND NEW.state <> 'stored'
BEGIN
    UPDATE stored_bytes SET bytes = bytes - OLD.bytes WHERE owner_id = OLD.owner_id;
END;
CREATE TRIGGER blobs_counted_gone AFTER DELETE ON blobs WHEN OLD.state = 'stored'
BEGIN
    UPDATE stored_bytes SET bytes = bytes - OLD.bytes WHERE owner_id = OLD.owner_id;
END;

-- When an owner's turn was last.
CREATE TABLE turns (
    owner_id TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    turn     INTEGER NOT NULL
) STRICT;

-- What a client asked for under a key of its own, and what it was told: asked again, it is told the
-- same (draft-ietf-httpapi-idempotency-key-header).
CREATE TABLE idempotency_keys (
    owner_id     TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    key          TEXT NOT NULL,
    request_hash BLOB NOT NULL CHECK (length(request_hash) = 32),
    job_id       TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (owner_id, key)
) STRICT;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- What happened to a job, for its owner.
CREATE TABLE job_logs (
    job_id  TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    seq     INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    level   TEXT NOT NULL CHECK (level IN ('info', 'warning', 'error')),
    message TEXT NOT NULL,
    details TEXT NOT NULL DEFAULT '{}',
    PRIMARY KEY (job_id, seq)
) STRICT, WITHOUT ROWID;
