-- Notes that the node is stopping: then the end of this incarnation is no crash of its durable tasks.
CREATE OR REPLACE FUNCTION @.drain(p_node text, p_incarnation bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- Losing it in a crash of the server costs the tasks one counted crash.
    PERFORM set_config('synchronous_commit', 'off', true);
    UPDATE @.node SET draining = true
    WHERE node_key = @.node_key(p_node) AND incarnation = p_incarnation AND lease_until IS NOT NULL;
    IF NOT FOUND THEN PERFORM @.refuse('IM001'); END IF;
END $$;
