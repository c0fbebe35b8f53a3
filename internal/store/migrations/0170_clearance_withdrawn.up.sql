CREATE TABLE IF NOT EXISTS grading_clearance_withdrawn (
  system TEXT NOT NULL,
  kind TEXT NOT NULL,
  recorded_at {{.Time}} NOT NULL,
  withdrawn_by TEXT NOT NULL,
  withdrawn_at {{.Time}} NOT NULL,
  why TEXT NOT NULL,
  PRIMARY KEY (system, kind, recorded_at),
  FOREIGN KEY (system, kind, recorded_at) REFERENCES grading_clearance (system, kind, recorded_at)
)
