-- Who asked for what at the control doors, and which sessions have only their outline left.

CREATE TABLE audit (
    id         TEXT    NOT NULL PRIMARY KEY,
    at_ms      INTEGER NOT NULL,
    action     TEXT    NOT NULL,
    target     TEXT    NOT NULL,
    said       TEXT    NOT NULL,
    outcome    INTEGER NOT NULL,
    reason     TEXT,
    role       TEXT    NOT NULL,
    token      TEXT,
    remote     TEXT,
    uid        INTEGER,
    pid        INTEGER,
    name       TEXT,
    session_id TEXT
) STRICT;

CREATE INDEX audit_by_time ON audit (at_ms, id);

-- Nobody changes what was written down; it leaves when its time is over.
CREATE TRIGGER audit_append_only BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;

ALTER TABLE sessions ADD COLUMN archived_ms INTEGER;   -- NULL while its history is whole
CREATE INDEX sessions_to_archive ON sessions (ended_ms) WHERE archived_ms IS NULL AND ended_ms IS NOT NULL;
CREATE INDEX interactions_by_session ON interactions (session_id);
