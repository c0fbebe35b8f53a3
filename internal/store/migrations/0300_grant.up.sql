CREATE TABLE IF NOT EXISTS authz_grant (
  id TEXT NOT NULL PRIMARY KEY,
  unit TEXT NOT NULL,
  person TEXT NOT NULL,
  body TEXT NOT NULL,
  asked_at {{.Time}} NOT NULL,
  until_at {{.Time}} NOT NULL,
  replaces TEXT NOT NULL,
  state TEXT NOT NULL,
  approval TEXT NOT NULL,
  settled_at {{.Time}},
  suspensions BIGINT NOT NULL,
  suspended_by TEXT NOT NULL,
  suspend_reason TEXT NOT NULL,
  suspended_at {{.Time}},
  ended_by TEXT NOT NULL,
  end_reason TEXT NOT NULL,
  ended_at {{.Time}},
  review_due {{.Time}},
  review_approval TEXT NOT NULL,
  review_found BOOLEAN NOT NULL,
  reviewed_at {{.Time}},
  auditor TEXT NOT NULL,
  audit_note TEXT NOT NULL,
  audited_at {{.Time}}
)
--bun:split
CREATE INDEX IF NOT EXISTS authz_grant_unit ON authz_grant (unit)
--bun:split
CREATE INDEX IF NOT EXISTS authz_grant_person ON authz_grant (person, until_at)
--bun:split
CREATE TABLE IF NOT EXISTS authz_delegation (
  id TEXT NOT NULL PRIMARY KEY,
  unit TEXT NOT NULL,
  body TEXT NOT NULL,
  asked_at {{.Time}} NOT NULL,
  state TEXT NOT NULL,
  approval TEXT NOT NULL,
  settled_at {{.Time}},
  ended_by TEXT NOT NULL,
  end_reason TEXT NOT NULL,
  ended_at {{.Time}}
)
--bun:split
CREATE INDEX IF NOT EXISTS authz_delegation_unit ON authz_delegation (unit)
