-- Ends incarnations of other nodes whose lease has lapsed, 64 at most, and returns how many. A lapsed
-- incarnation whose row another transaction holds is left for the next call.
-- Differences are numeric: damaged numbers may be too far apart for a bigint.
CREATE OR REPLACE FUNCTION @.expire_leases(p_node text, p_incarnation bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_lapsed record;
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
    FOR v_lapsed IN
        SELECT node_id, incarnation, draining, lease_until, lease FROM @.node WHERE lease_until <= @.micros() AND node_id <> v_node_id
        ORDER BY lease_until LIMIT 64 FOR UPDATE SKIP LOCKED
    LOOP
        PERFORM @.end_incarnation(
            v_lapsed.node_id, v_lapsed.incarnation, CASE WHEN v_lapsed.draining THEN 'drained' ELSE 'crashed' END,
            @.alive_at(v_lapsed.lease_until, v_lapsed.lease));
        v_ended := v_ended + 1;
    END LOOP;
    RETURN v_ended;
END $$;
