CREATE TABLE IF NOT EXISTS facts_change (
  revision BIGINT NOT NULL,
  part BIGINT NOT NULL,
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  PRIMARY KEY (revision, part)
)
