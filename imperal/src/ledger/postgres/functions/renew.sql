-- Extends the lease. Returns the incarnation's running tasks and open calls that were asked to cancel.
CREATE OR REPLACE FUNCTION @.renew(p_node text, p_incarnation bigint, p_lease bigint)
RETURNS TABLE (task_id uuid, call_id uuid) LANGUAGE plpgsql AS $$
DECLARE v_node_id bigint;
BEGIN
    -- Losing a renewal in a crash of the server does no harm.
    PERFORM set_config('synchronous_commit', 'off', true);
    UPDATE @.node SET lease_until = @.later(@.micros(), p_lease), lease = p_lease
    WHERE node_key = @.node_key(p_node) AND incarnation = p_incarnation AND lease_until IS NOT NULL
    RETURNING node_id INTO v_node_id;
    IF NOT FOUND THEN PERFORM @.refuse('IM001'); END IF;
    RETURN QUERY
    SELECT t.task_id, NULL::uuid FROM @.task t
    WHERE t.node_id = v_node_id AND t.incarnation = p_incarnation AND t.state = 'running'
        AND t.cancel_requested_at IS NOT NULL
    UNION ALL
    SELECT NULL, c.call_id FROM @.call c
    WHERE c.node_id = v_node_id AND c.incarnation = p_incarnation AND c.state = 'open'
        AND c.cancel_requested_at IS NOT NULL;
END $$;
