-- Ends incarnations of other nodes whose lease has lapsed, 64 at most, and returns how many. A lapsed incarnation of which
-- a write or a renewal is under way is left for the next call.
-- Differences are numeric: damaged numbers may be too far apart for a bigint.
CREATE OR REPLACE FUNCTION @.expire_leases(p_node text, p_incarnation bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_lapsed_id bigint;
    v_key bytea;
    v_node @.node;
    v_ended bigint := 0;
BEGIN
    -- Leases that were given before the clock was set back. A lease whose length is lost ends after a minute
    -- unless its node renews it.
    UPDATE @.node SET lease_until = @.later(
        @.micros(), CASE WHEN lease BETWEEN 0 AND 253402207200999999 THEN lease ELSE 60000000 END)
    WHERE node_id IN (
        SELECT node_id FROM @.node
        WHERE lease_until::numeric - CASE WHEN lease BETWEEN 0 AND 253402207200999999 THEN lease ELSE 60000000 END
            > @.micros()
        FOR NO KEY UPDATE SKIP LOCKED
    );
    FOR v_lapsed_id, v_key IN
        SELECT n.node_id, n.node_key FROM @.node n WHERE n.lease_until <= @.micros() AND n.node_id <> v_node_id
        ORDER BY n.lease_until
    LOOP
        EXIT WHEN v_ended >= 64;
        -- Looked at first: the lock of a node that has renewed its lease meanwhile would hold its writes up.
        CONTINUE WHEN NOT EXISTS (
            SELECT FROM @.node n WHERE n.node_id = v_lapsed_id AND n.lease_until <= @.micros());
        -- Without waiting: two nodes that take each other's lease for lapsed hold their own locks.
        CONTINUE WHEN NOT pg_try_advisory_xact_lock(@.node_lock(v_key));
        -- The row as it is now: the node may have renewed its lease or begun its next incarnation.
        SELECT * INTO v_node FROM @.node n WHERE n.node_id = v_lapsed_id AND n.lease_until <= @.micros()
        FOR UPDATE SKIP LOCKED;
        CONTINUE WHEN NOT FOUND;
        PERFORM @.end_incarnation(
            v_node.node_id, v_node.incarnation, CASE WHEN v_node.draining THEN 'drained' ELSE 'crashed' END,
            @.alive_at(v_node.lease_until, v_node.lease));
        v_ended := v_ended + 1;
    END LOOP;
    RETURN v_ended;
END $$;
