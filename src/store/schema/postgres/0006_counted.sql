-- The tools that a session used, as far as its conversation told of them.
CREATE VIEW session_tools (session_id, tool) AS
    SELECT session_id, used FROM agent_chains,
    json_array_elements_text(continuation -> 'tools') AS used WHERE session_id IS NOT NULL;
