CREATE TABLE IF NOT EXISTS catalogue_entry (
  resource TEXT NOT NULL PRIMARY KEY REFERENCES sharing_resource (id),
  code TEXT NOT NULL,
  provider TEXT NOT NULL,
  revision BIGINT NOT NULL,
  body TEXT NOT NULL
)
--bun:split
CREATE UNIQUE INDEX IF NOT EXISTS catalogue_entry_code ON catalogue_entry (code)
--bun:split
CREATE INDEX IF NOT EXISTS sharing_resource_provider ON sharing_resource (provider, id)
--bun:split
CREATE TABLE IF NOT EXISTS catalogue_change (
  resource TEXT NOT NULL,
  revision BIGINT NOT NULL,
  event TEXT NOT NULL,
  changed_by TEXT NOT NULL,
  unit TEXT NOT NULL,
  why TEXT NOT NULL,
  changed_at {{.Time}} NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (resource, revision)
)
--bun:split
CREATE TABLE IF NOT EXISTS catalogue_withheld (
  id TEXT NOT NULL PRIMARY KEY,
  provider TEXT NOT NULL,
  name TEXT NOT NULL,
  reason TEXT NOT NULL,
  statement TEXT NOT NULL,
  stated_by TEXT NOT NULL,
  stated_at {{.Time}} NOT NULL
)
--bun:split
CREATE INDEX IF NOT EXISTS catalogue_withheld_provider ON catalogue_withheld (provider)
