CREATE TABLE IF NOT EXISTS ca_generation (
  number BIGINT NOT NULL PRIMARY KEY,
  slot TEXT,
  body TEXT NOT NULL,
  signed TEXT NOT NULL,
  state TEXT NOT NULL,
  approval TEXT NOT NULL,
  settled_at {{.Time}},
  current_at {{.Time}},
  retired_at {{.Time}},
  ended_by TEXT NOT NULL,
  end_reason TEXT NOT NULL
)
--bun:split
CREATE UNIQUE INDEX IF NOT EXISTS ca_generation_slot ON ca_generation (slot)
