CREATE TABLE IF NOT EXISTS sharing_lineage (
  holding TEXT NOT NULL,
  resource TEXT NOT NULL,
  agreement TEXT NOT NULL,
  agency TEXT NOT NULL,
  PRIMARY KEY (holding, resource, agreement)
)
--bun:split
CREATE INDEX IF NOT EXISTS sharing_lineage_resource ON sharing_lineage (resource, agency, holding)
--bun:split
CREATE INDEX IF NOT EXISTS sharing_lineage_agreement ON sharing_lineage (agreement, holding)
--bun:split
INSERT INTO sharing_lineage (holding, resource, agreement, agency)
SELECT id, resource, agreement, agency FROM sharing_holding
WHERE NOT EXISTS (SELECT 1 FROM sharing_lineage WHERE sharing_lineage.holding = sharing_holding.id)
--bun:split
CREATE TABLE IF NOT EXISTS sharing_made (
  source TEXT NOT NULL,
  holding TEXT NOT NULL,
  PRIMARY KEY (source, holding)
)
--bun:split
CREATE TABLE IF NOT EXISTS sharing_task (
  id TEXT NOT NULL PRIMARY KEY,
  holding TEXT NOT NULL REFERENCES sharing_holding (id),
  due {{.Time}} NOT NULL,
  why TEXT NOT NULL,
  note TEXT NOT NULL,
  made_by TEXT NOT NULL,
  made_at {{.Time}} NOT NULL
)
--bun:split
CREATE INDEX IF NOT EXISTS sharing_task_holding ON sharing_task (holding)
--bun:split
CREATE TABLE IF NOT EXISTS sharing_destruction (
  holding TEXT NOT NULL PRIMARY KEY REFERENCES sharing_holding (id),
  payload TEXT NOT NULL,
  system TEXT NOT NULL,
  method TEXT NOT NULL,
  destroyed_at {{.Time}} NOT NULL,
  certificate {{.Bytes}} NOT NULL,
  signature {{.Bytes}} NOT NULL,
  recorded_at {{.Time}} NOT NULL
)
