CREATE TABLE IF NOT EXISTS acme_text (
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  system TEXT NOT NULL,
  expires_us BIGINT NOT NULL,
  PRIMARY KEY (name, value)
)
--bun:split
CREATE TABLE IF NOT EXISTS acme_text_secret (
  key_id TEXT NOT NULL PRIMARY KEY REFERENCES acme_key (id),
  hash TEXT NOT NULL
)
--bun:split
-- Open keys of before stand in clear; their systems are given new ones.
DELETE FROM acme_key WHERE state = 'open' AND id NOT IN (SELECT key_id FROM acme_text_secret)
