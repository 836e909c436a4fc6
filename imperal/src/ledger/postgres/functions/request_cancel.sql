-- Notes that a task was asked to cancel, with its event and the audit row. Returns the task.
CREATE OR REPLACE FUNCTION @.request_cancel(p_task_id uuid, p_audit text[]) RETURNS SETOF @.task_record
LANGUAGE plpgsql AS $$
DECLARE
    v_task @.task;
    v_seq bigint;
BEGIN
    SELECT * INTO v_task FROM @.task WHERE task_id = p_task_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN PERFORM @.refuse('IM003'); END IF;
    IF v_task.state = 'running' AND v_task.cancel_requested_at IS NULL THEN
        UPDATE @.owner SET head = head + 1 WHERE owner_id = v_task.owner_id RETURNING head INTO STRICT v_seq;
        UPDATE @.task SET cancel_requested_at = @.micros() WHERE task_id = p_task_id;
        PERFORM @.write_task_event(p_task_id, v_seq);
    END IF;
    PERFORM @.write_audit(p_audit);
    RETURN QUERY SELECT * FROM @.task_record r WHERE r.task_id = p_task_id;
END $$;
