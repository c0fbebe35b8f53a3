CREATE TABLE IF NOT EXISTS ca_enrolment (
  request TEXT NOT NULL PRIMARY KEY REFERENCES ca_request (id),
  purpose TEXT NOT NULL,
  batch TEXT NOT NULL,
  open_key TEXT
)
--bun:split
CREATE UNIQUE INDEX IF NOT EXISTS ca_enrolment_open ON ca_enrolment (open_key)
--bun:split
CREATE TABLE IF NOT EXISTS ca_review (
  request TEXT NOT NULL PRIMARY KEY REFERENCES ca_request (id),
  reviewed_by TEXT NOT NULL,
  reviewed_at {{.Time}} NOT NULL,
  evidence TEXT NOT NULL
)
--bun:split
CREATE INDEX IF NOT EXISTS ca_request_created ON ca_request (created_at, id)
