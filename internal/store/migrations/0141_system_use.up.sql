CREATE TABLE IF NOT EXISTS ca_system_use (
  system TEXT NOT NULL PRIMARY KEY,
  used_on {{.Time}},
  warned_at {{.Time}}
)
