CREATE TABLE IF NOT EXISTS sharing_application (
  id TEXT NOT NULL PRIMARY KEY,
  consumer TEXT NOT NULL,
  provider TEXT NOT NULL,
  revision BIGINT NOT NULL,
  body TEXT NOT NULL,
  asked_at {{.Time}} NOT NULL
)
--bun:split
CREATE INDEX IF NOT EXISTS sharing_application_consumer ON sharing_application (consumer)
--bun:split
CREATE INDEX IF NOT EXISTS sharing_application_provider ON sharing_application (provider)
