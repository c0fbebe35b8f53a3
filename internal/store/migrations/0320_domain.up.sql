CREATE TABLE IF NOT EXISTS authz_domain_version (
  id TEXT NOT NULL PRIMARY KEY,
  domain TEXT NOT NULL,
  name TEXT NOT NULL,
  digest TEXT NOT NULL,
  system TEXT NOT NULL,
  unit TEXT NOT NULL,
  types TEXT NOT NULL,
  passed BIGINT NOT NULL,
  again TEXT NOT NULL,
  follows TEXT NOT NULL,
  asked_by TEXT NOT NULL,
  asked_at {{.Time}} NOT NULL,
  state TEXT NOT NULL,
  approval TEXT NOT NULL,
  settled_at {{.Time}},
  ended_by TEXT NOT NULL,
  end_reason TEXT NOT NULL,
  ended_at {{.Time}}
)
--bun:split
CREATE UNIQUE INDEX IF NOT EXISTS authz_domain_proposed ON authz_domain_version (domain) WHERE state = 'proposed'
--bun:split
CREATE UNIQUE INDEX IF NOT EXISTS authz_domain_in_force ON authz_domain_version (domain) WHERE state = 'in_force'
--bun:split
CREATE INDEX IF NOT EXISTS authz_domain_unit ON authz_domain_version (unit, asked_at)
--bun:split
CREATE TABLE IF NOT EXISTS authz_domain (
  domain TEXT NOT NULL PRIMARY KEY,
  system TEXT NOT NULL
)
--bun:split
CREATE TABLE IF NOT EXISTS authz_domain_bundle (
  digest TEXT NOT NULL PRIMARY KEY,
  body TEXT NOT NULL
)
--bun:split
CREATE TABLE IF NOT EXISTS authz_domain_type (
  resource_type TEXT NOT NULL PRIMARY KEY,
  domain TEXT NOT NULL,
  version TEXT NOT NULL
)
