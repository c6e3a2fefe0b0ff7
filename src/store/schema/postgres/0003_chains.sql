-- The chains of agents: their conversations in order, and what was said in them. An agent of the same
-- name elsewhere is another one.

CREATE TABLE agent_chains (
    instance     text   NOT NULL,
    agent        text   NOT NULL,
    conversation text   NOT NULL,             -- the agent's own id
    number       bigint NOT NULL,             -- from 1, in the order of their coming
    process      text,
    session_id   text,
    resumes      text,                        -- the conversation that it goes on with
    first_ms     bigint NOT NULL,             -- by the agent's clock
    last_ms      bigint NOT NULL,
    prompts      bigint NOT NULL,
    responses    bigint NOT NULL,
    state        json   NOT NULL,             -- how full its window is
    continuation json   NOT NULL,             -- files, tools and tasks
    PRIMARY KEY (instance, agent, conversation)
);

CREATE INDEX agent_chains_by_number ON agent_chains (instance, agent, number);
CREATE INDEX agent_chains_by_age ON agent_chains (last_ms);

CREATE TABLE interactions (
    instance     text   NOT NULL,
    key          bigint NOT NULL,
    agent        text   NOT NULL,
    conversation text   NOT NULL,
    session_id   text,
    at_ms        bigint NOT NULL,
    origin       text   NOT NULL,
    prompt       text,                        -- the masked beginning; NULL where it is not kept
    response     text,
    metadata     json   NOT NULL,
    PRIMARY KEY (instance, key)
);

CREATE INDEX interactions_by_agent ON interactions (instance, agent, at_ms);
CREATE INDEX interactions_by_age ON interactions (at_ms);
