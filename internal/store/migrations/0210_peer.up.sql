CREATE TABLE IF NOT EXISTS ca_peer (
  id TEXT NOT NULL PRIMARY KEY,
  domain TEXT NOT NULL,
  body TEXT NOT NULL,
  asked_at {{.Time}} NOT NULL,
  state TEXT NOT NULL,
  approval TEXT NOT NULL,
  settled_at {{.Time}},
  ended_by TEXT NOT NULL,
  end_reason TEXT NOT NULL,
  ended_at {{.Time}}
)
--bun:split
CREATE UNIQUE INDEX IF NOT EXISTS ca_peer_proposed ON ca_peer (domain) WHERE state = 'proposed'
--bun:split
CREATE UNIQUE INDEX IF NOT EXISTS ca_peer_in_force ON ca_peer (domain) WHERE state = 'in_force'
--bun:split
CREATE TABLE IF NOT EXISTS ca_peer_system (
  system TEXT NOT NULL PRIMARY KEY,
  domain TEXT NOT NULL
)
--bun:split
CREATE TABLE IF NOT EXISTS ca_peer_list (
  domain TEXT NOT NULL,
  issuer TEXT NOT NULL,
  sm3 TEXT NOT NULL,
  der {{.Bytes}} NOT NULL,
  number TEXT NOT NULL,
  this_update {{.Time}} NOT NULL,
  next_update {{.Time}} NOT NULL,
  taken_at {{.Time}} NOT NULL,
  source TEXT NOT NULL,
  PRIMARY KEY (domain, issuer)
)
--bun:split
CREATE TABLE IF NOT EXISTS exchange_confirmation (
  decision TEXT NOT NULL PRIMARY KEY,
  system TEXT NOT NULL,
  body TEXT NOT NULL
)
