CREATE INDEX IF NOT EXISTS ca_certificate_pending ON ca_certificate (created_at) WHERE state = 'pending'
