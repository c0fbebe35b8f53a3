CREATE TABLE IF NOT EXISTS ca_retention (
  id TEXT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  body TEXT NOT NULL,
  asked_at {{.Time}} NOT NULL,
  state TEXT NOT NULL,
  approval TEXT NOT NULL,
  settled_at {{.Time}}
)
--bun:split
CREATE UNIQUE INDEX IF NOT EXISTS ca_retention_open ON ca_retention (state) WHERE state = 'proposed'
--bun:split
CREATE TABLE IF NOT EXISTS ca_legal_hold (
  id TEXT NOT NULL PRIMARY KEY,
  body TEXT NOT NULL,
  placed_at {{.Time}} NOT NULL,
  lifted_at {{.Time}}
)
--bun:split
CREATE TABLE IF NOT EXISTS ca_purged (
  class TEXT NOT NULL,
  id TEXT NOT NULL,
  purge TEXT NOT NULL REFERENCES ca_retention (id),
  body_sm3 TEXT NOT NULL,
  PRIMARY KEY (class, id)
)
