CREATE TABLE IF NOT EXISTS ledger_head (
  shard BIGINT NOT NULL PRIMARY KEY,
  epoch BIGINT NOT NULL,
  size BIGINT NOT NULL,
  last_leaf {{.Bytes}} NOT NULL,
  root {{.Bytes}} NOT NULL,
  time_ms BIGINT NOT NULL,
  checkpoint {{.Bytes}},
  checkpoint_size BIGINT NOT NULL
)
--bun:split
CREATE TABLE IF NOT EXISTS ledger_entry (
  shard BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  entry_id TEXT NOT NULL,
  object_key BIGINT NOT NULL,
  leaf {{.Bytes}} NOT NULL,
  header {{.Bytes}} NOT NULL,
  salt {{.Bytes}},
  body {{.Bytes}},
  PRIMARY KEY (shard, seq)
){{.Clustered}}
--bun:split
CREATE UNIQUE INDEX IF NOT EXISTS ledger_entry_id ON ledger_entry (entry_id)
--bun:split
CREATE INDEX IF NOT EXISTS ledger_entry_object ON ledger_entry (object_key)
--bun:split
CREATE TABLE IF NOT EXISTS ledger_leaves (
  shard BIGINT NOT NULL,
  first_seq BIGINT NOT NULL,
  leaves {{.Bytes}} NOT NULL,
  PRIMARY KEY (shard, first_seq)
){{.Clustered}}
--bun:split
CREATE TABLE IF NOT EXISTS ledger_outbox (
  id TEXT NOT NULL PRIMARY KEY,
  created_us BIGINT NOT NULL,
  body {{.Bytes}} NOT NULL,
  salt {{.Bytes}} NOT NULL
)
--bun:split
CREATE INDEX IF NOT EXISTS ledger_outbox_age ON ledger_outbox (created_us, id)
