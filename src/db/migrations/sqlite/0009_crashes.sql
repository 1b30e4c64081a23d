-- Content at which the process died by a fatal signal of the thread that read it, and how often, with
-- which libraries: others may read it.
CREATE TABLE crashes (
    sha256  BLOB NOT NULL CHECK (length(sha256) = 32),
    engine  TEXT NOT NULL,
    crashes INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (sha256, engine)
) STRICT, WITHOUT ROWID;
