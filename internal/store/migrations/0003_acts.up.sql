CREATE TABLE IF NOT EXISTS approval (
  subject_kind TEXT NOT NULL,
  subject_id TEXT NOT NULL,
  id TEXT NOT NULL,
  digest TEXT NOT NULL,
  unit TEXT NOT NULL,
  requester TEXT NOT NULL,
  approved BOOLEAN NOT NULL,
  reason TEXT NOT NULL,
  approver TEXT NOT NULL,
  role TEXT NOT NULL,
  decided_at {{.Time}},
  cert_der {{.Bytes}},
  signature {{.Bytes}},
  PRIMARY KEY (subject_kind, subject_id)
)
--bun:split
CREATE UNIQUE INDEX IF NOT EXISTS approval_id ON approval (id)
--bun:split
CREATE TABLE IF NOT EXISTS ca_request (
  id TEXT NOT NULL PRIMARY KEY,
  agency TEXT NOT NULL,
  system TEXT NOT NULL,
  common_name TEXT NOT NULL,
  organization TEXT NOT NULL,
  hosts TEXT NOT NULL,
  submitted_by TEXT NOT NULL,
  state TEXT NOT NULL,
  decided_by TEXT NOT NULL,
  approval TEXT NOT NULL,
  reason TEXT NOT NULL,
  token_hash TEXT,
  token_expires {{.Time}},
  token_used {{.Time}},
  created_at {{.Time}}
)
--bun:split
CREATE UNIQUE INDEX IF NOT EXISTS ca_request_token ON ca_request (token_hash)
--bun:split
CREATE TABLE IF NOT EXISTS ca_certificate (
  issuer TEXT NOT NULL,
  serial TEXT NOT NULL,
  kind TEXT NOT NULL,
  pair TEXT NOT NULL,
  agency TEXT NOT NULL,
  system TEXT NOT NULL,
  person TEXT NOT NULL,
  request TEXT NOT NULL,
  subject TEXT NOT NULL,
  tbs_sm3 TEXT NOT NULL,
  tbs {{.Bytes}},
  der {{.Bytes}},
  state TEXT NOT NULL,
  reason BIGINT NOT NULL,
  not_before {{.Time}},
  not_after {{.Time}},
  revoked_at {{.Time}},
  created_at {{.Time}},
  PRIMARY KEY (issuer, serial)
)
--bun:split
CREATE INDEX IF NOT EXISTS ca_certificate_system ON ca_certificate (system)
--bun:split
CREATE TABLE IF NOT EXISTS ca_escrowed_key (
  pair TEXT NOT NULL PRIMARY KEY,
  wrapped {{.Bytes}} NOT NULL,
  kek TEXT NOT NULL,
  public_sm3 TEXT NOT NULL,
  created_at {{.Time}}
)
--bun:split
CREATE TABLE IF NOT EXISTS ca_used_token (
  id TEXT NOT NULL PRIMARY KEY,
  expires_at {{.Time}}
)
--bun:split
CREATE TABLE IF NOT EXISTS seal (
  id TEXT NOT NULL PRIMARY KEY,
  unit TEXT NOT NULL,
  name TEXT NOT NULL,
  der {{.Bytes}},
  cert_der {{.Bytes}},
  key_id TEXT NOT NULL,
  state TEXT NOT NULL,
  valid_from {{.Time}},
  valid_until {{.Time}},
  drawn BOOLEAN NOT NULL,
  created_at {{.Time}}
)
--bun:split
CREATE INDEX IF NOT EXISTS seal_unit ON seal (unit)
--bun:split
CREATE TABLE IF NOT EXISTS seal_use (
  id TEXT NOT NULL PRIMARY KEY,
  seal TEXT NOT NULL REFERENCES seal (id),
  document TEXT NOT NULL,
  title TEXT NOT NULL,
  requester TEXT NOT NULL,
  state TEXT NOT NULL,
  approval TEXT NOT NULL,
  sealed TEXT NOT NULL,
  created_at {{.Time}},
  sealed_at {{.Time}}
)
--bun:split
CREATE TABLE IF NOT EXISTS transfer (
  id TEXT NOT NULL PRIMARY KEY,
  from_system TEXT NOT NULL,
  to_system TEXT NOT NULL,
  sender TEXT NOT NULL,
  receiver TEXT NOT NULL,
  resource TEXT NOT NULL,
  agreement TEXT NOT NULL,
  purpose TEXT NOT NULL,
  label_level BIGINT NOT NULL,
  label_s BIGINT NOT NULL,
  label_a BIGINT NOT NULL,
  label_tags TEXT NOT NULL,
  name TEXT NOT NULL,
  document TEXT NOT NULL,
  envelope_sm3 TEXT NOT NULL,
  blob TEXT NOT NULL,
  decision TEXT NOT NULL,
  holding TEXT NOT NULL,
  state TEXT NOT NULL,
  sent_at {{.Time}},
  fetched_at {{.Time}},
  received_at {{.Time}},
  receipt_sig {{.Bytes}}
)
--bun:split
CREATE INDEX IF NOT EXISTS transfer_inbox ON transfer (to_system)
--bun:split
CREATE TABLE IF NOT EXISTS signin_link (
  hash TEXT NOT NULL PRIMARY KEY,
  person TEXT NOT NULL,
  purpose TEXT NOT NULL,
  expires_at {{.Time}},
  used_at {{.Time}}
)
--bun:split
CREATE TABLE IF NOT EXISTS signin_session (
  hash TEXT NOT NULL PRIMARY KEY,
  person TEXT NOT NULL,
  expires_at {{.Time}},
  ended_at {{.Time}}
)
