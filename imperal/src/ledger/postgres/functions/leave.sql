-- Ends the incarnation. Does nothing if it has ended.
CREATE OR REPLACE FUNCTION @.leave(p_node text, p_incarnation bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_key bytea := @.node_key(p_node);
    v_node_id bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(@.node_lock(v_key));
    SELECT node_id INTO v_node_id FROM @.node
    WHERE node_key = v_key AND incarnation = p_incarnation AND lease_until IS NOT NULL FOR UPDATE;
    IF FOUND THEN PERFORM @.end_incarnation(v_node_id, p_incarnation, 'left', @.micros()); END IF;
END $$;
