-- What was done for whom. Chained like the audit log, and as little changed.
CREATE TABLE usage (
    seq                    INTEGER PRIMARY KEY,
    at                     INTEGER NOT NULL,
    user_id                TEXT NOT NULL,
    service                TEXT NOT NULL,
    endpoint               TEXT NOT NULL,
    job_id                 TEXT,
    audio_duration_seconds REAL NOT NULL DEFAULT 0,
    tokens_used            INTEGER NOT NULL DEFAULT 0,
    cost_usd               REAL NOT NULL DEFAULT 0,
    link_hash              BLOB NOT NULL CHECK (length(link_hash) = 32)
) STRICT;
CREATE INDEX usage_by_user ON usage (user_id, at);
CREATE UNIQUE INDEX usage_by_job ON usage (job_id) WHERE job_id IS NOT NULL;
CREATE TRIGGER usage_is_not_changed BEFORE UPDATE ON usage
BEGIN SELECT RAISE(ABORT, 'the usage log is append-only'); END;
CREATE TRIGGER usage_is_not_deleted BEFORE DELETE ON usage
BEGIN SELECT RAISE(ABORT, 'the usage log is append-only'); END;

-- Requests of an account in a month (2026-11). Counted in memory and written down once a minute.
CREATE TABLE api_calls (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    month   TEXT NOT NULL,
    calls   INTEGER NOT NULL,
    PRIMARY KEY (user_id, month)
) STRICT;

-- By which address a job was asked for.
ALTER TABLE jobs ADD COLUMN endpoint TEXT NOT NULL DEFAULT '/upload';
