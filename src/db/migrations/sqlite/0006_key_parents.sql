-- The key that made a key: it ends with it.
ALTER TABLE api_keys ADD COLUMN made_by TEXT REFERENCES api_keys (id) ON DELETE SET NULL;
CREATE INDEX api_keys_by_maker ON api_keys (made_by) WHERE made_by IS NOT NULL;
