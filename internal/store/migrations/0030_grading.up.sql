CREATE TABLE IF NOT EXISTS grading_object (
  id TEXT NOT NULL PRIMARY KEY,
  revision BIGINT NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  owner_unit TEXT NOT NULL,
  building_unit TEXT NOT NULL,
  state TEXT NOT NULL,
  level BIGINT NOT NULL,
  grade TEXT NOT NULL,
  needs BIGINT NOT NULL,
  offers BIGINT NOT NULL,
  valid_until TEXT NOT NULL,
  flags TEXT NOT NULL,
  flagged BIGINT NOT NULL,
  dossier TEXT NOT NULL
)
--bun:split
CREATE INDEX IF NOT EXISTS grading_object_owner ON grading_object (owner_unit, id)
--bun:split
CREATE INDEX IF NOT EXISTS grading_object_building ON grading_object (building_unit, id)
--bun:split
CREATE INDEX IF NOT EXISTS grading_object_state ON grading_object (state, id)
--bun:split
CREATE TABLE IF NOT EXISTS grading_carried (
  object TEXT NOT NULL REFERENCES grading_object (id),
  host TEXT NOT NULL REFERENCES grading_object (id),
  PRIMARY KEY (object, host)
)
--bun:split
CREATE INDEX IF NOT EXISTS grading_carried_host ON grading_carried (host)
--bun:split
CREATE TABLE IF NOT EXISTS grading_step (
  object TEXT NOT NULL REFERENCES grading_object (id),
  revision BIGINT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (object, revision)
)
--bun:split
CREATE TABLE IF NOT EXISTS grading_paper (
  id TEXT NOT NULL PRIMARY KEY,
  object TEXT NOT NULL REFERENCES grading_object (id),
  revision BIGINT NOT NULL,
  body TEXT NOT NULL
)
--bun:split
CREATE INDEX IF NOT EXISTS grading_paper_object ON grading_paper (object, revision)
--bun:split
CREATE TABLE IF NOT EXISTS grading_claim (
  claim TEXT NOT NULL PRIMARY KEY,
  object TEXT NOT NULL REFERENCES grading_object (id)
)
--bun:split
CREATE TABLE IF NOT EXISTS grading_deadline (
  object TEXT NOT NULL REFERENCES grading_object (id),
  rule TEXT NOT NULL,
  ref TEXT NOT NULL,
  owner_unit TEXT NOT NULL,
  opens TEXT NOT NULL,
  due TEXT NOT NULL,
  estimated BIGINT NOT NULL,
  calendar TEXT NOT NULL,
  profile TEXT NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (object, rule, ref)
)
--bun:split
CREATE INDEX IF NOT EXISTS grading_deadline_due ON grading_deadline (due)
--bun:split
CREATE TABLE IF NOT EXISTS grading_grace (
  system TEXT NOT NULL,
  version BIGINT NOT NULL,
  grace_until {{.Time}},
  PRIMARY KEY (system, version)
)
