-- What statistics are counted from, apart from the rows, which are large: written once, at the end of a
-- session.
CREATE INDEX sessions_counted ON sessions
    (started_ms, state, duration_ms, events, kind, process, user_name, project, agent, ended_ms)
    WHERE ended_ms IS NOT NULL;

-- The tools that a session used, as far as its conversation told of them.
CREATE VIEW session_tools (session_id, tool) AS
    SELECT session_id, used.value FROM agent_chains, json_each(continuation, '$.tools') AS used
    WHERE session_id IS NOT NULL;
