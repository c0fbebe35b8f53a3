CREATE TABLE IF NOT EXISTS seal_life (
  seal TEXT NOT NULL PRIMARY KEY REFERENCES seal (id),
  revision BIGINT NOT NULL,
  awaits BOOLEAN NOT NULL,
  body TEXT NOT NULL
)
--bun:split
INSERT INTO seal_life (seal, revision, awaits, body)
SELECT s.id, 1, FALSE, '{}' FROM seal s
WHERE NOT EXISTS (SELECT 1 FROM seal_life l WHERE l.seal = s.id)
--bun:split
CREATE INDEX IF NOT EXISTS seal_key ON seal (key_id)
--bun:split
CREATE TABLE IF NOT EXISTS seal_step (
  seal TEXT NOT NULL REFERENCES seal (id),
  revision BIGINT NOT NULL,
  act TEXT NOT NULL,
  from_state TEXT NOT NULL,
  to_state TEXT NOT NULL,
  actor TEXT NOT NULL,
  reason TEXT NOT NULL,
  ref TEXT NOT NULL,
  done_at {{.Time}},
  event TEXT NOT NULL,
  PRIMARY KEY (seal, revision)
)
--bun:split
CREATE TABLE IF NOT EXISTS seal_use_ask (
  seal_use TEXT NOT NULL PRIMARY KEY REFERENCES seal_use (id),
  of_seal TEXT NOT NULL,
  type TEXT NOT NULL,
  purpose TEXT NOT NULL,
  approved_at {{.Time}},
  taken_at {{.Time}}
)
--bun:split
INSERT INTO seal_use_ask (seal_use, of_seal, type, purpose, approved_at, taken_at)
SELECT u.id, u.seal, '', '', u.created_at, COALESCE(u.sealed_at, CASE WHEN u.state = 'sealing' THEN u.created_at END) FROM seal_use u
WHERE NOT EXISTS (SELECT 1 FROM seal_use_ask a WHERE a.seal_use = u.id)
--bun:split
CREATE INDEX IF NOT EXISTS seal_use_taken ON seal_use_ask (of_seal, taken_at)
--bun:split
CREATE INDEX IF NOT EXISTS seal_use_seal ON seal_use (seal, id)
--bun:split
CREATE TABLE IF NOT EXISTS seal_compromise (
  key_id TEXT NOT NULL PRIMARY KEY,
  id TEXT NOT NULL,
  revision BIGINT NOT NULL,
  since {{.Time}},
  body TEXT NOT NULL
)
--bun:split
CREATE TABLE IF NOT EXISTS seal_compromised_cert (
  sm3 TEXT NOT NULL,
  key_id TEXT NOT NULL REFERENCES seal_compromise (key_id),
  PRIMARY KEY (sm3, key_id)
)
--bun:split
CREATE TABLE IF NOT EXISTS seal_notice (
  id TEXT NOT NULL PRIMARY KEY,
  compromise TEXT NOT NULL,
  unit TEXT NOT NULL,
  systems TEXT NOT NULL,
  documents TEXT NOT NULL,
  state TEXT NOT NULL,
  made_at {{.Time}},
  delivered_at {{.Time}},
  acknowledged_at {{.Time}},
  acknowledged_by TEXT NOT NULL
)
--bun:split
CREATE INDEX IF NOT EXISTS seal_notice_unit ON seal_notice (unit, state)
--bun:split
CREATE INDEX IF NOT EXISTS transfer_document ON transfer (document)
