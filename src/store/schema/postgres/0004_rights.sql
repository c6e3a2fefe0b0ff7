-- Who asked for what at the control doors, and which sessions have only their outline left.

CREATE TABLE audit (
    id         text    NOT NULL PRIMARY KEY,
    supervisor text,
    at_ms      bigint  NOT NULL,
    action     text    NOT NULL,
    target     text    NOT NULL,
    said       text    NOT NULL,
    outcome    bigint  NOT NULL,
    reason     text,
    role       text    NOT NULL,
    token      text,
    remote     text,
    uid        bigint,
    pid        bigint,
    name       text,
    session_id text
);

CREATE INDEX audit_by_time ON audit (at_ms, id);

CREATE FUNCTION procession_audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'restrict_violation';
END $$;

-- Nobody changes what was written down; it leaves when its time is over.
CREATE TRIGGER audit_append_only BEFORE UPDATE ON audit
    FOR EACH ROW EXECUTE FUNCTION procession_audit_append_only();

ALTER TABLE sessions ADD COLUMN archived_ms bigint;   -- NULL while its history is whole
CREATE INDEX sessions_to_archive ON sessions (ended_ms) WHERE archived_ms IS NULL AND ended_ms IS NOT NULL;
CREATE INDEX interactions_by_session ON interactions (session_id);
