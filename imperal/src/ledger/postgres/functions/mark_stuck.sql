-- Makes tasks stuck that have waited for a process for p_for although they were ready, with an event each; 256 at
-- most, and returns how many. Tasks and owners that another transaction holds are left for the next call.
CREATE OR REPLACE FUNCTION @.mark_stuck(p_node text, p_incarnation bigint, p_for bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_before bigint := @.micros() - p_for;
    v_next record;
    v_task @.task;
    v_seq bigint;
    v_marked bigint := 0;
BEGIN
    FOR v_next IN
        SELECT task_id FROM @.task WHERE ready_at <= v_before AND waits_for IN ('process', 'retry')
            AND state = 'queued' LIMIT 256
    LOOP
        SELECT * INTO v_task FROM @.task
        WHERE task_id = v_next.task_id AND ready_at <= v_before AND waits_for IN ('process', 'retry')
            AND state = 'queued'
        FOR NO KEY UPDATE SKIP LOCKED;
        CONTINUE WHEN NOT FOUND;
        PERFORM 1 FROM @.owner WHERE owner_id = v_task.owner_id FOR NO KEY UPDATE SKIP LOCKED;
        CONTINUE WHEN NOT FOUND;
        UPDATE @.owner SET head = head + 1 WHERE owner_id = v_task.owner_id RETURNING head INTO STRICT v_seq;
        UPDATE @.durable SET stuck_since = @.stuck_since(task_no, @.micros()) WHERE task_no = v_task.task_no;
        UPDATE @.task SET state = 'stuck', waits_for = 'version' WHERE task_id = v_task.task_id;
        PERFORM @.write_task_event(v_task.task_id, v_seq);
        v_marked := v_marked + 1;
    END LOOP;
    RETURN v_marked;
END $$;
