CREATE TABLE IF NOT EXISTS facts_revision (
  id BIGINT NOT NULL PRIMARY KEY,
  revision BIGINT NOT NULL
)
--bun:split
INSERT INTO facts_revision (id, revision)
SELECT 1, 0 WHERE NOT EXISTS (SELECT 1 FROM facts_revision WHERE id = 1)
--bun:split
CREATE TABLE IF NOT EXISTS identity_agency (
  uscc TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  parent TEXT REFERENCES identity_agency (uscc),
  district TEXT NOT NULL,
  duties TEXT NOT NULL,
  sample BOOLEAN NOT NULL,
  created_at {{.Time}}
)
--bun:split
CREATE TABLE IF NOT EXISTS identity_person (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  agency TEXT NOT NULL REFERENCES identity_agency (uscc),
  key_id TEXT NOT NULL,
  cert_der {{.Bytes}},
  left_at {{.Time}},
  created_at {{.Time}}
)
--bun:split
CREATE TABLE IF NOT EXISTS identity_post (
  id TEXT NOT NULL PRIMARY KEY,
  person TEXT NOT NULL REFERENCES identity_person (id),
  agency TEXT NOT NULL REFERENCES identity_agency (uscc),
  role TEXT NOT NULL,
  title TEXT NOT NULL,
  held_from {{.Time}},
  held_until {{.Time}}
)
--bun:split
CREATE INDEX IF NOT EXISTS identity_post_person ON identity_post (person)
--bun:split
CREATE TABLE IF NOT EXISTS identity_system (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  agency TEXT NOT NULL REFERENCES identity_agency (uscc),
  hosts TEXT NOT NULL,
  addresses TEXT NOT NULL,
  sample BOOLEAN NOT NULL,
  created_at {{.Time}}
)
--bun:split
CREATE TABLE IF NOT EXISTS grading_record (
  system TEXT NOT NULL,
  version BIGINT NOT NULL,
  grade_s BIGINT NOT NULL,
  grade_a BIGINT NOT NULL,
  reason TEXT NOT NULL,
  state TEXT NOT NULL,
  building_unit TEXT NOT NULL,
  filing TEXT NOT NULL,
  decided_on {{.Time}},
  assessed_on {{.Time}},
  valid_until {{.Time}},
  sample BOOLEAN NOT NULL,
  PRIMARY KEY (system, version)
)
--bun:split
CREATE TABLE IF NOT EXISTS sharing_resource (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  provider TEXT NOT NULL,
  label_level BIGINT NOT NULL,
  label_s BIGINT NOT NULL,
  label_a BIGINT NOT NULL,
  label_tags TEXT NOT NULL,
  share_type TEXT NOT NULL,
  regime TEXT NOT NULL,
  items TEXT NOT NULL,
  secrecy_review TEXT NOT NULL,
  basis TEXT NOT NULL,
  defect_notice TEXT NOT NULL,
  updated_at {{.Time}},
  sample BOOLEAN NOT NULL
)
--bun:split
CREATE TABLE IF NOT EXISTS sharing_agreement (
  id TEXT NOT NULL PRIMARY KEY,
  resource TEXT NOT NULL REFERENCES sharing_resource (id),
  provider TEXT NOT NULL,
  consumer TEXT NOT NULL,
  office TEXT NOT NULL,
  purposes TEXT NOT NULL,
  fields TEXT NOT NULL,
  onward TEXT NOT NULL,
  confidentiality TEXT NOT NULL,
  defect_ack TEXT NOT NULL,
  not_before {{.Time}},
  not_after {{.Time}},
  terminated {{.Time}},
  digest TEXT NOT NULL,
  seals TEXT NOT NULL,
  sample BOOLEAN NOT NULL
)
--bun:split
CREATE INDEX IF NOT EXISTS sharing_agreement_parties ON sharing_agreement (resource, consumer)
--bun:split
CREATE TABLE IF NOT EXISTS sharing_holding (
  id TEXT NOT NULL PRIMARY KEY,
  system TEXT NOT NULL,
  agency TEXT NOT NULL,
  resource TEXT NOT NULL REFERENCES sharing_resource (id),
  agreement TEXT NOT NULL,
  sources TEXT NOT NULL,
  label_level BIGINT NOT NULL,
  label_s BIGINT NOT NULL,
  label_a BIGINT NOT NULL,
  label_tags TEXT NOT NULL,
  payload TEXT NOT NULL,
  transfer TEXT NOT NULL,
  held_from {{.Time}},
  held_until {{.Time}},
  ended_at {{.Time}}
)
--bun:split
CREATE INDEX IF NOT EXISTS sharing_holding_system ON sharing_holding (system)
