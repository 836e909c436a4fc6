-- Ends incarnations whose lease has lapsed and lists the work that ended incarnations left: calls, with a
-- null task id and the user's turn as body, then tasks. A lapsed incarnation whose row another
-- transaction holds is left for the next pass. A call whose turn is missing has a null body.
-- Differences are numeric: damaged numbers may be too far apart for a bigint.
CREATE OR REPLACE FUNCTION @.orphans(p_node text, p_incarnation bigint, p_limit bigint) RETURNS SETOF @.task_record
LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_lapsed record;
    v_calls bigint;
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
        SELECT node_id, incarnation FROM @.node WHERE lease_until <= @.micros() AND node_id <> v_node_id
        ORDER BY lease_until LIMIT 64 FOR UPDATE SKIP LOCKED
    LOOP
        PERFORM @.end_incarnation(v_lapsed.node_id, v_lapsed.incarnation);
    END LOOP;
    RETURN QUERY
    SELECT c.call_no, NULL::uuid, c.call_id, NULL, NULL, NULL, NULL, NULL::boolean, NULL::double precision,
           NULL, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, u.body,
           n.node, c.incarnation, w.tenant_id, w.user_id, c.owner_id, w.head, NULL::boolean, NULL
    FROM @.call c
    JOIN @.owner w ON w.owner_id = c.owner_id
    JOIN @.node n ON n.node_id = c.node_id
    LEFT JOIN @.turn u ON u.owner_id = c.owner_id AND u.seq = c.turn_seq
    WHERE c.state = 'left' ORDER BY c.call_no LIMIT p_limit;
    GET DIAGNOSTICS v_calls = ROW_COUNT;
    RETURN QUERY
    SELECT * FROM @.task_record r WHERE r.state = 'running' AND r.abandoned
    ORDER BY r.task_no LIMIT p_limit - v_calls;
END $$;
