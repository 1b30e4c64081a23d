-- What an account is beside its e-mail.
ALTER TABLE users ADD COLUMN password_hash TEXT;
ALTER TABLE users ADD COLUMN first_name TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN last_name TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN company TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN plan TEXT NOT NULL DEFAULT 'free';
-- 0: a stranger registered with this e-mail, and nobody has shown that it is theirs.
ALTER TABLE users ADD COLUMN proven INTEGER NOT NULL DEFAULT 1 CHECK (proven IN (0, 1));

-- People as an identity provider knows them: its name, and the subject it never gives to another.
CREATE TABLE identities (
    issuer     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (issuer, subject)
) STRICT;
CREATE INDEX identities_by_user ON identities (user_id);

-- The id by which a session is listed and ended; it opens nothing.
ALTER TABLE sessions ADD COLUMN id TEXT;
ALTER TABLE sessions ADD COLUMN origin TEXT NOT NULL DEFAULT 'link'
    CHECK (origin IN ('link', 'password', 'form'));
ALTER TABLE sessions ADD COLUMN address TEXT;
UPDATE sessions SET id = lower(hex(randomblob(16)));
CREATE UNIQUE INDEX sessions_by_id ON sessions (id);

-- Own tokens that descend from one sign-in. Only the newest refresh token is good; an older one that
-- comes back has been stolen, and ends the family.
CREATE TABLE token_families (
    id         TEXT PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    refresh_id TEXT NOT NULL,
    revoked_at INTEGER
) STRICT;
CREATE INDEX token_families_by_user ON token_families (user_id);
