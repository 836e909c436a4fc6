-- Writes a running task. p_names: app, function, name. IM006: the key is taken; the error's detail is the
-- id of the task that has it, the hint its name.
CREATE OR REPLACE FUNCTION @.start_task(
    p_node text, p_incarnation bigint, p_call_id uuid, p_task_id uuid, p_tenant text, p_user text, p_names text[],
    p_key text, p_long_running boolean, p_cap bigint, p_max_running bigint,
    OUT created_at bigint, OUT deadline_at bigint, OUT owner_id bigint, OUT seq bigint
) LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_call @.call;
    v_other @.task;
BEGIN
    -- FOR KEY SHARE until the commit: retention skips a locked call.
    SELECT * INTO v_call FROM @.call c WHERE c.call_id = p_call_id FOR KEY SHARE;
    IF NOT FOUND OR v_call.owner_id IS DISTINCT FROM @.find_owner(p_tenant, p_user) THEN
        PERFORM @.refuse('IM003');
    END IF;
    IF v_call.node_id <> v_node_id OR v_call.incarnation <> p_incarnation THEN PERFORM @.refuse('IM010'); END IF;
    owner_id := v_call.owner_id;
    -- Locks the owner's row before tasks are counted, so that two starts cannot count at the same time.
    UPDATE @.owner w SET head = head + 1 WHERE w.owner_id = v_call.owner_id RETURNING head INTO STRICT seq;
    IF EXISTS (SELECT 1 FROM @.task t WHERE t.task_id = p_task_id) THEN PERFORM @.refuse('IM009'); END IF;
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
