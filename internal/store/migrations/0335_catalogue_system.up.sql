CREATE TABLE IF NOT EXISTS catalogue_system (
  resource TEXT NOT NULL PRIMARY KEY,
  system TEXT NOT NULL
)
--bun:split
CREATE INDEX IF NOT EXISTS catalogue_system_system ON catalogue_system (system)
--bun:split
INSERT INTO catalogue_system (resource, system)
SELECT resource, SUBSTR(rest, 1, {{.Find}}(rest, '"') - 1)
FROM (SELECT resource, SUBSTR(body, {{.Find}}(body, '"system":"') + 10) AS rest FROM catalogue_entry WHERE {{.Find}}(body, '"system":"') > 0) AS named
WHERE NOT EXISTS (SELECT 1 FROM catalogue_system AS s WHERE s.resource = named.resource)
