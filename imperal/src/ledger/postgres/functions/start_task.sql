-- Writes a task. Its parent is a call, or p_attempt of the task p_parent. p_names: app, function, name. p_durable is
-- null for a background task; otherwise: name of the durable task, input, user, root task, program, queue; and of one that
-- follows an ended task: what readers see of that, its id, and the ordinal behind which it goes on, if it does. IM006: the
-- key is taken; the error's detail is the id of the task that has it, the hint its name. IM005: the detail is the limit.
-- IM014: the detail is the reason, see inherit. p_audit may be null.
CREATE OR REPLACE FUNCTION @.start_task(
    p_node text, p_incarnation bigint, p_parent uuid, p_attempt bigint, p_call_id uuid, p_task_id uuid, p_tenant text,
    p_user text, p_names text[], p_key text, p_long_running boolean, p_cap bigint, p_max_running bigint,
    p_max_open bigint, p_durable text[], p_audit text[],
    OUT created_at bigint, OUT deadline_at bigint, OUT owner_id bigint, OUT seq bigint, OUT starts boolean,
    OUT waits_for text, OUT open_effects bigint
) LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_call @.call;
    v_parent @.task;
    v_followed @.task;
    v_written record;
BEGIN
    -- Tasks are locked before their owner, as everywhere.
    IF p_attempt IS NOT NULL THEN
        -- FOR SHARE: the attempt cannot end between this check and the commit, and retention keeps its call.
        SELECT * INTO v_parent FROM @.task t WHERE t.task_id = p_parent FOR SHARE;
    END IF;
    IF p_durable[8] IS NOT NULL THEN
        -- FOR KEY SHARE: retention skips a locked task.
        SELECT * INTO v_followed FROM @.task t WHERE t.task_id = p_durable[8]::uuid FOR KEY SHARE;
    END IF;
    -- Locks the owner's row before tasks are counted, so that two starts cannot count at the same time, and before the
    -- call is read: retention and the end of a job hold the row while they remove a call.
    UPDATE @.owner o SET head = o.head + 1 WHERE o.owner_key = @.owner_key(p_tenant, p_user)
    RETURNING o.owner_id, o.head INTO owner_id, seq;
    IF NOT FOUND THEN PERFORM @.refuse('IM003'); END IF;
    IF p_attempt IS NULL THEN
        SELECT * INTO v_call FROM @.call c WHERE c.call_id = p_parent AND c.owner_id = start_task.owner_id;
        IF NOT FOUND THEN PERFORM @.refuse('IM003'); END IF;
        IF v_call.node_id <> v_node_id OR v_call.incarnation <> p_incarnation THEN PERFORM @.refuse('IM010'); END IF;
    ELSE
        IF v_parent.owner_id IS DISTINCT FROM owner_id THEN PERFORM @.refuse('IM003'); END IF;
        PERFORM @.check_attempt(v_parent, v_node_id, p_incarnation, p_attempt);
    END IF;
    IF p_durable[8] IS NOT NULL AND (v_followed.owner_id IS DISTINCT FROM owner_id OR v_followed.task_name IS NULL) THEN
        PERFORM @.refuse('IM003');
    END IF;
    IF seq < 1 OR seq > 9007199254740992 THEN
        -- The node repairs the numbers and sends the statement again, as after write_turn.
        RAISE EXCEPTION 'the number of the owner''s latest event was damaged' USING ERRCODE = '22003';
    END IF;
    v_written := @.insert_task(
        v_node_id, p_incarnation, owner_id, seq, p_call_id, p_task_id, p_names, p_key, p_long_running, p_cap, p_max_running,
        p_max_open, p_durable, p_audit, v_followed);
    created_at := v_written.created_at;
    deadline_at := v_written.deadline_at;
    starts := v_written.starts;
    waits_for := v_written.waits_for;
    open_effects := v_written.open_effects;
END $$;
