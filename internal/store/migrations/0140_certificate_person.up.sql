CREATE INDEX IF NOT EXISTS ca_certificate_person ON ca_certificate (person) WHERE person <> ''
