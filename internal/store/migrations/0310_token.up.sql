CREATE TABLE IF NOT EXISTS token_key (
  kid TEXT NOT NULL PRIMARY KEY,
  algorithm TEXT NOT NULL,
  number BIGINT NOT NULL,
  custody TEXT NOT NULL,
  public {{.Bytes}} NOT NULL,
  created_at {{.Time}} NOT NULL
)
--bun:split
CREATE UNIQUE INDEX IF NOT EXISTS token_key_number ON token_key (algorithm, number)
--bun:split
CREATE TABLE IF NOT EXISTS token_grant (
  id TEXT NOT NULL PRIMARY KEY,
  system TEXT NOT NULL,
  unit TEXT NOT NULL,
  audience TEXT NOT NULL,
  scope TEXT NOT NULL,
  issuer TEXT NOT NULL,
  serial TEXT NOT NULL,
  kid TEXT NOT NULL,
  issued_at {{.Time}} NOT NULL,
  expires_at {{.Time}} NOT NULL,
  revoked_at {{.Time}}
)
--bun:split
CREATE INDEX IF NOT EXISTS token_grant_expires ON token_grant (expires_at)
