-- Lets a durable task that is stuck, or waits because its processes crashed, be claimed at once, with its event and the
-- audit row. Any other task stays as it is. Returns the task, and whether it was changed.
CREATE OR REPLACE FUNCTION @.retry_task(p_task_id uuid, p_audit text[])
RETURNS TABLE (changed boolean, task @.task_record) LANGUAGE plpgsql AS $$
DECLARE
    v_task @.task;
    v_seq bigint;
BEGIN
    SELECT * INTO v_task FROM @.task t WHERE t.task_id = p_task_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN PERFORM @.refuse('IM003'); END IF;
    changed := v_task.task_name IS NOT NULL AND (v_task.state = 'stuck' OR v_task.state = 'queued' AND (
        v_task.waits_for = 'retry'
        OR v_task.suspect));
    IF changed THEN
        PERFORM @.lock_owners(v_task.owner_id, p_audit, p_audit);
        v_seq := @.take_number(v_task.owner_id);
        UPDATE @.task t SET state = 'queued', waits_for = 'process', ready_at = @.micros(), refused_program = '',
            untold_since = NULL, suspect = false
        WHERE t.task_id = p_task_id;
        UPDATE @.durable d SET crashes = 0, fruitless = 0, refused_since = NULL, stuck_since = NULL
        WHERE d.task_no = v_task.task_no;
        PERFORM @.write_task_event(p_task_id, v_seq);
        PERFORM @.write_audit(p_audit);
    END IF;
    RETURN QUERY SELECT retry_task.changed, r FROM @.task_record r WHERE r.task_id = p_task_id;
END $$;
