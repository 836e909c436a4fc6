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
    v_open bigint;
    v_running bigint;
    -- The open task that has the key.
    v_other bigint;
    v_is_paused boolean := false;
    v_task_no bigint;
    -- Null while no process holds the task, and while one does.
    v_deadline_at bigint;
    v_ready_at bigint;
BEGIN
    open_effects := 0;
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
    IF p_key IS NULL THEN
        SELECT count(*), count(*) FILTER (WHERE t.state = 'running') INTO v_open, v_running FROM @.task t
        WHERE t.owner_id = start_task.owner_id AND t.finished_at IS NULL;
    ELSE
        SELECT count(*), count(*) FILTER (WHERE t.state = 'running'),
            min(t.task_no) FILTER (WHERE t.app_id = p_names[1] AND t.key = p_key)
        INTO v_open, v_running, v_other FROM @.task t
        WHERE t.owner_id = start_task.owner_id AND t.finished_at IS NULL;
    END IF;
    starts := v_running < p_max_running;
    IF v_other IS NOT NULL OR v_open >= p_max_open OR NOT starts AND p_durable IS NULL THEN
        PERFORM @.refuse_start(
            p_task_id, owner_id, v_other, CASE WHEN v_open >= p_max_open THEN p_max_open ELSE p_max_running END);
    END IF;
    IF p_durable IS NOT NULL THEN
        starts := starts AND p_durable[6] IS NULL;
        IF NOT starts THEN
            waits_for := 'slot';
        ELSIF p_durable[8] IS NOT NULL THEN
            waits_for := 'process';
            starts := false;
        END IF;
        -- What it waits for while it is paused is shown instead of what it waits for then.
        v_is_paused := EXISTS (SELECT FROM @.paused p WHERE p.app_id = p_names[1] AND p.task_name = p_durable[1]);
        IF v_is_paused THEN
            waits_for := coalesce(waits_for, 'process');
            starts := false;
        END IF;
    END IF;
    created_at := @.micros();
    deadline_at := @.later(created_at, p_cap);
    IF starts THEN v_deadline_at := deadline_at; ELSE v_ready_at := created_at; END IF;
    INSERT INTO @.task AS t (task_id, call_id, owner_id, node_id, incarnation, app_id, function, name, long_running,
                             created_at, deadline_at, key, task_name, queue, follows, state, attempt, waits_for, ready_at)
    VALUES (p_task_id, p_call_id, start_task.owner_id, v_node_id, p_incarnation, p_names[1], p_names[2], p_names[3],
            p_long_running, start_task.created_at, v_deadline_at, p_key, p_durable[1], p_durable[6], p_durable[7],
            CASE WHEN starts THEN 'running' ELSE 'queued' END, starts::int, start_task.waits_for, v_ready_at)
    RETURNING t.task_no INTO STRICT v_task_no;
    IF p_durable IS NOT NULL THEN
        INSERT INTO @.durable (task_no, input, user_json, root_task, program, cap, claimed_at, fruitless)
        VALUES (v_task_no, p_durable[2], p_durable[3], p_durable[4]::uuid, p_durable[5], p_cap,
                CASE WHEN starts THEN start_task.created_at END, starts::int);
    END IF;
    IF p_durable[8] IS NOT NULL THEN
        open_effects := @.inherit(v_followed, v_task_no, p_durable[9]::bigint);
    END IF;
    IF p_audit IS NOT NULL THEN PERFORM @.write_audit(p_audit); END IF;
    IF p_durable[6] IS NOT NULL THEN PERFORM @.join_queue(p_names[1], p_durable[6], owner_id); END IF;
    IF v_is_paused THEN waits_for := 'paused'; END IF;
    -- The same as write_task_event, without a look at the row.
    INSERT INTO @.task_event AS e (owner_id, seq, task_id, state, attempt, waits_for, ready_at, open_questions,
                                   open_effects, deadline_at)
    VALUES (start_task.owner_id, start_task.seq, p_task_id, CASE WHEN starts THEN 'running' ELSE 'queued' END, starts::int,
            start_task.waits_for, v_ready_at, 0, start_task.open_effects, v_deadline_at);
END $$;
