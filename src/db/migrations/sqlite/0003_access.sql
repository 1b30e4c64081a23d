-- Keys of scripts. The key itself is nowhere: SHA-256 of 256 random bits needs no salt.
CREATE TABLE api_keys (
    id           TEXT PRIMARY KEY,
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    prefix       TEXT NOT NULL,
    key_hash     BLOB NOT NULL UNIQUE CHECK (length(key_hash) = 32),
    name         TEXT NOT NULL,
    -- Words of auth::Scope, separated by spaces.
    scopes       TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    revoked_at   INTEGER,
    last_used_at INTEGER,
    uses         INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX api_keys_by_user ON api_keys (user_id, created_at DESC);

-- Who did what, from where, how it ended. Each row holds the hash of the one before it, so that none
-- can be changed or left out unseen; nothing is ever changed or deleted by us.
CREATE TABLE audit (
    seq       INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL,
    actor     TEXT,
    method    TEXT NOT NULL,
    address   TEXT,
    action    TEXT NOT NULL,
    target    TEXT,
    outcome   TEXT NOT NULL CHECK (outcome IN ('done', 'refused', 'failed')),
    detail    TEXT NOT NULL DEFAULT '{}',
    link_hash BLOB NOT NULL CHECK (length(link_hash) = 32)
) STRICT;
CREATE INDEX audit_by_actor ON audit (actor, seq DESC);
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
