-- The first schema of a shared history. A later change is a new numbered file; this one stays.
--
-- Times end in _ms: milliseconds since 1970 UTC, by the clock of the supervisor unless said
-- otherwise. Money is in nano-dollars. Identities of sessions and lives are ULIDs as text. 64-bit
-- hashes and inode numbers are kept bit for bit in a signed integer. What is JSON is of the type
-- json and not jsonb, which takes less than JSON allows.

-- The lives of supervisors that write here.
CREATE TABLE supervisors (
    life          text   NOT NULL PRIMARY KEY,
    instance      text   NOT NULL,            -- the same for all lives with one state folder
    host          text   NOT NULL,
    boot_id       text   NOT NULL,
    pid_namespace text   NOT NULL,
    pid           bigint NOT NULL,
    start_ticks   bigint NOT NULL,
    began_ms      bigint NOT NULL,
    last_seen_ms  bigint NOT NULL             -- by the clock of the server
);

-- What is known of each session now: the fold of its events.
CREATE TABLE sessions (
    id                    text   NOT NULL PRIMARY KEY,
    supervisor            text   NOT NULL,    -- the life that it belongs to
    claimed_by            text,               -- the life that closes it for one that is over
    kind                  text   NOT NULL,
    parent                text,
    process               text   NOT NULL,
    agent                 text,
    native_id             text,
    state                 text   NOT NULL,
    started_ms            bigint NOT NULL,
    last_activity_ms      bigint NOT NULL,
    pid                   bigint,
    start_ticks           bigint,
    user_name             text,
    context               json,
    events                bigint NOT NULL,
    peak_memory_bytes     bigint,
    mean_memory_bytes     bigint,
    memory_samples        bigint NOT NULL,
    cpu_seconds           double precision,
    tokens_input          bigint NOT NULL,
    tokens_output         bigint NOT NULL,
    tokens_cache_read     bigint NOT NULL,
    tokens_cache_write_5m bigint NOT NULL,
    tokens_cache_write_1h bigint NOT NULL,
    tokens_cache_write    bigint NOT NULL,
    cost_nanodollars      bigint NOT NULL,
    unpriced_tokens       bigint NOT NULL,
    ended_ms              bigint,             -- NULL until it ends; so are all that follow
    duration_ms           bigint,
    exit_status           text,               -- code, signal or unknown; NULL without a main process
    exit_code             bigint,
    exit_signal           bigint,
    reason                text
);

CREATE INDEX sessions_open ON sessions (started_ms) WHERE ended_ms IS NULL;
CREATE INDEX sessions_ended ON sessions (ended_ms);
CREATE INDEX sessions_by_process ON sessions (process, started_ms);
CREATE INDEX sessions_by_user ON sessions (user_name, state);
CREATE INDEX sessions_by_start ON sessions (started_ms);

-- What happened to each session, in order. Where numbers are missing, the event type of the next
-- one is events_lost.
CREATE TABLE session_events (
    session_id     text   NOT NULL,
    sequence       bigint NOT NULL,
    at_ms          bigint NOT NULL,
    event_type     text   NOT NULL,
    previous_state text,
    new_state      text,
    cause          text   NOT NULL,
    detail         json   NOT NULL,
    PRIMARY KEY (session_id, sequence)
);

CREATE INDEX session_events_by_time ON session_events (session_id, at_ms);

CREATE FUNCTION procession_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE'
        OR EXISTS (SELECT 1 FROM sessions WHERE id = OLD.session_id AND ended_ms IS NULL)
    THEN
        RAISE EXCEPTION 'session_events is append-only' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$;

-- Events leave only with an ended session, and are never changed.
CREATE TRIGGER session_events_append_only BEFORE UPDATE OR DELETE ON session_events
    FOR EACH ROW EXECUTE FUNCTION procession_append_only();

CREATE TABLE memory_samples (
    session_id      text   NOT NULL,
    at_ms           bigint NOT NULL,
    label           text   NOT NULL,
    resident_bytes  bigint NOT NULL,
    anonymous_bytes bigint NOT NULL,
    processes       bigint NOT NULL,
    PRIMARY KEY (session_id, at_ms, label)
);

CREATE INDEX memory_samples_by_time ON memory_samples (at_ms);

-- One row for each response of a model that was counted. The key makes a replay harmless.
CREATE TABLE token_usage (
    key                   bigint NOT NULL PRIMARY KEY,
    supervisor            text   NOT NULL,
    session_id            text,
    process               text   NOT NULL,
    agent                 text   NOT NULL,
    provider              text   NOT NULL,
    model                 text   NOT NULL,
    conversation          text   NOT NULL,
    at_ms                 bigint NOT NULL,    -- by the agent's clock
    tokens_input          bigint NOT NULL,
    tokens_output         bigint NOT NULL,
    tokens_cache_read     bigint NOT NULL,
    tokens_cache_write_5m bigint NOT NULL,
    tokens_cache_write_1h bigint NOT NULL,
    tokens_cache_write    bigint NOT NULL,
    reasoning             bigint NOT NULL,
    cost_nanodollars      bigint,             -- NULL where no price is known
    stored_ms             bigint NOT NULL     -- by the supervisor's
);

CREATE INDEX token_usage_by_session ON token_usage (session_id);
CREATE INDEX token_usage_by_age ON token_usage (stored_ms);

CREATE INDEX token_usage_by_supervisor ON token_usage (supervisor, stored_ms);

-- Responses that an instance knows without having counted them.
CREATE TABLE seen_responses (
    instance  text   NOT NULL,
    key       bigint NOT NULL,
    stored_ms bigint NOT NULL,
    PRIMARY KEY (instance, key)
);

CREATE INDEX seen_responses_by_age ON seen_responses (stored_ms);

-- How far each log file was read. A file is known by its number on one host only.
CREATE TABLE file_progress (
    instance    text   NOT NULL,
    device      bigint NOT NULL,
    inode       bigint NOT NULL,
    path        bytea  NOT NULL,              -- a path need not be UTF-8
    read_offset bigint NOT NULL,
    stored_ms   bigint NOT NULL,
    PRIMARY KEY (instance, device, inode)
);
