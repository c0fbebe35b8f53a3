CREATE TABLE IF NOT EXISTS sharing_violation (
  id TEXT NOT NULL PRIMARY KEY,
  unit TEXT NOT NULL,
  provider TEXT NOT NULL,
  resource TEXT NOT NULL,
  recorder TEXT NOT NULL,
  state TEXT NOT NULL,
  body TEXT NOT NULL,
  recorded_at {{.Time}} NOT NULL
)
--bun:split
CREATE INDEX IF NOT EXISTS sharing_violation_unit ON sharing_violation (unit, state)
--bun:split
CREATE INDEX IF NOT EXISTS sharing_violation_recorder ON sharing_violation (recorder)
