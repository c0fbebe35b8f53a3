CREATE TABLE IF NOT EXISTS ca_closing (
  id TEXT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  body TEXT NOT NULL,
  ends_at {{.Time}},
  asked_at {{.Time}} NOT NULL,
  state TEXT NOT NULL,
  approval TEXT NOT NULL,
  settled_at {{.Time}}
)
--bun:split
CREATE UNIQUE INDEX IF NOT EXISTS ca_closing_open ON ca_closing (state) WHERE state = 'proposed'
--bun:split
CREATE UNIQUE INDEX IF NOT EXISTS ca_closing_announced ON ca_closing (kind) WHERE state = 'in_force' AND kind = 'announcement'
--bun:split
CREATE TABLE IF NOT EXISTS ca_closing_notice (
  announcement TEXT NOT NULL REFERENCES ca_closing (id),
  holder_kind TEXT NOT NULL,
  holder TEXT NOT NULL,
  agency TEXT NOT NULL,
  state TEXT NOT NULL,
  made_at {{.Time}} NOT NULL,
  delivered_at {{.Time}},
  seen_at {{.Time}},
  seen_by TEXT NOT NULL,
  PRIMARY KEY (announcement, holder_kind, holder, agency)
)
