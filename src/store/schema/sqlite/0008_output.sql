-- What commands beside the plan wrote last, masked; it goes with the history of its session.

CREATE TABLE session_output (
    session_id TEXT    NOT NULL PRIMARY KEY,
    at_ms      INTEGER NOT NULL,
    first      INTEGER NOT NULL,              -- so many bytes came before the first that is kept
    over       INTEGER NOT NULL,              -- 1 where nothing follows
    stretches  TEXT    NOT NULL,              -- JSON: how many bytes to which output, in turns
    bytes      BLOB    NOT NULL
) STRICT;

CREATE INDEX session_output_by_age ON session_output (at_ms, session_id);
