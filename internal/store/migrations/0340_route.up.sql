CREATE TABLE IF NOT EXISTS route (
  id TEXT NOT NULL PRIMARY KEY,
  system TEXT NOT NULL,
  unit TEXT NOT NULL,
  prefix TEXT NOT NULL,
  methods TEXT NOT NULL,
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
CREATE UNIQUE INDEX IF NOT EXISTS route_open ON route (system, prefix, methods) WHERE state IN ('proposed', 'in_force')
--bun:split
CREATE INDEX IF NOT EXISTS route_unit ON route (unit, asked_at)
