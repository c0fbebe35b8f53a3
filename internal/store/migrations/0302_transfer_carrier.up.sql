CREATE TABLE IF NOT EXISTS transfer_carrier (
  transfer TEXT NOT NULL REFERENCES transfer (id),
  system TEXT NOT NULL,
  PRIMARY KEY (transfer, system)
)
--bun:split
CREATE INDEX IF NOT EXISTS transfer_carrier_system ON transfer_carrier (system)
--bun:split
CREATE INDEX IF NOT EXISTS transfer_from ON transfer (from_system, state)
