-- The part of start_task and start_call that they share: checks the limits and the key, and writes the task with its event
-- under the number p_seq. The owner's row is locked. p_names, p_durable and p_audit as in start_task; p_followed is the task that
-- p_durable names. IM006: the key is taken; the error's detail is the id of the task that has it, the hint its name. IM005:
-- the detail is the limit. IM014: the detail is the reason, see inherit.
CREATE OR REPLACE FUNCTION @.insert_task(
    p_node_id bigint, p_incarnation bigint, p_owner_id bigint, p_seq bigint, p_call_id uuid, p_task_id uuid, p_names text[],
    p_key text, p_long_running boolean, p_cap bigint, p_max_running bigint, p_max_open bigint, p_durable text[],
    p_audit text[], p_followed @.task,
    OUT created_at bigint, OUT deadline_at bigint, OUT starts boolean, OUT waits_for text, OUT open_effects bigint
) LANGUAGE plpgsql AS $$
DECLARE
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
    IF p_key IS NULL THEN
        SELECT count(*), count(*) FILTER (WHERE t.state = 'running') INTO v_open, v_running FROM @.task t
        WHERE t.owner_id = p_owner_id AND t.finished_at IS NULL;
    ELSE
        SELECT count(*), count(*) FILTER (WHERE t.state = 'running'),
            min(t.task_no) FILTER (WHERE t.app_id = p_names[1] AND t.key = p_key)
        INTO v_open, v_running, v_other FROM @.task t
        WHERE t.owner_id = p_owner_id AND t.finished_at IS NULL;
    END IF;
    starts := v_running < p_max_running;
    IF v_other IS NOT NULL OR v_open >= p_max_open OR NOT starts AND p_durable IS NULL THEN
        PERFORM @.refuse_start(
            p_task_id, p_owner_id, v_other, CASE WHEN v_open >= p_max_open THEN p_max_open ELSE p_max_running END);
    END IF;
    IF p_durable IS NOT NULL THEN
        starts := starts AND p_durable[6] IS NULL;
        IF NOT starts THEN
            waits_for := 'slot';
        ELSIF p_durable[8] IS NOT NULL THEN
            waits_for := 'process';
            starts := false;
        END IF;
        -- Readers see that it is paused, and later the reason that is stored now.
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
    VALUES (p_task_id, p_call_id, p_owner_id, p_node_id, p_incarnation, p_names[1], p_names[2], p_names[3],
            p_long_running, insert_task.created_at, v_deadline_at, p_key, p_durable[1], p_durable[6], p_durable[7],
            CASE WHEN starts THEN 'running' ELSE 'queued' END, starts::int, insert_task.waits_for, v_ready_at)
    RETURNING t.task_no INTO STRICT v_task_no;
    IF p_durable IS NOT NULL THEN
        INSERT INTO @.durable (task_no, input, user_json, root_task, program, cap, claimed_at, fruitless)
        VALUES (v_task_no, p_durable[2], p_durable[3], p_durable[4]::uuid, p_durable[5], p_cap,
                CASE WHEN starts THEN insert_task.created_at END, starts::int);
    END IF;
    IF p_durable[8] IS NOT NULL THEN
        open_effects := @.inherit(p_followed, v_task_no, p_durable[9]::bigint);
    END IF;
    IF p_audit IS NOT NULL THEN PERFORM @.write_audit(p_audit); END IF;
    IF p_durable[6] IS NOT NULL THEN PERFORM @.join_queue(p_names[1], p_durable[6], p_owner_id); END IF;
    IF v_is_paused THEN waits_for := 'paused'; END IF;
    -- The same as write_task_event, without a look at the row.
    INSERT INTO @.task_event AS e (owner_id, seq, task_id, state, attempt, waits_for, ready_at, open_questions,
                                   open_effects, deadline_at)
    VALUES (p_owner_id, p_seq, p_task_id, CASE WHEN starts THEN 'running' ELSE 'queued' END, starts::int,
            insert_task.waits_for, v_ready_at, 0, insert_task.open_effects, v_deadline_at);
END $$;
