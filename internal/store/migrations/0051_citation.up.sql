CREATE TABLE IF NOT EXISTS citation_consent (
  id TEXT NOT NULL PRIMARY KEY,
  resource TEXT NOT NULL REFERENCES sharing_resource (id),
  resource_name TEXT NOT NULL,
  provider TEXT NOT NULL,
  provider_name TEXT NOT NULL,
  consumer TEXT NOT NULL,
  title TEXT NOT NULL,
  purpose TEXT NOT NULL,
  document TEXT NOT NULL,
  not_before {{.Time}},
  not_after {{.Time}},
  digest TEXT NOT NULL,
  requester TEXT NOT NULL,
  state TEXT NOT NULL,
  approval TEXT NOT NULL,
  asked_at {{.Time}},
  decided_at {{.Time}},
  withdrawn_at {{.Time}},
  reason TEXT NOT NULL
)
--bun:split
CREATE INDEX IF NOT EXISTS citation_consent_provider ON citation_consent (provider)
--bun:split
CREATE INDEX IF NOT EXISTS citation_consent_consumer ON citation_consent (consumer)
--bun:split
CREATE TABLE IF NOT EXISTS seal_use_citation (
  use_id TEXT NOT NULL REFERENCES seal_use (id),
  n BIGINT NOT NULL,
  resource TEXT NOT NULL,
  consent TEXT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (use_id, n)
)
--bun:split
CREATE INDEX IF NOT EXISTS seal_use_citation_consent ON seal_use_citation (consent)
--bun:split
CREATE TABLE IF NOT EXISTS seal_use_item (
  use_id TEXT NOT NULL PRIMARY KEY REFERENCES seal_use (id),
  batch TEXT NOT NULL REFERENCES seal_use (id),
  n BIGINT NOT NULL,
  size BIGINT NOT NULL
)
--bun:split
CREATE INDEX IF NOT EXISTS seal_use_item_batch ON seal_use_item (batch)
--bun:split
CREATE INDEX IF NOT EXISTS seal_use_sealed ON seal_use (sealed)
