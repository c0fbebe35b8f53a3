CREATE TABLE IF NOT EXISTS decision_fact (
  sm3 TEXT NOT NULL PRIMARY KEY,
  body {{.Bytes}} NOT NULL
)
