CREATE TABLE IF NOT EXISTS ca_anchor (
  id TEXT NOT NULL PRIMARY KEY,
  sm3 TEXT NOT NULL,
  body TEXT NOT NULL,
  asked_at {{.Time}} NOT NULL,
  state TEXT NOT NULL,
  approval TEXT NOT NULL,
  settled_at {{.Time}},
  ended_by TEXT NOT NULL,
  end_reason TEXT NOT NULL,
  ended_at {{.Time}}
)
--bun:split
CREATE UNIQUE INDEX IF NOT EXISTS ca_anchor_open ON ca_anchor (sm3) WHERE state IN ('proposed', 'in_force')
