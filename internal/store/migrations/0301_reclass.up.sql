CREATE TABLE IF NOT EXISTS reclass_act (
  id TEXT NOT NULL PRIMARY KEY,
  provider TEXT NOT NULL,
  resource TEXT NOT NULL REFERENCES sharing_resource (id),
  body TEXT NOT NULL,
  asked_at {{.Time}} NOT NULL,
  state TEXT NOT NULL,
  approval TEXT NOT NULL,
  settled_at {{.Time}},
  ended_by TEXT NOT NULL,
  end_reason TEXT NOT NULL
)
--bun:split
CREATE INDEX IF NOT EXISTS reclass_act_provider ON reclass_act (provider)
--bun:split
CREATE TABLE IF NOT EXISTS reclass_notice (
  id TEXT NOT NULL PRIMARY KEY,
  act TEXT NOT NULL REFERENCES reclass_act (id),
  holding TEXT NOT NULL,
  system TEXT NOT NULL,
  agency TEXT NOT NULL,
  kind TEXT NOT NULL,
  labels TEXT NOT NULL,
  due {{.Time}} NOT NULL,
  done_at {{.Time}},
  done_by TEXT NOT NULL,
  evidence TEXT NOT NULL,
  note TEXT NOT NULL
)
--bun:split
CREATE INDEX IF NOT EXISTS reclass_notice_agency ON reclass_notice (agency)
--bun:split
CREATE INDEX IF NOT EXISTS reclass_notice_act ON reclass_notice (act)
