CREATE TABLE IF NOT EXISTS ca_status_revision (
  id BIGINT NOT NULL PRIMARY KEY,
  revision BIGINT NOT NULL
)
--bun:split
INSERT INTO ca_status_revision (id, revision)
SELECT 1, 0 WHERE NOT EXISTS (SELECT 1 FROM ca_status_revision WHERE id = 1)
--bun:split
CREATE TABLE IF NOT EXISTS ca_status_change (
  revision BIGINT NOT NULL PRIMARY KEY,
  issuer TEXT NOT NULL,
  serial TEXT NOT NULL
)
