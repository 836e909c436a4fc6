-- Writes a call with its user turn, its first task, and its reply if it has one: as accept_call, start_task and reply, with one
-- update of the owner's row. The number of the task's event follows that of the call's turn, and the reply's follows both.
-- p_names, p_durable and p_audit as in start_task; the refusals are those of the three. has_ready_tasks: a claim may take
-- the task now.
CREATE OR REPLACE FUNCTION @.start_call(
    p_node text, p_incarnation bigint, p_call_id uuid, p_task_id uuid, p_tenant text, p_user text, p_names text[], p_key text,
    p_long_running boolean, p_cap bigint, p_max_running bigint, p_max_open bigint, p_durable text[], p_audit text[],
    p_turn_id uuid, p_body text, p_max_stored bigint, p_reply_id uuid, p_reply text,
    OUT created_at bigint, OUT deadline_at bigint, OUT owner_id bigint, OUT seq bigint, OUT starts boolean,
    OUT waits_for text, OUT open_effects bigint, OUT asked_at bigint, OUT replied_at bigint, OUT has_ready_tasks boolean
) LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_followed @.task;
    v_day bigint := @.micros() / 86400000000;
    v_is_replied boolean := p_reply_id IS NOT NULL;
    v_head bigint;
    v_stored bigint;
    v_written record;
BEGIN
    -- Tasks are locked before their owner, as everywhere. FOR KEY SHARE: retention skips a locked task.
    IF p_durable[8] IS NOT NULL THEN
        SELECT * INTO v_followed FROM @.task t WHERE t.task_id = p_durable[8]::uuid FOR KEY SHARE;
    END IF;
    owner_id := @.find_or_add_owner(p_tenant, p_user);
    UPDATE @.owner o SET head = o.head + 2 + v_is_replied::int, stored_day = v_day,
        stored = CASE WHEN o.stored_day = v_day AND o.stored BETWEEN 0 AND 9007199254740992 THEN o.stored ELSE 0 END
            + octet_length(p_body) + coalesce(octet_length(p_reply), 0)
    WHERE o.owner_id = start_call.owner_id
    RETURNING o.head, o.stored INTO STRICT v_head, v_stored;
    seq := v_head - v_is_replied::int;
    IF seq < 2 OR v_head > 9007199254740992 THEN
        -- The node repairs the numbers and sends the statement again, as after write_turn.
        RAISE EXCEPTION 'the number of the owner''s latest event was damaged' USING ERRCODE = '22003';
    END IF;
    asked_at := @.micros();
    -- Before the limits are checked: an id that exists is refused first.
    INSERT INTO @.turn (turn_id, owner_id, seq, at, body) VALUES (p_turn_id, owner_id, seq - 1, asked_at, p_body);
    INSERT INTO @.call (call_id, owner_id, node_id, incarnation, turn_seq, state, reply_seq)
    VALUES (p_call_id, owner_id, v_node_id, p_incarnation, seq - 1,
            CASE WHEN v_is_replied THEN 'replied' ELSE 'open' END, CASE WHEN v_is_replied THEN v_head END);
    -- Without the reply: what a call answers is not limited.
    IF v_stored - coalesce(octet_length(p_reply), 0) > p_max_stored THEN PERFORM @.refuse('IM007'); END IF;
    IF p_durable[8] IS NOT NULL AND (v_followed.owner_id IS DISTINCT FROM owner_id OR v_followed.task_name IS NULL) THEN
        PERFORM @.refuse('IM003');
    END IF;
    v_written := @.insert_task(
        v_node_id, p_incarnation, owner_id, seq, p_call_id, p_task_id, p_names, p_key, p_long_running, p_cap, p_max_running,
        p_max_open, p_durable, p_audit, v_followed);
    created_at := v_written.created_at;
    deadline_at := v_written.deadline_at;
    starts := v_written.starts;
    waits_for := v_written.waits_for;
    open_effects := v_written.open_effects;
    has_ready_tasks := v_is_replied AND NOT starts;
    IF v_is_replied THEN
        replied_at := @.micros();
        INSERT INTO @.turn (turn_id, owner_id, seq, at, body) VALUES (p_reply_id, owner_id, v_head, replied_at, p_reply);
    END IF;
END $$;
