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
    v_other @.task;
    v_followed @.task;
    v_task_no bigint;
BEGIN
    open_effects := 0;
    owner_id := @.find_owner(p_tenant, p_user);
    IF p_attempt IS NULL THEN
        -- FOR KEY SHARE until the commit: retention skips a locked call.
        SELECT * INTO v_call FROM @.call c WHERE c.call_id = p_parent FOR KEY SHARE;
        IF NOT FOUND OR v_call.owner_id IS DISTINCT FROM owner_id THEN PERFORM @.refuse('IM003'); END IF;
        IF v_call.node_id <> v_node_id OR v_call.incarnation <> p_incarnation THEN PERFORM @.refuse('IM010'); END IF;
    ELSE
        -- FOR SHARE: the attempt cannot end between this check and the commit, and retention keeps its call.
        SELECT * INTO v_parent FROM @.task t WHERE t.task_id = p_parent FOR SHARE;
        IF NOT FOUND OR v_parent.owner_id IS DISTINCT FROM owner_id THEN PERFORM @.refuse('IM003'); END IF;
        PERFORM @.check_attempt(v_parent, v_node_id, p_incarnation, p_attempt);
    END IF;
    IF p_durable[8] IS NOT NULL THEN
        -- FOR KEY SHARE: retention skips a locked task.
        SELECT * INTO v_followed FROM @.task t WHERE t.task_id = p_durable[8]::uuid FOR KEY SHARE;
        IF NOT FOUND OR v_followed.owner_id IS DISTINCT FROM owner_id OR v_followed.task_name IS NULL THEN
            PERFORM @.refuse('IM003');
        END IF;
    END IF;
    -- Locks the owner's row before tasks are counted, so that two starts cannot count at the same time.
    seq := @.take_number(owner_id);
    IF EXISTS (SELECT 1 FROM @.task t WHERE t.task_id = p_task_id) THEN PERFORM @.refuse('IM009'); END IF;
    SELECT * INTO v_other FROM @.task t
    WHERE t.owner_id = start_task.owner_id AND t.finished_at IS NULL AND t.app_id = p_names[1] AND t.key = p_key
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'refused by the ledger''s rules'
            USING ERRCODE = 'IM006', DETAIL = v_other.task_id::text, HINT = v_other.name;
    END IF;
    IF (SELECT count(*) FROM @.task t WHERE t.owner_id = start_task.owner_id AND t.finished_at IS NULL)
        >= p_max_open
    THEN
        RAISE EXCEPTION 'refused by the ledger''s rules' USING ERRCODE = 'IM005', DETAIL = p_max_open::text;
    END IF;
    starts := @.running_tasks(owner_id) < p_max_running;
    IF NOT starts AND p_durable IS NULL THEN
        RAISE EXCEPTION 'refused by the ledger''s rules' USING ERRCODE = 'IM005', DETAIL = p_max_running::text;
    END IF;
    starts := starts AND p_durable[6] IS NULL;
    IF NOT starts THEN
        waits_for := 'slot';
    ELSIF p_durable[8] IS NOT NULL THEN
        waits_for := 'process';
        starts := false;
    END IF;
    -- What it waits for while it is paused is shown instead of what it waits for then.
    IF EXISTS (SELECT FROM @.paused p WHERE p.app_id = p_names[1] AND p.task_name = p_durable[1]) THEN
        waits_for := coalesce(waits_for, 'process');
        starts := false;
    END IF;
    created_at := @.micros();
    deadline_at := @.later(created_at, p_cap);
    INSERT INTO @.task AS t (task_id, call_id, owner_id, node_id, incarnation, app_id, function, name, long_running,
                             created_at, deadline_at, key, task_name, queue, follows, state, attempt, waits_for, ready_at)
    SELECT p_task_id, p_call_id, start_task.owner_id, v_node_id, p_incarnation, p_names[1], p_names[2], p_names[3],
        p_long_running, start_task.created_at, start_task.deadline_at, p_key, p_durable[1], p_durable[6], NULL, 'running', 1,
        NULL, NULL
    WHERE starts
    UNION ALL
    SELECT p_task_id, p_call_id, start_task.owner_id, v_node_id, p_incarnation, p_names[1], p_names[2], p_names[3],
        p_long_running, start_task.created_at, NULL, p_key, p_durable[1], p_durable[6], p_durable[7], 'queued', 0,
        start_task.waits_for, start_task.created_at
    WHERE NOT starts
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
    -- Looked at before: an insert would wait for a claim that has changed the row.
    IF p_durable[6] IS NOT NULL
        AND NOT EXISTS (SELECT FROM @.queue q WHERE q.app_id = p_names[1] AND q.queue = p_durable[6])
    THEN
        INSERT INTO @.queue AS q (app_id, queue) VALUES (p_names[1], p_durable[6]) ON CONFLICT DO NOTHING;
    END IF;
    -- A new owner is before the one that the queue served last, and behind the others.
    IF p_durable[6] IS NOT NULL AND NOT EXISTS (
        SELECT FROM @.queue_owner o
        WHERE o.app_id = p_names[1] AND o.queue = p_durable[6] AND o.owner_id = start_task.owner_id)
    THEN
        INSERT INTO @.queue_owner AS o (app_id, queue, owner_id, served)
        SELECT q.app_id, q.queue, start_task.owner_id, greatest(q.served - 1, 0) FROM @.queue q
        WHERE q.app_id = p_names[1] AND q.queue = p_durable[6]
        ON CONFLICT DO NOTHING;
    END IF;
    PERFORM @.write_task_event(p_task_id, seq);
    SELECT r.waits_for INTO waits_for FROM @.task_record r WHERE r.task_id = p_task_id;
END $$;
