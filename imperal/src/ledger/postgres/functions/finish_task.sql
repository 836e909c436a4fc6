-- Ends a task with its outcome turn and audit row. p_reclaim: on behalf of an incarnation that has ended;
-- then the owner's numbers are repaired first. A task whose call is missing waits for no reply.
CREATE OR REPLACE FUNCTION @.finish_task(
    p_node text, p_incarnation bigint, p_task_id uuid, p_reclaim boolean, p_state text, p_turn_id uuid, p_body text,
    p_audit text[]
) RETURNS @.stamp LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_task @.task;
    v_stamp @.stamp;
BEGIN
    SELECT * INTO v_task FROM @.task WHERE task_id = p_task_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN PERFORM @.refuse('IM003'); END IF;
    IF v_task.outcome_seq IS NULL
        AND v_task.state NOT IN ('running', 'succeeded', 'failed', 'cancelled', 'timed_out', 'reclaimed')
    THEN
        -- The state was damaged and the task has no outcome.
        v_task.state := 'running';
    END IF;
    IF p_reclaim THEN
        IF v_task.state = 'running' AND NOT v_task.abandoned THEN PERFORM @.refuse('IM011'); END IF;
    ELSIF v_task.node_id <> v_node_id OR v_task.incarnation <> p_incarnation THEN
        PERFORM @.refuse('IM010');
    END IF;
    IF v_task.state <> 'running' THEN PERFORM @.refuse('IM008'); END IF;
    IF EXISTS (
        SELECT 1 FROM @.call WHERE call_id = v_task.call_id AND state <> 'replied'
            AND (state IN ('open', 'left') OR reply_seq IS NULL))
    THEN
        PERFORM @.refuse('IM004');
    END IF;
    IF p_reclaim THEN PERFORM @.repair_numbers(v_task.owner_id); END IF;
    v_stamp := @.write_turn(v_task.owner_id, 2, p_turn_id, p_body);
    UPDATE @.task SET state = p_state, finished_at = v_stamp.at, outcome_seq = v_stamp.seq WHERE task_id = p_task_id;
    PERFORM @.write_task_event(p_task_id, v_stamp.seq - 1);
    PERFORM @.write_audit(p_audit);
    RETURN v_stamp;
END $$;
