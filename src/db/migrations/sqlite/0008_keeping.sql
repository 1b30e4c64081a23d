-- By how much what is kept has aged, in milliseconds: a clock of our own, which goes on while the
-- machine runs and is moved by no jump of the system's clock.
CREATE TABLE ageing (
    age          INTEGER NOT NULL,
    wall_at      INTEGER NOT NULL,
    boot         TEXT NOT NULL,
    monotonic_at INTEGER NOT NULL
) STRICT;

-- When a job was first seen to have ended, on that clock.
ALTER TABLE jobs ADD COLUMN kept_since INTEGER;
CREATE INDEX jobs_just_ended ON jobs (id)
    WHERE kept_since IS NULL AND status IN ('done', 'failed', 'cancelled');
CREATE INDEX jobs_kept ON jobs (kept_since, id) WHERE kept_since IS NOT NULL;
