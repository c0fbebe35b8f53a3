CREATE TABLE IF NOT EXISTS grading_clearance (
  system TEXT NOT NULL REFERENCES identity_system (id),
  kind TEXT NOT NULL,
  number TEXT NOT NULL,
  passed BOOLEAN NOT NULL,
  done_on TEXT NOT NULL,
  done_by TEXT NOT NULL,
  report TEXT NOT NULL,
  recorded_by TEXT NOT NULL,
  recorded_at {{.Time}} NOT NULL,
  PRIMARY KEY (system, kind, recorded_at)
)
