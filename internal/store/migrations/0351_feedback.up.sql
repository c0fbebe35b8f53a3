CREATE TABLE IF NOT EXISTS sharing_feedback (
  id TEXT NOT NULL PRIMARY KEY,
  consumer TEXT NOT NULL,
  provider TEXT NOT NULL,
  revision BIGINT NOT NULL,
  body TEXT NOT NULL,
  given_at {{.Time}} NOT NULL
)
--bun:split
CREATE INDEX IF NOT EXISTS sharing_feedback_consumer ON sharing_feedback (consumer)
--bun:split
CREATE INDEX IF NOT EXISTS sharing_feedback_provider ON sharing_feedback (provider)
