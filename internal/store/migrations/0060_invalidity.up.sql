CREATE TABLE IF NOT EXISTS ca_invalidity (
  issuer TEXT NOT NULL,
  serial TEXT NOT NULL,
  invalid_at {{.Time}} NOT NULL,
  PRIMARY KEY (issuer, serial),
  FOREIGN KEY (issuer, serial) REFERENCES ca_certificate (issuer, serial)
)
