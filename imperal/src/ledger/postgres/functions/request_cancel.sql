-- Notes that a task was asked to cancel, with its event and the audit row. A durable task that no process holds ends
-- at once, with p_turn_id, p_body and p_end_audit, unless its call has no reply yet. Returns the task. Running twice
-- only writes one more audit row.
CREATE OR REPLACE FUNCTION @.request_cancel(
    p_task_id uuid, p_audit text[], p_state text, p_turn_id uuid, p_body text, p_end_audit text[],
    p_open_effects bigint
) RETURNS SETOF @.task_record LANGUAGE plpgsql AS $$
DECLARE
    v_task @.task;
    v_state text;
    v_seq bigint;
BEGIN
    SELECT * INTO v_task FROM @.task WHERE task_id = p_task_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN PERFORM @.refuse('IM003'); END IF;
    PERFORM @.lock_owners(v_task.owner_id, p_audit, p_end_audit);
    v_state := @.state_of(v_task);
    IF v_state IN ('queued', 'waiting', 'stuck') AND @.is_replied(v_task.call_id) THEN
        PERFORM @.write_audit(p_audit);
        PERFORM @.end_task(v_task, p_state, p_turn_id, p_body, p_end_audit, p_open_effects, true);
    -- Otherwise this request has ended it, and its answer was lost.
    ELSIF NOT EXISTS (
        SELECT 1 FROM @.turn u
        WHERE u.owner_id = v_task.owner_id AND u.seq = v_task.outcome_seq AND u.turn_id = p_turn_id)
    THEN
        IF v_state IN ('running', 'queued', 'waiting', 'stuck') AND v_task.cancel_requested_at IS NULL THEN
            v_seq := @.take_number(v_task.owner_id);
            UPDATE @.task SET cancel_requested_at = @.micros() WHERE task_id = p_task_id;
            PERFORM @.write_task_event(p_task_id, v_seq);
        END IF;
        PERFORM @.write_audit(p_audit);
    END IF;
    RETURN QUERY SELECT * FROM @.task_record r WHERE r.task_id = p_task_id;
END $$;
