CREATE TABLE IF NOT EXISTS notify_channel (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  address TEXT NOT NULL,
  unit TEXT NOT NULL,
  kinds TEXT NOT NULL,
  severity BIGINT NOT NULL,
  roots {{.Bytes}},
  secret {{.Bytes}},
  state TEXT NOT NULL,
  made_by TEXT NOT NULL,
  made_at {{.Time}} NOT NULL,
  lease_owner TEXT NOT NULL,
  lease_until_us BIGINT NOT NULL,
  rest_until_us BIGINT NOT NULL,
  failures BIGINT NOT NULL,
  last_error TEXT NOT NULL,
  failed_at {{.Time}},
  sent_at {{.Time}}
)
--bun:split
CREATE TABLE IF NOT EXISTS notify_notice (
  id TEXT NOT NULL PRIMARY KEY,
  made_us BIGINT NOT NULL,
  spread BIGINT NOT NULL,
  kind TEXT NOT NULL,
  severity BIGINT NOT NULL,
  unit TEXT NOT NULL,
  system TEXT NOT NULL,
  object_kind TEXT NOT NULL,
  object_id TEXT NOT NULL,
  happened_at {{.Time}} NOT NULL,
  details TEXT NOT NULL
)
--bun:split
CREATE INDEX IF NOT EXISTS notify_notice_fresh ON notify_notice (made_us) WHERE spread = 0
--bun:split
CREATE INDEX IF NOT EXISTS notify_notice_made ON notify_notice (made_us)
--bun:split
CREATE TABLE IF NOT EXISTS notify_delivery (
  channel TEXT NOT NULL REFERENCES notify_channel (id),
  notice TEXT NOT NULL REFERENCES notify_notice (id),
  made_us BIGINT NOT NULL,
  state TEXT NOT NULL,
  due_us BIGINT NOT NULL,
  attempts BIGINT NOT NULL,
  last_error TEXT NOT NULL,
  sent_at {{.Time}},
  PRIMARY KEY (channel, notice)
)
--bun:split
CREATE INDEX IF NOT EXISTS notify_delivery_open ON notify_delivery (channel, due_us) WHERE state = 'queued'
--bun:split
CREATE INDEX IF NOT EXISTS notify_delivery_notice ON notify_delivery (notice)
