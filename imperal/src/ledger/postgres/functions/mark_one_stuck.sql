-- Makes a task stuck, with its event, if it is still unheld and has been ready since p_before. False if not, and if
-- another transaction holds it or its owner.
CREATE OR REPLACE FUNCTION @.mark_one_stuck(p_task_id uuid, p_before bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    v_task @.task;
    v_seq bigint;
BEGIN
    SELECT * INTO v_task FROM @.task
    WHERE task_id = p_task_id AND ready_at <= p_before AND state IN ('queued', 'waiting')
    FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN RETURN false; END IF;
    PERFORM 1 FROM @.owner WHERE owner_id = v_task.owner_id FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN RETURN false; END IF;
    v_seq := @.take_number(v_task.owner_id);
    UPDATE @.durable SET stuck_since = coalesce(@.refused_since(task_no), @.micros()) WHERE task_no = v_task.task_no;
    UPDATE @.task SET state = 'stuck', waits_for = 'version', untold_since = NULL WHERE task_id = p_task_id;
    PERFORM @.write_task_event(p_task_id, v_seq);
    RETURN true;
END $$;
