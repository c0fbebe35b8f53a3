CREATE TABLE IF NOT EXISTS ca_delivery (
  basis TEXT NOT NULL PRIMARY KEY,
  claimed_until_us BIGINT NOT NULL,
  csr_sm3 TEXT NOT NULL,
  issuer TEXT NOT NULL,
  sign_serial TEXT,
  enc_serial TEXT NOT NULL,
  renews TEXT NOT NULL,
  envelope {{.Bytes}},
  created_at {{.Time}}
)
--bun:split
CREATE UNIQUE INDEX IF NOT EXISTS ca_delivery_sign ON ca_delivery (issuer, sign_serial)
--bun:split
CREATE TABLE IF NOT EXISTS ca_suspension (
  id TEXT NOT NULL PRIMARY KEY,
  issuer TEXT NOT NULL,
  serial TEXT NOT NULL,
  pair TEXT NOT NULL,
  system TEXT NOT NULL,
  state TEXT NOT NULL,
  held_by TEXT NOT NULL,
  reason TEXT NOT NULL,
  held_at {{.Time}} NOT NULL,
  asks BIGINT NOT NULL,
  asked_by TEXT NOT NULL,
  why TEXT NOT NULL,
  answered_by TEXT NOT NULL,
  approval TEXT NOT NULL,
  refusal TEXT NOT NULL,
  answered_at {{.Time}},
  FOREIGN KEY (issuer, serial) REFERENCES ca_certificate (issuer, serial)
)
--bun:split
CREATE INDEX IF NOT EXISTS ca_suspension_system ON ca_suspension (system)
--bun:split
CREATE INDEX IF NOT EXISTS ca_suspension_asked ON ca_suspension (id) WHERE state = 'asked'
