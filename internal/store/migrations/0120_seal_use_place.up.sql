CREATE TABLE IF NOT EXISTS seal_use_place (
  use_id TEXT NOT NULL PRIMARY KEY REFERENCES seal_use (id),
  body TEXT NOT NULL
)
