CREATE INDEX IF NOT EXISTS reclass_notice_system ON reclass_notice (system, id)
