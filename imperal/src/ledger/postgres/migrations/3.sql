-- What only one running task of an owner and an extension may have. Whoever starts a task holds its
-- owner's row, so no two look for the same key at once.
ALTER TABLE @.task ADD COLUMN key text;

CREATE OR REPLACE VIEW @.task_record AS
    SELECT t.task_no, t.task_id, t.call_id, t.app_id, t.function, t.name, t.state, t.long_running, t.percent,
           t.message, t.created_at, t.deadline_at, t.cancel_requested_at, t.finished_at, o.body,
           n.node, t.incarnation, w.tenant_id, w.user_id, t.owner_id, w.head, t.abandoned, t.key
    FROM @.task t
    JOIN @.owner w ON w.owner_id = t.owner_id
    JOIN @.node n ON n.node_id = t.node_id
    LEFT JOIN @.turn o ON o.owner_id = t.owner_id AND o.seq = t.outcome_seq;

-- As before, with the view's new column.
CREATE OR REPLACE FUNCTION @.orphans(p_node text, p_incarnation bigint, p_limit bigint) RETURNS SETOF @.task_record
LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_lapsed record;
    v_calls bigint;
BEGIN
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
    JOIN @.turn u ON u.owner_id = c.owner_id AND u.seq = c.turn_seq
    WHERE c.state = 'left' ORDER BY c.call_no LIMIT p_limit;
    GET DIAGNOSTICS v_calls = ROW_COUNT;
    RETURN QUERY
    SELECT * FROM @.task_record r WHERE r.state = 'running' AND r.abandoned
    ORDER BY r.task_no LIMIT p_limit - v_calls;
END $$;

-- Beside the one without a key, which nodes of the version before still call. IM006: the key is
-- taken; the detail is the running task's id, the hint its name.
CREATE FUNCTION @.start_task(
    p_node text, p_incarnation bigint, p_call_id uuid, p_task_id uuid, p_tenant text, p_user text, p_names text[],
    p_key text, p_long_running boolean, p_cap bigint, p_max_running bigint,
    OUT created_at bigint, OUT deadline_at bigint, OUT owner_id bigint, OUT seq bigint
) LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_call @.call;
    v_other @.task;
BEGIN
    SELECT * INTO v_call FROM @.call c WHERE c.call_id = p_call_id;
    IF NOT FOUND OR v_call.node_id <> v_node_id OR v_call.incarnation <> p_incarnation
        OR v_call.owner_id IS DISTINCT FROM @.find_owner(p_tenant, p_user)
    THEN
        PERFORM @.refuse('IM003');
    END IF;
    owner_id := v_call.owner_id;
    -- The owner's row is locked before tasks are counted: no two starts count at once.
    UPDATE @.owner w SET head = head + 1 WHERE w.owner_id = v_call.owner_id RETURNING head INTO STRICT seq;
    IF EXISTS (SELECT 1 FROM @.task t WHERE t.task_id = p_task_id) THEN PERFORM @.refuse('IM002'); END IF;
    SELECT * INTO v_other FROM @.task t
    WHERE t.owner_id = v_call.owner_id AND t.state = 'running' AND t.app_id = p_names[1] AND t.key = p_key LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'refused by the ledger''s rules'
            USING ERRCODE = 'IM006', DETAIL = v_other.task_id::text, HINT = v_other.name;
    END IF;
    IF (SELECT count(*) FROM @.task t WHERE t.owner_id = v_call.owner_id AND t.state = 'running') >= p_max_running THEN
        PERFORM @.refuse('IM005');
    END IF;
    created_at := @.micros();
    deadline_at := @.later(created_at, p_cap);
    INSERT INTO @.task AS t (task_id, call_id, owner_id, node_id, incarnation, app_id, function, name, long_running,
                             created_at, deadline_at, key)
    VALUES (p_task_id, p_call_id, v_call.owner_id, v_node_id, p_incarnation, p_names[1], p_names[2], p_names[3],
            p_long_running, start_task.created_at, start_task.deadline_at, p_key);
    PERFORM @.write_task_event(p_task_id, seq);
END $$;
