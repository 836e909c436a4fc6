-- Extends the lease. Returns the incarnation's running tasks that were asked to cancel.
CREATE OR REPLACE FUNCTION @.renew(p_node text, p_incarnation bigint, p_lease bigint) RETURNS SETOF uuid
LANGUAGE plpgsql AS $$
DECLARE v_node_id bigint;
BEGIN
    -- Losing a renewal in a crash of the server does no harm.
    PERFORM set_config('synchronous_commit', 'off', true);
    UPDATE @.node SET lease_until = @.later(@.micros(), p_lease), lease = p_lease
    WHERE node_key = @.node_key(p_node) AND incarnation = p_incarnation AND lease_until IS NOT NULL
    RETURNING node_id INTO v_node_id;
    IF NOT FOUND THEN PERFORM @.refuse('IM001'); END IF;
    RETURN QUERY SELECT task_id FROM @.task
    WHERE node_id = v_node_id AND incarnation = p_incarnation AND state = 'running' AND cancel_requested_at IS NOT NULL;
END $$;
