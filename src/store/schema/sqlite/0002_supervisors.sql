-- Whose row it is, and the ways in which sessions are looked for.

-- The lives of supervisors that wrote here.
CREATE TABLE supervisors (
    life          TEXT    NOT NULL PRIMARY KEY,
    instance      TEXT    NOT NULL,           -- the same for all lives with one state folder
    host          TEXT    NOT NULL,
    boot_id       TEXT    NOT NULL,
    pid_namespace TEXT    NOT NULL,
    pid           INTEGER NOT NULL,
    start_ticks   INTEGER NOT NULL,
    began_ms      INTEGER NOT NULL
) STRICT;

-- NULL in rows that are older than this step.
ALTER TABLE sessions ADD COLUMN supervisor TEXT;
ALTER TABLE token_usage ADD COLUMN supervisor TEXT;

-- The user that a session runs as, out of its context.
ALTER TABLE sessions ADD COLUMN user_name TEXT;
UPDATE sessions SET user_name = context ->> 'user' WHERE context IS NOT NULL;

CREATE INDEX sessions_by_user ON sessions (user_name, state);
CREATE INDEX sessions_by_start ON sessions (started_ms);
CREATE INDEX session_events_by_time ON session_events (session_id, at_ms);
