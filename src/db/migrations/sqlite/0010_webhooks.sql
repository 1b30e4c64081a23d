-- Who is told of ended jobs: by an account's own addresses, or by one that a job names.
CREATE TABLE webhooks (
    id          TEXT PRIMARY KEY,
    owner_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    url         TEXT NOT NULL,
    -- Words of a job's end, separated by spaces.
    events      TEXT NOT NULL,
    -- What is sent, as JSON with places to fill in; our own document where there is none.
    template    TEXT,
    created_at  INTEGER NOT NULL,
    disabled_at INTEGER
) STRICT;
CREATE INDEX webhooks_by_owner ON webhooks (owner_id);
CREATE TABLE webhook_secrets (
    owner_id TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    secret   BLOB NOT NULL CHECK (length(secret) = 32)
) STRICT;
ALTER TABLE jobs ADD COLUMN webhook TEXT;

-- What is to be sent, entered by the statement that ends a job.
CREATE TABLE deliveries (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    owner_id   TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    webhook_id TEXT REFERENCES webhooks (id) ON DELETE CASCADE,
    job_id     TEXT NOT NULL,
    event      TEXT NOT NULL CHECK (event IN ('done', 'failed', 'cancelled')),
    url        TEXT NOT NULL,
    template   TEXT,
    status     TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'failed')),
    attempts   INTEGER NOT NULL DEFAULT 0,
    next_at    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    ended_at   INTEGER,
    answer     INTEGER,
    problem    TEXT
) STRICT;
CREATE INDEX deliveries_due ON deliveries (next_at) WHERE status = 'pending';
CREATE INDEX deliveries_by_owner ON deliveries (owner_id, id DESC);
CREATE TRIGGER jobs_told_of AFTER UPDATE OF status ON jobs
WHEN NEW.status IN ('done', 'failed', 'cancelled') AND OLD.status <> NEW.status
BEGIN
    INSERT INTO deliveries (owner_id, webhook_id, job_id, event, url, template, next_at, created_at)
        SELECT NEW.owner_id, id, NEW.id, NEW.status, url, template, NEW.completed_at, NEW.completed_at
        FROM webhooks WHERE owner_id = NEW.owner_id AND disabled_at IS NULL
        AND ' ' || events || ' ' LIKE '% ' || NEW.status || ' %';
    INSERT INTO deliveries (owner_id, job_id, event, url, template, next_at, created_at)
        SELECT NEW.owner_id, NEW.id, NEW.status, json_extract(NEW.webhook, '$.url'),
        json_extract(NEW.webhook, '$.template'), NEW.completed_at, NEW.completed_at
        WHERE NEW.webhook IS NOT NULL;
END;
