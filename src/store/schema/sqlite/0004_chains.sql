-- The chains of agents: their conversations in order, and what was said in them.

CREATE TABLE agent_chains (
    agent        TEXT    NOT NULL,
    conversation TEXT    NOT NULL,            -- the agent's own id
    number       INTEGER NOT NULL,            -- from 1, in the order of their coming
    process      TEXT,
    session_id   TEXT,
    resumes      TEXT,                        -- the conversation that it goes on with
    first_ms     INTEGER NOT NULL,            -- by the agent's clock
    last_ms      INTEGER NOT NULL,
    prompts      INTEGER NOT NULL,
    responses    INTEGER NOT NULL,
    state        TEXT    NOT NULL,            -- JSON: how full its window is
    continuation TEXT    NOT NULL,            -- JSON: files, tools and tasks
    PRIMARY KEY (agent, conversation)
) STRICT, WITHOUT ROWID;

CREATE INDEX agent_chains_by_number ON agent_chains (agent, number);
CREATE INDEX agent_chains_by_age ON agent_chains (last_ms);

CREATE TABLE interactions (
    key          INTEGER NOT NULL PRIMARY KEY,
    agent        TEXT    NOT NULL,
    conversation TEXT    NOT NULL,
    session_id   TEXT,
    at_ms        INTEGER NOT NULL,
    origin       TEXT    NOT NULL,
    prompt       TEXT,                        -- the masked beginning; NULL where it is not kept
    response     TEXT,
    metadata     TEXT    NOT NULL             -- JSON
) STRICT;

CREATE INDEX interactions_by_agent ON interactions (agent, at_ms);
CREATE INDEX interactions_by_age ON interactions (at_ms);
