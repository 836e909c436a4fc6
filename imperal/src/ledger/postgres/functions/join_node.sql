-- Begins the node's next incarnation and ends the current one. A damaged number is replaced by the time,
-- which is higher than any number that was counted.
CREATE OR REPLACE FUNCTION @.join_node(p_node text, p_lease bigint, OUT node_id bigint, OUT incarnation bigint)
LANGUAGE plpgsql AS $$
DECLARE
    v_key bytea := @.node_key(p_node);
    v_node @.node;
BEGIN
    PERFORM pg_advisory_xact_lock(@.node_lock(v_key));
    INSERT INTO @.node (node_key, node, incarnation) VALUES (v_key, p_node, 0) ON CONFLICT (node_key) DO NOTHING;
    SELECT * INTO STRICT v_node FROM @.node n WHERE n.node_key = v_key FOR UPDATE;
    IF v_node.lease_until IS NOT NULL THEN
        PERFORM @.end_incarnation(
            v_node.node_id, v_node.incarnation, CASE WHEN v_node.draining THEN 'drained' ELSE 'crashed' END,
            @.alive_at(v_node.lease_until, v_node.lease));
    END IF;
    node_id := v_node.node_id;
    incarnation := CASE
        WHEN v_node.incarnation BETWEEN 0 AND 9007199254740992 THEN v_node.incarnation + 1 ELSE @.micros()
    END;
    UPDATE @.node n
    SET incarnation = join_node.incarnation, lease_until = @.later(@.micros(), p_lease), lease = p_lease,
        draining = false
    WHERE n.node_id = v_node.node_id;
END $$;
