CREATE TABLE IF NOT EXISTS ca_lineage (
  issuer TEXT NOT NULL,
  serial TEXT NOT NULL,
  line TEXT NOT NULL,
  way TEXT NOT NULL,
  ref TEXT NOT NULL,
  previous TEXT NOT NULL,
  names TEXT NOT NULL,
  created_at {{.Time}},
  PRIMARY KEY (issuer, serial)
)
--bun:split
CREATE INDEX IF NOT EXISTS ca_lineage_line ON ca_lineage (line, created_at)
--bun:split
CREATE INDEX IF NOT EXISTS ca_lineage_previous ON ca_lineage (previous) WHERE previous <> ''
--bun:split
INSERT INTO ca_lineage (issuer, serial, line, way, ref, previous, names, created_at)
SELECT c.issuer, c.serial, '',
  CASE WHEN d.basis LIKE 'token:%' THEN 'token' WHEN d.basis LIKE 'acme:%' THEN 'acme' ELSE 'renewal' END,
  CASE WHEN d.basis LIKE 'acme:%' THEN SUBSTR(d.basis, 6) ELSE '' END,
  CASE WHEN d.renews = '' THEN '' WHEN c.serial = d.sign_serial THEN d.issuer || ':' || d.renews
    ELSE COALESCE((SELECT o.issuer || ':' || o.enc_serial FROM ca_delivery AS o WHERE o.issuer = d.issuer AND o.sign_serial = d.renews), '') END,
  '[]', c.created_at
FROM ca_delivery AS d JOIN ca_certificate AS c ON c.issuer = d.issuer AND c.serial IN (d.sign_serial, d.enc_serial)
WHERE NOT EXISTS (SELECT 1 FROM ca_lineage AS l WHERE l.issuer = c.issuer AND l.serial = c.serial)
--bun:split
INSERT INTO ca_lineage (issuer, serial, line, way, ref, previous, names, created_at)
SELECT c.issuer, c.serial, '', 'acme', o.id, '', '[]', c.created_at
FROM acme_order AS o JOIN ca_certificate AS c ON c.serial = o.certificate
WHERE NOT EXISTS (SELECT 1 FROM ca_lineage AS l WHERE l.issuer = c.issuer AND l.serial = c.serial)
