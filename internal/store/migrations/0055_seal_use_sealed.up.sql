CREATE INDEX IF NOT EXISTS seal_use_sealed ON seal_use (sealed)
