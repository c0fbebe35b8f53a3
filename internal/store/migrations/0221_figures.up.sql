CREATE TABLE IF NOT EXISTS ca_request_settled (
  request TEXT NOT NULL REFERENCES ca_request (id),
  state TEXT NOT NULL,
  settled_at {{.Time}} NOT NULL,
  PRIMARY KEY (request, state)
)
--bun:split
CREATE INDEX IF NOT EXISTS ca_request_settled_at ON ca_request_settled (settled_at)
--bun:split
INSERT INTO ca_request_settled (request, state, settled_at)
SELECT q.id, 'approved', a.decided_at FROM ca_request AS q JOIN approval AS a ON a.id = q.approval
WHERE q.approval <> '' AND a.decided_at IS NOT NULL
AND NOT EXISTS (SELECT 1 FROM ca_request_settled AS s WHERE s.request = q.id)
--bun:split
CREATE INDEX IF NOT EXISTS ca_certificate_made ON ca_certificate (created_at)
--bun:split
CREATE INDEX IF NOT EXISTS ca_certificate_end ON ca_certificate (not_after, state, revoked_at, created_at, agency, system, kind) WHERE der IS NOT NULL
--bun:split
CREATE INDEX IF NOT EXISTS ca_certificate_gone ON ca_certificate (revoked_at) WHERE revoked_at IS NOT NULL
--bun:split
CREATE INDEX IF NOT EXISTS ca_certificate_of_system ON ca_certificate (system, created_at, issuer, serial)
--bun:split
DROP INDEX IF EXISTS ca_certificate_system
--bun:split
CREATE INDEX IF NOT EXISTS ca_certificate_of_agency ON ca_certificate (agency, created_at, issuer, serial)
--bun:split
CREATE INDEX IF NOT EXISTS ca_suspension_held ON ca_suspension (held_at)
--bun:split
CREATE INDEX IF NOT EXISTS kmc_recovery_delivered ON kmc_recovery (delivered_at) WHERE delivered_at IS NOT NULL
