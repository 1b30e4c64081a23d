-- Times are epoch milliseconds (UTC). Identifiers are UUIDv7 as text.

-- Which database this is: the stores on disk remember whose they are.
CREATE TABLE identity (
    id TEXT NOT NULL
) STRICT;

CREATE TABLE users (
    id          TEXT PRIMARY KEY,
    email       TEXT NOT NULL UNIQUE COLLATE NOCASE,
    role        TEXT NOT NULL CHECK (role IN ('user', 'admin')),
    created_at  INTEGER NOT NULL,
    disabled_at INTEGER
) STRICT;

-- Sessions and sign-in links are found by a keyed hash; the secret itself is nowhere.
CREATE TABLE sessions (
    id_hash      BLOB PRIMARY KEY,
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at   INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    user_agent   TEXT
) STRICT;
CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE sign_in_links (
    token_hash BLOB PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    spent_at   INTEGER
) STRICT;

-- A stored file. Jobs and artifacts point to it; without a reference it is deleted.
CREATE TABLE blobs (
    id          TEXT PRIMARY KEY,
    owner_id    TEXT NOT NULL REFERENCES users (id),
    storage_key TEXT NOT NULL UNIQUE,
    bytes       INTEGER NOT NULL CHECK (bytes >= 0),
    sha256      BLOB NOT NULL CHECK (length(sha256) = 32),
    state       TEXT NOT NULL CHECK (state IN ('stored', 'deleting')),
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE jobs (
    id            TEXT PRIMARY KEY,
    owner_id      TEXT NOT NULL REFERENCES users (id),
    type          TEXT NOT NULL,
    status        TEXT NOT NULL CHECK (status IN
                      ('receiving', 'queued', 'processing', 'done', 'failed', 'cancelled')),
    batch_id      TEXT,
    priority      INTEGER NOT NULL DEFAULT 0,
    metadata      TEXT NOT NULL DEFAULT '{}',
    -- What is asked, what the source is, what was decided and done: JSON, shaped by the type.
    options       TEXT NOT NULL,
    source        TEXT,
    planned       TEXT,
    output        TEXT,
    warnings      TEXT NOT NULL DEFAULT '[]',
    error         TEXT,
    created_at    INTEGER NOT NULL,
    started_at    INTEGER,
    completed_at  INTEGER,
    -- Not claimed before this moment: the pause between two tries.
    run_after     INTEGER NOT NULL DEFAULT 0,
    attempt       INTEGER NOT NULL DEFAULT 0,
    errors        INTEGER NOT NULL DEFAULT 0,
    interruptions INTEGER NOT NULL DEFAULT 0,
    crashes       INTEGER NOT NULL DEFAULT 0,
    -- Was running when a process died without a word: such jobs run one at a time.
    suspect       INTEGER NOT NULL DEFAULT 0 CHECK (suspect IN (0, 1)),
    -- The lease: who works on it, under which token, until when by the clock of which boot.
    lease_owner   TEXT,
    lease_token   TEXT,
    lease_until   INTEGER,
    lease_boot    TEXT
) STRICT;
CREATE INDEX jobs_ready ON jobs (priority DESC, created_at, id) WHERE status = 'queued';
CREATE INDEX jobs_by_owner ON jobs (owner_id, created_at DESC, id DESC);
CREATE INDEX jobs_running ON jobs (suspect) WHERE status = 'processing';

CREATE TABLE job_inputs (
    job_id   TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    blob_id  TEXT NOT NULL REFERENCES blobs (id),
    filename TEXT NOT NULL,
    PRIMARY KEY (job_id, position)
) STRICT;
CREATE INDEX job_inputs_by_blob ON job_inputs (blob_id);

CREATE TABLE artifacts (
    id         TEXT PRIMARY KEY,
    job_id     TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    position   INTEGER NOT NULL,
    blob_id    TEXT NOT NULL REFERENCES blobs (id),
    kind       TEXT NOT NULL,
    name       TEXT NOT NULL,
    mime_type  TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (job_id, position)
) STRICT;
CREATE INDEX artifacts_by_blob ON artifacts (blob_id);
