-- Ends the incarnation. Does nothing if it has ended.
CREATE OR REPLACE FUNCTION @.leave(p_node text, p_incarnation bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_node_id bigint;
BEGIN
    SELECT node_id INTO v_node_id FROM @.node
    WHERE node_key = @.node_key(p_node) AND incarnation = p_incarnation AND lease_until IS NOT NULL FOR UPDATE;
    IF FOUND THEN PERFORM @.end_incarnation(v_node_id, p_incarnation, 'left', @.micros()); END IF;
END $$;
