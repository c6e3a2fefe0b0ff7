-- What reading asks for: the whole shape of an event, the project of a session, and an order for
-- each way in which sessions are listed, newest first.

ALTER TABLE session_events ADD COLUMN subtype text;
ALTER TABLE session_events ADD COLUMN source text NOT NULL DEFAULT 'ledger';
ALTER TABLE session_events ADD COLUMN version bigint NOT NULL DEFAULT 1;

-- The checkout that a session works in, or its folder where it lies in none.
ALTER TABLE sessions ADD COLUMN project text;
UPDATE sessions SET project = context ->> 'working_dir' WHERE context IS NOT NULL;

-- What it used with all that are a part of it, where that is more than it used itself: JSON.
ALTER TABLE sessions ADD COLUMN total text;

-- With the identity behind the time, so that a page begins where the last one ended.
DROP INDEX sessions_by_start;
CREATE INDEX sessions_by_start ON sessions (started_ms, id);
DROP INDEX sessions_by_process;
CREATE INDEX sessions_by_process ON sessions (process, started_ms, id);
CREATE INDEX sessions_by_user_start ON sessions (user_name, started_ms, id);
CREATE INDEX sessions_by_state ON sessions (state, started_ms, id);
CREATE INDEX sessions_by_project ON sessions (project, started_ms, id) WHERE project IS NOT NULL;
CREATE INDEX sessions_by_agent ON sessions (agent, started_ms, id) WHERE agent IS NOT NULL;
CREATE INDEX sessions_by_parent ON sessions (parent, started_ms, id) WHERE parent IS NOT NULL;
CREATE INDEX sessions_by_native_id ON sessions (native_id, started_ms) WHERE native_id IS NOT NULL;
