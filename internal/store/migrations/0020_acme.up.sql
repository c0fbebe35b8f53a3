CREATE TABLE IF NOT EXISTS acme_key (
  id TEXT NOT NULL PRIMARY KEY,
  system TEXT NOT NULL,
  agency TEXT NOT NULL,
  request TEXT NOT NULL,
  hmac {{.Bytes}},
  state TEXT NOT NULL,
  open_system TEXT,
  account TEXT NOT NULL,
  created_at {{.Time}},
  expires_at {{.Time}},
  bound_at {{.Time}}
)
--bun:split
CREATE UNIQUE INDEX IF NOT EXISTS acme_key_request ON acme_key (request)
--bun:split
CREATE UNIQUE INDEX IF NOT EXISTS acme_key_open ON acme_key (open_system)
--bun:split
CREATE TABLE IF NOT EXISTS acme_account (
  id TEXT NOT NULL PRIMARY KEY,
  thumbprint TEXT NOT NULL,
  jwk {{.Bytes}} NOT NULL,
  contact TEXT NOT NULL,
  status TEXT NOT NULL,
  location TEXT NOT NULL,
  key_id TEXT NOT NULL REFERENCES acme_key (id),
  system TEXT NOT NULL,
  agency TEXT NOT NULL,
  request TEXT NOT NULL,
  created_at {{.Time}}
)
--bun:split
CREATE UNIQUE INDEX IF NOT EXISTS acme_account_thumbprint ON acme_account (thumbprint)
--bun:split
CREATE TABLE IF NOT EXISTS acme_order (
  id TEXT NOT NULL PRIMARY KEY,
  account TEXT NOT NULL REFERENCES acme_account (id),
  status TEXT NOT NULL,
  hosts TEXT NOT NULL,
  authorizations TEXT NOT NULL,
  not_before {{.Time}},
  not_after {{.Time}},
  expires_at {{.Time}},
  certificate TEXT,
  problem {{.Bytes}},
  claimed_until_us BIGINT NOT NULL,
  created_at {{.Time}}
)
--bun:split
CREATE INDEX IF NOT EXISTS acme_order_account ON acme_order (account, status)
--bun:split
CREATE UNIQUE INDEX IF NOT EXISTS acme_order_certificate ON acme_order (certificate)
--bun:split
CREATE TABLE IF NOT EXISTS acme_authorization (
  id TEXT NOT NULL PRIMARY KEY,
  account TEXT NOT NULL REFERENCES acme_account (id),
  host TEXT NOT NULL,
  token TEXT NOT NULL,
  status TEXT NOT NULL,
  expires_at {{.Time}}
)
--bun:split
CREATE TABLE IF NOT EXISTS acme_challenge (
  id TEXT NOT NULL PRIMARY KEY,
  authorization_id TEXT NOT NULL REFERENCES acme_authorization (id),
  account TEXT NOT NULL,
  host TEXT NOT NULL,
  type TEXT NOT NULL,
  token TEXT NOT NULL,
  status TEXT NOT NULL,
  validated TEXT NOT NULL,
  problem {{.Bytes}}
)
--bun:split
CREATE INDEX IF NOT EXISTS acme_challenge_authorization ON acme_challenge (authorization_id)
--bun:split
CREATE TABLE IF NOT EXISTS acme_nonce (
  id TEXT NOT NULL PRIMARY KEY,
  expires_us BIGINT NOT NULL
)
--bun:split
CREATE INDEX IF NOT EXISTS acme_nonce_expires ON acme_nonce (expires_us)
