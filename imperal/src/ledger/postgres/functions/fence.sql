-- Refuses an incarnation that has ended. FOR KEY SHARE holds it until the commit: ending an incarnation
-- takes the node's row FOR UPDATE, and so waits for this write. A renewal does not wait.
CREATE OR REPLACE FUNCTION @.fence(p_node text, p_incarnation bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE v_node_id bigint;
BEGIN
    SELECT n.node_id INTO v_node_id FROM @.node n
    WHERE n.node_key = @.node_key(p_node) AND n.incarnation = p_incarnation AND n.lease_until IS NOT NULL
    FOR KEY SHARE;
    IF NOT FOUND THEN PERFORM @.refuse('IM001'); END IF;
    RETURN v_node_id;
END $$;
