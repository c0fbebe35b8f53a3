CREATE TABLE IF NOT EXISTS approval_vote (
  subject_kind TEXT NOT NULL,
  subject_id TEXT NOT NULL,
  digest TEXT NOT NULL,
  approver TEXT NOT NULL,
  id TEXT NOT NULL,
  unit TEXT NOT NULL,
  requester TEXT NOT NULL,
  approved BOOLEAN NOT NULL,
  reason TEXT NOT NULL,
  role TEXT NOT NULL,
  decided_at {{.Time}},
  cert_der {{.Bytes}},
  signature {{.Bytes}},
  PRIMARY KEY (subject_kind, subject_id, digest, approver)
)
--bun:split
CREATE TABLE IF NOT EXISTS kmc_pool (
  id TEXT NOT NULL PRIMARY KEY,
  wrapped {{.Bytes}} NOT NULL,
  kek TEXT NOT NULL,
  public_sm3 TEXT NOT NULL,
  created_at {{.Time}}
)
--bun:split
CREATE INDEX IF NOT EXISTS ca_escrowed_key_kek ON ca_escrowed_key (kek, pair)
--bun:split
CREATE TABLE IF NOT EXISTS kmc_recovery (
  id TEXT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  pair TEXT NOT NULL REFERENCES ca_escrowed_key (pair),
  public_sm3 TEXT NOT NULL,
  agency TEXT NOT NULL,
  system TEXT NOT NULL,
  encryption_issuer TEXT NOT NULL,
  encryption_serial TEXT NOT NULL,
  receiver_cert {{.Bytes}} NOT NULL,
  document TEXT NOT NULL,
  authority TEXT NOT NULL,
  scan_sm3 TEXT NOT NULL,
  reason TEXT NOT NULL,
  need BIGINT NOT NULL,
  asked_by TEXT NOT NULL,
  asked_at {{.Time}},
  lapses_at {{.Time}},
  state TEXT NOT NULL,
  checked TEXT NOT NULL,
  approvals TEXT NOT NULL,
  refusal TEXT NOT NULL,
  settled_at {{.Time}},
  delivered_at {{.Time}},
  envelope_sm3 TEXT NOT NULL
)
--bun:split
CREATE INDEX IF NOT EXISTS kmc_recovery_pair ON kmc_recovery (pair)
--bun:split
CREATE INDEX IF NOT EXISTS kmc_recovery_state ON kmc_recovery (state)
--bun:split
CREATE INDEX IF NOT EXISTS kmc_recovery_agency ON kmc_recovery (agency)
