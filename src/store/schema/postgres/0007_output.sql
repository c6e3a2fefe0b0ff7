-- What commands beside the plan wrote last, masked; it goes with the history of its session.

CREATE TABLE session_output (
    session_id text   NOT NULL PRIMARY KEY,
    instance   text   NOT NULL,
    at_ms      bigint NOT NULL,
    first      bigint NOT NULL,               -- so many bytes came before the first that is kept
    over       bigint NOT NULL,               -- 1 where nothing follows
    stretches  text   NOT NULL,               -- JSON: how many bytes to which output, in turns
    bytes      bytea  NOT NULL
);

CREATE INDEX session_output_by_age ON session_output (instance, at_ms, session_id);
