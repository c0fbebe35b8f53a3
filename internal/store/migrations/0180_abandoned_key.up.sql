CREATE TABLE IF NOT EXISTS ca_abandoned_key (
  pair TEXT NOT NULL PRIMARY KEY REFERENCES ca_escrowed_key (pair),
  abandoned_at {{.Time}} NOT NULL
)
--bun:split
INSERT INTO ca_abandoned_key (pair, abandoned_at)
SELECT k.pair, MAX(c.revoked_at) FROM ca_escrowed_key AS k JOIN ca_certificate AS c ON c.pair = k.pair
WHERE c.kind IN ('sm2-enc', 'sm2-enc-test') AND c.state = 'revoked' AND c.der IS NULL AND c.revoked_at IS NOT NULL
AND NOT EXISTS (SELECT 1 FROM ca_abandoned_key AS a WHERE a.pair = k.pair)
GROUP BY k.pair
