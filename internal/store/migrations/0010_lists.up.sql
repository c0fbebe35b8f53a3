CREATE INDEX IF NOT EXISTS ca_certificate_revoked ON ca_certificate (issuer, serial) WHERE revoked_at IS NOT NULL
--bun:split
CREATE TABLE IF NOT EXISTS ca_crl (
  issuer TEXT NOT NULL,
  shard TEXT NOT NULL,
  number BIGINT NOT NULL,
  base BIGINT NOT NULL,
  this_update {{.Time}} NOT NULL,
  next_update {{.Time}} NOT NULL,
  entries BIGINT NOT NULL,
  tbs_sm3 TEXT NOT NULL,
  tbs {{.Bytes}},
  der {{.Bytes}},
  state TEXT NOT NULL,
  PRIMARY KEY (issuer, shard, number)
)
