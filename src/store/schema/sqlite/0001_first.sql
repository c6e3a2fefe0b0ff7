-- The first schema of the history. A later change is a new numbered file; this one stays.
--
-- Times end in _ms: milliseconds since 1970 UTC, by the wall clock. Money is in nano-dollars.
-- Identities of sessions are ULIDs as text. 64-bit hashes and inode numbers are kept bit for bit
-- in a signed integer, since neither SQLite nor PostgreSQL has an unsigned one. Only the table
-- options and the triggers are SQLite's own; every statement that reads or writes is plain SQL.

-- What is known of each session now: the fold of its events.
CREATE TABLE sessions (
    id                    TEXT    NOT NULL PRIMARY KEY,
    kind                  TEXT    NOT NULL,
    parent                TEXT,
    process               TEXT    NOT NULL,
    agent                 TEXT,
    native_id             TEXT,
    state                 TEXT    NOT NULL,
    started_ms            INTEGER NOT NULL,
    last_activity_ms      INTEGER NOT NULL,
    pid                   INTEGER,
    start_ticks           INTEGER,
    context               TEXT,               -- JSON
    events                INTEGER NOT NULL,
    peak_memory_bytes     INTEGER,
    mean_memory_bytes     INTEGER,
    memory_samples        INTEGER NOT NULL,
    cpu_seconds           REAL,
    tokens_input          INTEGER NOT NULL,
    tokens_output         INTEGER NOT NULL,
    tokens_cache_read     INTEGER NOT NULL,
    tokens_cache_write_5m INTEGER NOT NULL,
    tokens_cache_write_1h INTEGER NOT NULL,
    tokens_cache_write    INTEGER NOT NULL,
    cost_nanodollars      INTEGER NOT NULL,
    unpriced_tokens       INTEGER NOT NULL,
    ended_ms              INTEGER,            -- NULL until it ends; so are all that follow
    duration_ms           INTEGER,
    exit_status           TEXT,               -- code, signal or unknown; NULL without a main process
    exit_code             INTEGER,
    exit_signal           INTEGER,
    reason                TEXT
) STRICT;

CREATE INDEX sessions_open ON sessions (started_ms) WHERE ended_ms IS NULL;
CREATE INDEX sessions_ended ON sessions (ended_ms);
CREATE INDEX sessions_by_process ON sessions (process, started_ms);

-- What happened to each session, in order. Where numbers are missing, the event type of the next
-- one is events_lost.
CREATE TABLE session_events (
    session_id     TEXT    NOT NULL,
    sequence       INTEGER NOT NULL,
    at_ms          INTEGER NOT NULL,
    event_type     TEXT    NOT NULL,
    previous_state TEXT,
    new_state      TEXT,
    cause          TEXT    NOT NULL,          -- `trigger` is a reserved word
    detail         TEXT    NOT NULL,          -- JSON
    PRIMARY KEY (session_id, sequence)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER session_events_are_never_changed
BEFORE UPDATE ON session_events
BEGIN
    SELECT RAISE(ABORT, 'session_events is append-only');
END;

CREATE TRIGGER session_events_leave_only_with_an_ended_session
BEFORE DELETE ON session_events
WHEN EXISTS (SELECT 1 FROM sessions WHERE id = OLD.session_id AND ended_ms IS NULL)
BEGIN
    SELECT RAISE(ABORT, 'session_events is append-only');
END;

CREATE TABLE memory_samples (
    session_id      TEXT    NOT NULL,
    at_ms           INTEGER NOT NULL,
    label           TEXT    NOT NULL,
    resident_bytes  INTEGER NOT NULL,
    anonymous_bytes INTEGER NOT NULL,
    processes       INTEGER NOT NULL,
    PRIMARY KEY (session_id, at_ms, label)
) STRICT, WITHOUT ROWID;

CREATE INDEX memory_samples_by_time ON memory_samples (at_ms);

-- One row for each response of a model that was counted. The key makes a replay harmless.
CREATE TABLE token_usage (
    key                   INTEGER NOT NULL PRIMARY KEY,
    session_id            TEXT,
    process               TEXT    NOT NULL,
    agent                 TEXT    NOT NULL,
    provider              TEXT    NOT NULL,
    model                 TEXT    NOT NULL,
    conversation          TEXT    NOT NULL,
    at_ms                 INTEGER NOT NULL,   -- by the agent's clock
    tokens_input          INTEGER NOT NULL,
    tokens_output         INTEGER NOT NULL,
    tokens_cache_read     INTEGER NOT NULL,
    tokens_cache_write_5m INTEGER NOT NULL,
    tokens_cache_write_1h INTEGER NOT NULL,
    tokens_cache_write    INTEGER NOT NULL,
    reasoning             INTEGER NOT NULL,
    cost_nanodollars      INTEGER,            -- NULL where no price is known
    stored_ms             INTEGER NOT NULL    -- by ours
) STRICT;

CREATE INDEX token_usage_by_session ON token_usage (session_id);
CREATE INDEX token_usage_by_age ON token_usage (stored_ms);

-- Responses that are known without having been counted.
CREATE TABLE seen_responses (
    key       INTEGER NOT NULL PRIMARY KEY,
    stored_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX seen_responses_by_age ON seen_responses (stored_ms);

-- How far each log file was read.
CREATE TABLE file_progress (
    device      INTEGER NOT NULL,
    inode       INTEGER NOT NULL,
    path        BLOB    NOT NULL,             -- a path need not be UTF-8
    read_offset INTEGER NOT NULL,
    stored_ms   INTEGER NOT NULL,
    PRIMARY KEY (device, inode)
) STRICT, WITHOUT ROWID;
